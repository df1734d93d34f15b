// The twelve multi-step parallel patterns of docs/parallel-patterns.md, each with what the page
// promises of it. A block of several steps that runs beside others is a child.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kinds, started, until } from './helpers.mjs';

const HOUR = 3_600_000;
const QUICK = { maxAttempts: 3, backoff: 'none' };

/** Activities, with a record of what ran and what was cancelled. */
function world() {
  const seen = { ran: [], cancelled: [], most: 0 };
  let running = 0;
  const failuresLeft = new Map();
  const activities = {
    Step: (ctx, name) => {
      seen.ran.push(name);
      return `${name}.done`;
    },
    Hang: (ctx, name) =>
      new Promise((resolve) => {
        ctx.signal.addEventListener('abort', () => {
          seen.cancelled.push(name);
          resolve();
        });
      }),
    Fail: (ctx, message) => {
      throw new Error(message);
    },
    Flaky: (ctx, { name, failures }) => {
      const left = failuresLeft.get(name) ?? failures;
      failuresLeft.set(name, left - 1);
      if (left > 0) throw new Error(`${name}: ${left} to go`);
      return `${name}.done`;
    },
    Counted: async (ctx, n) => {
      seen.most = Math.max(seen.most, ++running);
      await new Promise(setImmediate);
      running -= 1;
      return n * n;
    },
  };
  return { seen, activities };
}

/** Blocks of several steps: an orchestration each. */
const blocks = {
  *TwoSteps(ctx, name) {
    const first = yield ctx.scheduleActivity('Step', `${name}1`);
    const second = yield ctx.scheduleActivity('Step', `${name}2`);
    return [first, second];
  },
  *TimerThenStep(ctx, { name, ms }) {
    yield ctx.scheduleTimer(ms);
    return yield ctx.scheduleActivity('Step', name);
  },
  *StepThenHang(ctx, name) {
    yield ctx.scheduleActivity('Step', `${name}1`);
    try {
      return yield ctx.scheduleActivity('Hang', `${name}2`);
    } finally {
      yield ctx.scheduleActivity('Step', `${name}.undone`);
    }
  },
};

async function pattern(t, code, { input, more = {}, meanwhile } = {}) {
  const { seen, activities } = world();
  const it = await started(t, { activities, orchestrations: { ...blocks, ...more, Main: code } });
  await it.client.startOrchestration('main', 'Main', input);
  await meanwhile?.(it.client, seen);
  const ended = await it.client.waitForOrchestration('main');
  assert.equal(ended.status, 'Completed', ended.error);
  return { output: ended.output, seen, client: it.client };
}

test('1 join: blocks of several steps run side by side and all give their results', async (t) => {
  const { output } = await pattern(t, function* (ctx) {
    const [a, b] = yield ctx.all([
      ctx.scheduleSubOrchestration('TwoSteps', 'a'),
      ctx.scheduleSubOrchestration('TimerThenStep', { name: 'b', ms: 5 }),
    ]);
    return [a.ok, b.ok];
  });
  assert.deepEqual(output, [['a1.done', 'a2.done'], 'b.done']);
});

test('2 join of every kind: an activity, a timer, an event and a block, failures beside results', async (t) => {
  const { output } = await pattern(
    t,
    function* (ctx) {
      return yield ctx.all([
        ctx.scheduleActivity('Step', 'a'),
        ctx.scheduleTimer(1),
        ctx.waitForEvent('go'),
        ctx.scheduleSubOrchestration('TwoSteps', 'b'),
        ctx.scheduleActivity('Fail', 'no luck'),
      ]);
    },
    { meanwhile: (client) => client.raiseEvent('main', 'go', { by: 'me' }) },
  );
  assert.deepEqual(output, [
    { ok: 'a.done' },
    { ok: null },
    { ok: { by: 'me' } },
    { ok: ['b1.done', 'b2.done'] },
    { err: 'no luck' },
  ]);
});

test('3 race: the block that loses is cancelled, its activity too, and its clean-up runs', async (t) => {
  const { output, seen, client } = await pattern(t, function* (ctx) {
    return yield ctx.race(
      ctx.scheduleSubOrchestrationWithId('StepThenHang', 'loser', 'slow'),
      // Ends when the other hangs, so that there is something to clean up.
      ctx.waitForEvent('enough'),
    );
  }, {
    meanwhile: async (client, seen) => {
      await until(() => seen.ran.includes('slow1'));
      await until(async () => (await kinds(client, 'loser')).filter((kind) => kind === 'ActivityScheduled').length === 2);
      await client.raiseEvent('main', 'enough', 'first');
    },
  });
  assert.deepEqual(output, { index: 1, value: 'first' });
  const loser = await client.waitForOrchestration('loser');
  assert.deepEqual([loser.status, loser.error], ['Failed', 'canceled: parent canceled']);
  assert.ok(seen.ran.includes('slow.undone'));
});

test('4 timeout: a block of several steps against a timer', async (t) => {
  const { output, client } = await pattern(t, function* (ctx) {
    const { index } = yield ctx.race(
      ctx.scheduleSubOrchestrationWithId('StepThenHang', 'too-slow', 'a'),
      ctx.scheduleTimer(50),
    );
    return index === 0 ? 'in time' : 'timed out';
  });
  assert.equal(output, 'timed out');
  assert.equal((await client.waitForOrchestration('too-slow')).status, 'Failed');
});

test('5 three-way race: any number of branches, told apart by index', async (t) => {
  const { output, seen } = await pattern(t, function* (ctx) {
    const first = yield ctx.race(
      ctx.waitForEvent('approved'),
      ctx.scheduleSubOrchestration('TimerThenStep', { name: 'automatic', ms: 5 }),
      ctx.scheduleTimer(HOUR),
    );
    return [['person', 'rule', 'deadline'][first.index], first.value];
  });
  assert.deepEqual(output, ['rule', 'automatic.done']);
  assert.deepEqual(seen.ran, ['automatic']);
});

test('6 race of joins: the group that is complete first wins, every leaf of the others is cancelled', async (t) => {
  const { output, seen } = await pattern(t, function* (ctx) {
    const { index, value } = yield ctx.race(
      ctx.all([ctx.scheduleActivity('Hang', 'x'), ctx.scheduleActivity('Step', 'y')]),
      ctx.all([ctx.scheduleSubOrchestration('TwoSteps', 'a'), ctx.scheduleActivity('Step', 'b')]),
    );
    return [index, value.map(({ ok }) => ok)];
  });
  assert.deepEqual(output, [1, [['a1.done', 'a2.done'], 'b.done']]);
  await until(() => seen.cancelled.includes('x'));
});

test('7 join of races: every branch has a time limit of its own', async (t) => {
  const { output } = await pattern(t, function* (ctx) {
    const limited = (ms, task) => ctx.race(task, ctx.scheduleTimer(ms));
    const results = yield ctx.all([
      limited(HOUR, ctx.scheduleActivity('Step', 'a')),
      limited(20, ctx.scheduleActivity('Hang', 'b')),
      limited(HOUR, ctx.scheduleSubOrchestration('TwoSteps', 'c')),
    ]);
    return results.map(({ ok }) => (ok.index === 0 ? ok.value : 'too late'));
  });
  assert.deepEqual(output, ['a.done', 'too late', ['c1.done', 'c2.done']]);
});

test('8 nested chains: blocks that are themselves made of parallel blocks', async (t) => {
  const { output } = await pattern(
    t,
    function* (ctx) {
      const [left, right] = yield ctx.all([
        ctx.scheduleSubOrchestration('Chain', ['a', 'b']),
        ctx.scheduleSubOrchestration('Chain', ['c', 'd']),
      ]);
      return yield ctx.scheduleActivity('Step', [...left.ok, ...right.ok].join('+'));
    },
    {
      more: {
        *Chain(ctx, names) {
          const inner = yield ctx.all(names.map((name) => ctx.scheduleSubOrchestration('TwoSteps', name)));
          return inner.map(({ ok }) => ok[1]);
        },
      },
    },
  );
  assert.equal(output, 'a2.done+b2.done+c2.done+d2.done.done');
});

test('9 retry inside all: each branch is tried on its own, one that gives up spoils nothing', async (t) => {
  const { output } = await pattern(t, function* (ctx) {
    const tried = (name, failures) => ctx.scheduleActivityWithRetry('Flaky', { name, failures }, QUICK);
    return yield ctx.all([tried('a', 0), tried('b', 2), tried('c', 9)]);
  });
  assert.deepEqual(output, [{ ok: 'a.done' }, { ok: 'b.done' }, { err: 'c: 7 to go' }]);
});

test('10 a block that repeats itself under one deadline', async (t) => {
  const { output } = await pattern(
    t,
    function* (ctx) {
      const { index, value } = yield ctx.race(ctx.scheduleSubOrchestration('UntilDone', 3), ctx.scheduleTimer(HOUR));
      return index === 0 ? value : 'gave up';
    },
    {
      more: {
        *UntilDone(ctx, failures) {
          for (let round = 1; ; round++) {
            try {
              return [round, yield ctx.scheduleActivity('Flaky', { name: 'poll', failures })];
            } catch {
              yield ctx.scheduleTimer(1);
            }
          }
        },
      },
    },
  );
  assert.deepEqual(output, [4, 'poll.done']);
});

test('11 hedged request: a second try is started if the first takes too long', async (t) => {
  const { output, seen } = await pattern(t, function* (ctx) {
    return yield ctx.race(
      ctx.scheduleActivity('Hang', 'primary'),
      ctx.scheduleSubOrchestration('TimerThenStep', { name: 'replica', ms: 5 }),
    );
  });
  assert.deepEqual(output, { index: 1, value: 'replica.done' });
  await until(() => seen.cancelled.includes('primary'));
});

test('12 window: many tasks, a few at a time, results in order', async (t) => {
  const { output, seen } = await pattern(t, function* (ctx, numbers) {
    const squares = [];
    for (let at = 0; at < numbers.length; at += 3) {
      const window = numbers.slice(at, at + 3).map((n) => ctx.scheduleActivity('Counted', n));
      for (const { ok } of yield ctx.all(window)) squares.push(ok);
    }
    return squares;
  }, { input: [1, 2, 3, 4, 5, 6, 7] });
  assert.deepEqual(output, [1, 4, 9, 16, 25, 36, 49]);
  assert.ok(seen.most <= 3, `${seen.most} at once`);
});
