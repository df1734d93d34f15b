// `replay` of duroxide/testing: histories of real runs against the code that made them, and
// against code that was changed.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { DuroxideError, defineOrchestration } from 'duroxide';
import { replay } from 'duroxide/testing';
import { kinds, started, until } from './helpers.mjs';

let tries = 0;
const activities = {
  Echo: (ctx, value) => value,
  Fail: (ctx, text) => {
    throw Object.assign(new Error(text, { cause: new RangeError('why') }), { name: 'OutOfStock' });
  },
  Flaky: () => {
    tries += 1;
    if (tries < 3) throw new Error(`try ${tries}`);
    return 'at last';
  },
  Slow: (ctx) => new Promise((resolve) => ctx.signal.addEventListener('abort', resolve)),
};

function* child(ctx, input) {
  if (input === 'fail') throw new TypeError('the child is unwell');
  return yield ctx.scheduleActivity('Echo', input);
}

/** One orchestration for each pattern, and what it is sent when it waits. */
const PATTERNS = {
  Sequence: {
    *code(ctx, input) {
      const one = yield ctx.scheduleActivity('Echo', input);
      return yield* ctx.scheduleActivity('Echo', [one, yield ctx.utcNow(), yield ctx.newGuid()]);
    },
  },
  Groups: {
    *code(ctx) {
      const all = yield ctx.all([
        ctx.scheduleActivity('Echo', 1),
        ctx.scheduleActivity('Fail', 'no'),
        ctx.all([ctx.scheduleTimer(1), ctx.scheduleActivity('Echo', 2).withTag('t')]),
      ]);
      const won = yield ctx.race(ctx.scheduleActivity('Slow'), ctx.waitForEvent('never'), ctx.scheduleTimer(1), ctx.dequeueEvent('never'));
      return [all, won];
    },
    options: { workerTagFilter: 'any' },
  },
  Timers: {
    *code(ctx) {
      yield ctx.scheduleTimer(0);
      yield ctx.scheduleTimer(2);
    },
  },
  Mail: {
    *code(ctx) {
      return [yield ctx.waitForEvent('e'), yield ctx.dequeueEvent('q'), yield ctx.dequeueEvent('q')];
    },
    async send(client, id) {
      await client.enqueueEvent(id, 'q', { n: 1 });
      await client.enqueueEvent(id, 'q');
      await client.raiseEvent(id, 'e', '42');
    },
  },
  Children: {
    *code(ctx) {
      const answers = [yield ctx.scheduleSubOrchestration('Child', 'implicit')];
      answers.push(yield ctx.scheduleSubOrchestrationWithId('Child', 'explicit', 1));
      answers.push(yield ctx.scheduleSubOrchestrationVersioned('Child', '1.0.0', 2));
      yield ctx.startOrchestration('Child', 'detached', 3);
      try {
        yield ctx.scheduleSubOrchestration('Child', 'fail');
      } catch (error) {
        answers.push(error.message);
      }
      return answers;
    },
  },
  Retried: {
    *code(ctx) {
      return yield ctx.scheduleActivityWithRetry('Flaky', null, { maxAttempts: 5, backoff: 'none' });
    },
  },
  Session: {
    *code(ctx) {
      return yield ctx.scheduleActivityOnSession('Echo', 1, yield ctx.newGuid());
    },
  },
  Values: {
    *code(ctx) {
      ctx.setValue('a', '1');
      ctx.setValue('b', '2');
      ctx.clearValue('a');
      yield ctx.scheduleTimer(1);
      const pruned = ctx.pruneKvValuesUpdatedBefore(yield ctx.utcNow());
      ctx.setValue('c', '3');
      ctx.clearAllValues();
      ctx.setCustomStatus('one');
      ctx.resetCustomStatus();
      ctx.setValue('d', String(pruned));
      return [yield ctx.getValueFromInstance(ctx.instanceId, 'x'), ctx.getKvAllValues(), ctx.getCustomStatus()];
    },
  },
  Fails: {
    *code(ctx) {
      yield ctx.scheduleActivity('Fail', 'uncaught');
    },
    status: 'Failed',
  },
  Throws: {
    *code() {
      throw new SyntaxError('of its own');
    },
    status: 'Failed',
  },
  FailsByChild: {
    *code(ctx) {
      yield ctx.scheduleSubOrchestration('Child', 'fail');
    },
    status: 'Failed',
  },
  Cancelled: {
    *code(ctx) {
      try {
        yield ctx.all([ctx.waitForEvent('never'), ctx.scheduleActivity('Slow'), ctx.scheduleTimer(1e9)]);
      } finally {
        yield ctx.scheduleActivity('Echo', 'clean-up');
      }
    },
    async send(client, id) {
      await until(async () => (await kinds(client, id)).includes('TimerCreated'));
      await client.cancelOrchestration(id, 'enough');
    },
    status: 'Failed',
  },
  Terminated: {
    *code(ctx) {
      yield ctx.waitForEvent('never');
    },
    async send(client, id) {
      await until(async () => (await kinds(client, id)).includes('ExternalSubscribed'));
      await client.terminateOrchestration(id, 'now');
    },
    status: 'Terminated',
  },
  Long: {
    // More than one turn holds: it is split.
    *code(ctx) {
      for (let n = 0; n < 1500; n++) ctx.setValue(`k${n % 7}`, String(n));
      return yield ctx.scheduleActivity('Echo', 'after');
    },
  },
};

const through = (value) => JSON.parse(JSON.stringify(value));

/** Runs a pattern and gives its history as a file would hold it. */
async function recorded(t, name) {
  const { code, send, status = 'Completed', options } = PATTERNS[name];
  const { client } = await started(t, { activities, orchestrations: { [name]: code, Child: child }, options });
  await client.startOrchestration('i', name, { of: name });
  await send?.(client, 'i');
  const ended = await client.waitForOrchestration('i');
  assert.equal(ended.status, status, ended.error);
  return through(await client.readExecutionHistory('i', 1));
}

for (const name of Object.keys(PATTERNS)) {
  test(`the code that made the history of ${name} is compatible with it, and with every beginning of it`, async (t) => {
    const history = await recorded(t, name);
    const codes = { [name]: PATTERNS[name].code };
    assert.deepEqual(replay(history, codes), { compatible: true, events: history.length, remarks: [] });
    const ends = history.map((row, n) => n).filter((n) => n > 0 && history[n].turn > history[n - 1].turn);
    for (const end of ends) {
      const beginning = history.slice(0, end);
      assert.deepEqual(replay(beginning, codes), { compatible: true, events: end, remarks: [] }, `${end} events`);
    }
  });
}

test('both executions of a continue-as-new replay; what the second inherited is given', async (t) => {
  function* code(ctx, n) {
    if (n === 2) return [ctx.getValue('kept'), ctx.getCustomStatus(), yield ctx.scheduleSubOrchestration('Child', n)];
    ctx.setValue('kept', 'yes');
    ctx.setCustomStatus('on');
    return yield ctx.continueAsNew(2);
  }
  const { client } = await started(t, { activities, orchestrations: { Main: code, Child: child } });
  await client.run('Main', 1);
  const [first, second] = await Promise.all([1, 2].map((n) => client.readExecutionHistory('Main-1', n)));
  assert.deepEqual(replay(first, { Main: code }), { compatible: true, events: first.length, remarks: [] });
  const options = { values: { kept: 'yes' }, customStatus: 'on' };
  assert.deepEqual(replay(second, { Main: code }, options), { compatible: true, events: second.length, remarks: [] });
  const without = replay(second, { Main: code });
  assert.equal(without.compatible, true);
  assert.deepEqual(without.remarks.map(({ eventId }) => eventId), [second.at(-1).eventId], 'another output');
});

/** Two activities, an event, and an end. */
const ORIGINAL = function* (ctx) {
  const one = yield ctx.scheduleActivity('Echo', 1);
  const two = yield ctx.scheduleActivity('Second', one);
  yield ctx.scheduleTimer(1);
  return two;
};

/** What was changed, what the code asks for at which event, and what stands there. */
const CHANGES = {
  'a renamed activity': [4, 'ActivityScheduled name=Second', 'ActivityScheduled name=Renamed', function* (ctx) {
    yield ctx.scheduleActivity('Echo', 1);
    yield ctx.scheduleActivity('Renamed', 1);
    yield ctx.scheduleTimer(1);
  }],
  'a removed step': [4, 'ActivityScheduled name=Second', 'TimerCreated', function* (ctx) {
    yield ctx.scheduleActivity('Echo', 1);
    yield ctx.scheduleTimer(1);
  }],
  'an extra step': [4, 'ActivityScheduled name=Second', 'ActivityScheduled name=Extra', function* (ctx) {
    yield ctx.scheduleActivity('Echo', 1);
    yield ctx.scheduleActivity('Extra', 1);
    yield ctx.scheduleActivity('Second', 1);
    yield ctx.scheduleTimer(1);
  }],
  'an extra step at the end': [8, 'OrchestrationCompleted', 'ActivityScheduled name=Extra', function* (ctx) {
    yield* ORIGINAL(ctx);
    yield ctx.scheduleActivity('Extra', 1);
  }],
  'a step that is not waited for alone any more': [5, 'no further command', 'TimerCreated', function* (ctx) {
    yield ctx.scheduleActivity('Echo', 1);
    yield ctx.all([ctx.scheduleActivity('Second', 1), ctx.scheduleTimer(1)]);
  }],
  'an early return': [6, 'TimerCreated', 'OrchestrationCompleted', function* (ctx) {
    yield ctx.scheduleActivity('Echo', 1);
    yield ctx.scheduleActivity('Second', 1);
    return 1;
  }],
  'an early throw': [4, 'ActivityScheduled name=Second', 'OrchestrationFailed', function* (ctx) {
    yield ctx.scheduleActivity('Echo', 1);
    throw new Error('too soon');
  }],
  'a longer wait': [8, 'OrchestrationCompleted', 'ExternalSubscribed|MailSubscribed', function* (ctx) {
    yield* ORIGINAL(ctx);
    yield ctx.waitForEvent('e');
  }],
  'another order': [2, 'ActivityScheduled name=Echo', 'ActivityScheduled name=Second', function* (ctx) {
    yield ctx.scheduleActivity('Second', 1);
    yield ctx.scheduleActivity('Echo', 1);
    yield ctx.scheduleTimer(1);
  }],
  'another delay': [6, 'TimerCreated delay_ms=1 ', 'TimerCreated delay_ms=2 ', function* (ctx) {
    yield ctx.scheduleActivity('Echo', 1);
    yield ctx.scheduleActivity('Second', 1);
    yield ctx.scheduleTimer(2);
  }],
  'an end without a last wait': [2, 'ActivityScheduled name=Echo', 'OrchestrationCompleted', function* () {}],
};

for (const [change, [eventId, expected, actual, code]] of Object.entries(CHANGES)) {
  test(`${change} is found at event ${eventId}`, async (t) => {
    const { client } = await started(t, {
      activities: { ...activities, Second: (ctx, n) => n },
      orchestrations: { Main: ORIGINAL },
    });
    await client.run('Main');
    const history = through(await client.readExecutionHistory('Main-1', 1));
    assert.equal(replay(history, { Main: ORIGINAL }).compatible, true);
    const found = replay(history, { Main: code });
    assert.equal(found.compatible, false);
    assert.equal(found.eventId, eventId, found.message);
    assert.match(found.expected, new RegExp(`^(${expected})`));
    assert.match(found.actual, new RegExp(`^(${actual})`));
    assert.ok(found.message.includes('nondeterministic') && found.message.includes(`- history: ${found.expected}`), found.message);
  });
}

test('a history that is not finished yet is held against the code as far as it goes', async (t) => {
  const { client } = await started(t, {
    activities,
    orchestrations: {
      *Main(ctx) {
        yield ctx.scheduleActivity('Echo', 1);
        yield ctx.waitForEvent('go');
      },
    },
  });
  await client.startOrchestration('i', 'Main');
  await until(async () => (await kinds(client, 'i')).includes('ExternalSubscribed'));
  const history = await client.readExecutionHistory('i', 1);
  const waits = (name) => ({
    *Main(ctx) {
      yield ctx.scheduleActivity('Echo', 1);
      yield ctx.waitForEvent(name);
      throw new Error('not reached');
    },
  });
  assert.deepEqual(replay(history, waits('go')), { compatible: true, events: 4, remarks: [] });
  assert.equal(replay(history, waits('stop')).eventId, 4);
});

test('another input, and what is not deterministic, are remarks', async (t) => {
  const { client } = await started(t, { activities, orchestrations: { *Main(ctx) { return yield ctx.scheduleActivity('Echo', 1); } } });
  await client.run('Main');
  const history = await client.readExecutionHistory('Main-1', 1);
  const { compatible, remarks } = replay(history, {
    *Main(ctx) {
      Date.now();
      return yield ctx.scheduleActivity('Echo', 2);
    },
  });
  assert.equal(compatible, true);
  const [input, guarded] = remarks;
  assert.deepEqual([remarks.length, input.eventId], [2, 2]);
  assert.match(input.message, /input=1.*input=2/);
  assert.match(guarded.message, /^Date\.now\(\) is nondeterministic/);
  assert.match(guarded.place, /replay\.test\.mjs:\d+:\d+$/);
});

test('the code is chosen by name and version, in every form that it may have', async (t) => {
  const code = function* () { return 1; };
  const other = function* (ctx) { yield ctx.scheduleTimer(1); };
  const { client } = await started(t, { orchestrations: { Main: code } });
  await client.run('Main');
  const history = await client.readExecutionHistory('Main-1', 1);
  const good = [
    { Main: code, Other: other },
    { name: 'Main', gen: code },
    { name: 'Main', version: '1.0.0', gen: code },
    defineOrchestration('Main', code),
    [defineOrchestration('Main', code, { version: '1.0.0' }), defineOrchestration('Main', other, { version: '2.0.0' })],
    [{ name: 'Main', version: '2.0.0', gen: other }, { name: 'Main', gen: code }],
  ];
  for (const codes of good) assert.equal(replay(history, codes).compatible, true);
  const missing = replay(history, { Mian: code });
  assert.deepEqual([missing.compatible, missing.eventId], [false, 1]);
  assert.match(missing.message, /name=Main version=1\.0\.0[^]*no orchestration 'Main'.*'Mian'/);
  const version = replay(history, { name: 'Main', version: '2.0.0', gen: code });
  assert.match(version.actual, /only in version 2\.0\.0/);
});

test('what is no history is an error that names the row; other arguments are type errors', async (t) => {
  const { client } = await started(t, { activities, orchestrations: { Main: ORIGINAL } });
  await client.startOrchestration('i', 'Main');
  const history = await until(async () => {
    const rows = await client.readExecutionHistory('i', 1);
    return rows.length > 1 && through(rows);
  });
  const broken = (change) => {
    const rows = through(history);
    change(rows);
    return rows;
  };
  const cases = [
    [[], /no rows/],
    [history.slice(1), /event #2: the first event/],
    [broken((rows) => { delete rows[1].turn; }), /row 2: missing field `turn`/],
    [broken((rows) => { rows[1].data = '{'; }), /row 2 \(ActivityScheduled\): EOF/],
    [broken((rows) => { rows[1].kind = 'Odd'; }), /row 2 \(Odd\): `Odd` is no kind/],
    [broken((rows) => { rows[1].data = JSON.parse(rows[1].data); }), /row 2: invalid type: map/],
    [broken((rows) => { rows[1].eventId = 7; }), /event #7/],
    [[null], /row 1: /],
  ];
  for (const [rows, message] of cases) {
    assert.throws(() => replay(rows, { Main: ORIGINAL }), (error) => {
      assert.ok(error instanceof DuroxideError, String(error));
      assert.equal(error.code, 'MALFORMED_HISTORY');
      assert.match(error.message, message);
      return /^replay: malformed history/.test(error.message);
    });
  }
  for (const wrong of [
    () => replay('rows', {}),
    () => replay(history, null),
    () => replay(history, { Main: 5 }),
    () => replay(history, [ORIGINAL]),
    () => replay(history, {}, { valeus: {} }),
    () => replay(history, {}, { values: { a: 1 } }),
  ]) {
    assert.throws(wrong, TypeError);
  }
});

test('a replay runs nothing but the generator, and drops it without telling', async (t) => {
  const history = await recorded(t, 'Children');
  let told = false;
  function* code(ctx) {
    try {
      yield* PATTERNS.Children.code(ctx);
      yield ctx.waitForEvent('more');
    } finally {
      told = true;
    }
  }
  const beginning = history.slice(0, history.findIndex(({ turn }) => turn > 1));
  assert.equal(replay(beginning, { Children: code }).compatible, true);
  assert.equal(told, false);
});

test('import and require of duroxide/testing give the same function', () => {
  assert.equal(createRequire(import.meta.url)('duroxide/testing').replay, replay);
});
