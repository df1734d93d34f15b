// What user code catches, and what clients read of a failure.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ActivityError,
  DuroxideError,
  InstanceExistsError,
  InstanceNotFoundError,
  LimitError,
  OrchestrationError,
  TimeoutError,
} from 'duroxide';
import { started } from './helpers.mjs';

class OutOfStock extends Error {
  name = 'OutOfStock';
}

const activities = {
  Echo: (ctx, input) => input,
  Throw: async (ctx, what) => {
    if (what === 'class') throw new OutOfStock('no bolts', { cause: new RangeError('0 left') });
    if (what === 'text') throw 'just text';
    if (what === 'object') throw { code: 7 };
    if (what === 'odd error') throw Object.assign(new Error(), { message: 7 });
    throw undefined;
  },
};

async function caught(t, code) {
  const errors = [];
  const { client } = await started(t, {
    activities,
    orchestrations: {
      Main: function* (ctx, input) {
        try {
          return yield* code(ctx, input);
        } catch (error) {
          errors.push(error);
          return { message: error.message, stack: error.stack };
        }
      },
    },
  });
  const ended = await client.run('Main');
  return { error: errors[0], ended };
}

test('an activity’s error keeps its message, name, attempt and cause, and no path', async (t) => {
  const { error, ended } = await caught(t, function* (ctx) {
    return yield ctx.scheduleActivity('Throw', 'class');
  });
  assert.ok(error instanceof ActivityError && error instanceof DuroxideError && error instanceof Error);
  assert.deepEqual(
    [error.message, error.name, error.code, error.activityName, error.attempt],
    ['no bolts', 'OutOfStock', 'ACTIVITY_FAILED', 'Throw', 1],
  );
  assert.deepEqual([error.cause.message, error.cause.name], ['0 left', 'RangeError']);
  assert.equal(ended.output.stack, 'OutOfStock: no bolts');
});

for (const [what, message] of [['text', 'just text'], ['object', '{"code":7}'], ['nothing', 'undefined'], ['odd error', '7']]) {
  test(`a thrown ${what} keeps its text`, async (t) => {
    const { error } = await caught(t, function* (ctx) {
      return yield ctx.scheduleActivity('Throw', what);
    });
    assert.deepEqual([error.constructor, error.message], [ActivityError, message]);
  });
}

/** What cannot be told as it is, and what is told of it. */
const UNTELLABLE = {
  'half of a surrogate pair': [() => new Error('cut here: \ud83d'), /^cut here: \ufffd$/],
  'message that throws': [() => Object.defineProperty(new Error(), 'message', { get: () => assert.fail() }), /cannot be read/],
  'name without text': [() => Object.assign(new Error('x'), { name: Object.create(null) }), /cannot be read/],
  'cause that throws': [() => Object.defineProperty(new Error('kept'), 'cause', { get: () => assert.fail() }), /^kept$/],
  'stack that throws': [() => Object.defineProperty(new Error('kept'), 'stack', { get: () => assert.fail() }), /^kept$/],
  'revoked proxy': [() => revoked(), /cannot be read/],
};

function revoked() {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

test('nothing that is thrown can break the process or stop other work', async (t) => {
  const { client } = await started(t, {
    options: { workerConcurrency: 1 },
    activities: {
      Sync: (ctx, what) => {
        throw UNTELLABLE[what][0]();
      },
      Async: async (ctx, what) => {
        await null;
        throw UNTELLABLE[what][0]();
      },
    },
    orchestrations: {
      Main: function* (ctx, [activity, what]) {
        if (activity !== null) yield ctx.scheduleActivity(activity, what);
        throw UNTELLABLE[what][0]();
      },
    },
  });
  for (const [what, [, told]] of Object.entries(UNTELLABLE)) {
    for (const from of ['Sync', 'Async', null]) {
      const ended = await client.run('Main', [from, what]);
      assert.equal(ended.status, 'Failed', `${what}, ${from}`);
      assert.match(ended.error, told, `${what}, ${from}`);
    }
  }
});

test('a failure that nobody catches fails the run with its details and stack', async (t) => {
  const { client } = await started(t, {
    activities,
    orchestrations: {
      Main: function* (ctx) {
        yield ctx.scheduleActivity('Throw', 'class');
      },
      Own: function* () {
        throw new OutOfStock('own');
      },
    },
  });
  const ended = await client.run('Main');
  assert.deepEqual([ended.status, ended.error], ['Failed', 'no bolts']);
  const { name, message, activityName, attempt } = ended.errorDetails;
  assert.deepEqual([name, message, activityName, attempt], ['OutOfStock', 'no bolts', 'Throw', 1]);
  const own = await client.run('Own');
  assert.equal(own.error, 'own');
  assert.match(own.errorDetails.stack, /errors\.test\.mjs/);
  await assert.rejects(client.waitForOrchestrationTyped('Main-1'), (error) => {
    return error instanceof OrchestrationError && error.message === 'no bolts';
  });
});

test('returning a descriptor fails the run and asks for the yield', async (t) => {
  const { client } = await started(t, {
    activities,
    orchestrations: {
      Main: function* (ctx) {
        return ctx.scheduleActivity('Echo', 1);
      },
      Nested: function* (ctx) {
        return { result: ctx.scheduleActivity('Echo', 1) };
      },
    },
  });
  for (const name of ['Main', 'Nested']) {
    const ended = await client.run(name);
    assert.equal(ended.status, 'Failed');
    assert.match(ended.error, /did you forget yield\?/);
  }
});

test('yielding a descriptor twice throws, and so does yielding anything else', async (t) => {
  const { ended } = await caught(t, function* (ctx) {
    const problems = [];
    const once = ctx.scheduleActivity('Echo', 1);
    yield once;
    const shared = ctx.scheduleActivity('Echo', 2);
    const twice = ctx.all([ctx.race(shared), ctx.race(shared)]);
    for (const wrong of [once, ctx.all([once]), twice, 5, null, undefined, Promise.resolve(1), revoked()]) {
      try {
        yield wrong;
      } catch (error) {
        problems.push(error.message);
      }
    }
    return problems;
  });
  assert.deepEqual(ended.output, [
    'ctx.scheduleActivity was yielded already; a descriptor acts once',
    'ctx.scheduleActivity was yielded already; a descriptor acts once',
    'ctx.scheduleActivity stands twice in what was yielded; a descriptor acts once',
    'an orchestration yields descriptors of ctx, not a number',
    'an orchestration yields descriptors of ctx, not null',
    'an orchestration yields descriptors of ctx, not undefined',
    'an orchestration yields descriptors of ctx, not a Promise',
    'an orchestration yields descriptors of ctx, not an object',
  ]);
});

for (const [what, ms] of [['negative', -1], ['NaN', NaN], ['infinite', Infinity], ['textual', '5']]) {
  test(`a ${what} timer throws a RangeError at the call, which can be caught`, async (t) => {
    const { error, ended } = await caught(t, function* (ctx) {
      return yield ctx.scheduleTimer(ms);
    });
    assert.ok(error instanceof RangeError);
    assert.match(error.message, new RegExp(`not ${ms}`));
    assert.equal(ended.status, 'Completed');
  });
}

test('a broken limit throws at the call, and nothing is written', async (t) => {
  const { error, ended } = await caught(t, function* (ctx) {
    ctx.setValue('fits', 'x'.repeat(65536));
    ctx.setValue('too big', 'x'.repeat(65537));
  });
  assert.ok(error instanceof LimitError, String(error));
  assert.equal(ended.status, 'Completed');
});

test('all and race that stand too deep in each other are refused at the call', async (t) => {
  const { error, ended } = await caught(t, function* (ctx, input) {
    let deep = ctx.scheduleActivity('Echo', 1);
    for (let depth = 0; depth < 50; depth++) deep = depth % 2 ? ctx.all([deep]) : ctx.race(deep);
    yield deep;
    ctx.all([deep]);
  });
  assert.ok(error instanceof LimitError, String(error));
  assert.match(error.message, /^ctx\.all: .* 51 deep in each other/);
  assert.equal(ended.status, 'Completed');
});

test('a name that is no text is refused at the call', async (t) => {
  for (const call of [
    (ctx) => ctx.scheduleActivity('half \ud83d'),
    (ctx) => ctx.waitForEvent('half \ud83d'),
    (ctx) => ctx.scheduleActivity('Echo').withTag('half \ud83d'),
    (ctx) => ctx.setValue('half \ud83d', ''),
  ]) {
    const { error } = await caught(t, function* (ctx) {
      yield call(ctx);
    });
    assert.ok(error instanceof TypeError, String(error));
    assert.match(error.message, /holds half of a surrogate pair: "half \\ud83d"/);
  }
});

test('an orchestration that returns no iterator fails saying so', async (t) => {
  const { client } = await started(t, {
    orchestrations: {
      Main: () => 5,
      Thenable: () => Object.defineProperty({}, 'then', { get: () => assert.fail('read') }),
      Empty: () => ({ next: () => undefined }),
      AsyncGenerator: () => (async function* () {})(),
      AsyncNext: () => ({ next: async () => ({ done: true }), throw: async () => ({ done: true }) }),
    },
  });
  assert.match((await client.run('Main')).error, /must return an iterator/);
  assert.match((await client.run('AsyncGenerator')).error, /must return an iterator/);
  assert.match((await client.run('AsyncNext')).error, /must answer \{ done, value \}, not a Promise/);
  assert.equal((await client.run('Thenable')).error, 'read');
  assert.match((await client.run('Empty')).error, /must answer \{ done, value \}, not undefined/);
});

test('an arrow function that calls a generator is an orchestration', async (t) => {
  const { client } = await started(t, {
    orchestrations: {
      Main: (ctx, input) =>
        (function* () {
          return input + 1;
        })(),
    },
  });
  assert.equal((await client.run('Main', 1)).output, 2);
});

test('what cannot be encoded fails where it was passed or returned', async (t) => {
  const cycle = {};
  cycle.self = cycle;
  const { client } = await started(t, {
    activities: { ...activities, Cycle: () => cycle },
    orchestrations: {
      Main: function* (ctx) {
        const problems = [];
        for (const value of [cycle, 10n, () => 1]) {
          try {
            yield ctx.scheduleActivity('Echo', value);
          } catch (error) {
            problems.push([error instanceof TypeError, error.message.split(':')[0]]);
          }
        }
        try {
          yield ctx.scheduleActivity('Cycle');
        } catch (error) {
          problems.push(error.message.split(':')[0]);
        }
        return problems;
      },
      Returns: function* () {
        return 10n;
      },
    },
  });
  const named = [true, "ctx.scheduleActivity('Echo')"];
  assert.deepEqual((await client.run('Main')).output, [named, named, named, "return value of activity 'Cycle'"]);
  const ended = await client.run('Returns');
  assert.match(ended.error, /^return value of orchestration 'Returns': .*BigInt/);
});

test('code that asks for something else than its history fails as nondeterministic', async (t) => {
  const { provider, client, runtime } = await started(t, {
    orchestrations: {
      Main: function* (ctx) {
        yield ctx.waitForEvent('before');
        yield ctx.waitForEvent('go');
      },
    },
  });
  await client.startOrchestration('i', 'Main');
  await client.raiseEvent('i', 'before');
  while ((await client.readExecutionHistory('i', 1)).length < 4) await new Promise(setImmediate);
  await runtime.shutdown();
  await started(t, {
    provider,
    orchestrations: {
      Main: function* (ctx) {
        yield ctx.waitForEvent('something else');
      },
    },
  });
  await client.raiseEvent('i', 'go');
  const ended = await client.waitForOrchestration('i');
  assert.deepEqual([ended.status, ended.errorDetails.code], ['Failed', 'NONDETERMINISM']);
  assert.match(ended.error, /nondeterministic/);
});

for (const [determinism, status] of [['throw', 'Failed'], ['warn', 'Completed'], ['off', 'Completed']]) {
  test(`another input than recorded: determinism '${determinism}' ends it ${status}`, async (t) => {
    const code = (input) => ({
      activities,
      orchestrations: {
        Main: function* (ctx) {
          yield ctx.scheduleActivity('Echo', input);
          ctx.setCustomStatus('echoed');
          yield ctx.waitForEvent('go');
        },
      },
    });
    const { provider, client, runtime } = await started(t, code('one'));
    await client.startOrchestration('i', 'Main');
    await client.waitForStatusChange('i', 0);
    await runtime.shutdown();
    await started(t, { provider, ...code('two'), options: { determinism } });
    await client.raiseEvent('i', 'go');
    const ended = await client.waitForOrchestration('i');
    assert.equal(ended.status, status);
    if (status === 'Failed') assert.match(ended.error, /nondeterministic/);
  });
}

test('an existing id is left alone, or reported if asked for', async (t) => {
  const { client } = await started(t, {
    orchestrations: {
      Main: function* (ctx, input) {
        return input;
      },
    },
  });
  await client.startOrchestration('i', 'Main', 1);
  await client.startOrchestration('i', 'Main', 2);
  await assert.rejects(client.startOrchestration('i', 'Main', 3, { ifExists: 'error' }), (error) => {
    return error instanceof InstanceExistsError && error.instanceId === 'i';
  });
  assert.equal(await client.waitForOrchestrationTyped('i'), 1);
});

test('an event or cancel for an unknown id is refused and stalls nothing', async (t) => {
  const { client } = await started(t, { orchestrations: { Main: function* () { return 'fine'; } } });
  for (const call of [
    () => client.raiseEvent('nobody', 'e'),
    () => client.enqueueEvent('nobody', 'q'),
    () => client.cancelOrchestration('nobody'),
    () => client.terminateOrchestration('nobody'),
  ]) {
    await assert.rejects(call(), (error) => error instanceof InstanceNotFoundError && /'nobody'/.test(error.message));
  }
  assert.equal((await client.run('Main')).output, 'fine');
  await client.raiseEvent('Main-1', 'late');
  await client.cancelOrchestration('Main-1');
  assert.equal((await client.getOrchestrationStatus('Main-1')).status, 'Completed');
  assert.equal((await client.getOrchestrationStatus('nobody')).status, 'NotFound');
});

test('a wait that takes too long says so', async (t) => {
  const { client } = await started(t);
  await assert.rejects(client.waitForOrchestration('nobody', 20), (error) => {
    return error instanceof TimeoutError && error.message === 'Operation timed out' && error.code === 'TIMEOUT';
  });
});
