// The orchestration context, call by call: who it is, children, detached starts, continue-as-new, all and race,
// values. What `patterns.test.mjs` and `define.test.mjs` show stands there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, Runtime } from 'duroxide';
import { kinds, started, until } from './helpers.mjs';
import { newStore } from './store.mjs';

const activities = {
  Echo: (ctx, input) => input,
  Mail: async (ctx) => {
    for (let n = 0; n < 2; n++) {
      await ctx.getClient().raiseEvent(ctx.instanceId, 'event', 'e');
      await ctx.getClient().enqueueEvent(ctx.instanceId, 'queue', 'q');
    }
  },
  Fail: (ctx, message) => {
    throw new Error(message);
  },
};

const children = {
  Child: function* (ctx, input) {
    return { id: ctx.instanceId, version: ctx.orchestrationVersion, input };
  },
  Broken: function* () {
    throw new RangeError('broken');
  },
};

/** The output of this code, and the client. */
async function output(t, code, more = {}) {
  const it = await started(t, { activities, orchestrations: { Main: code, ...children, ...more.orchestrations }, options: more.options });
  const ended = await it.client.run('Main', more.input);
  assert.equal(ended.status, 'Completed', ended.error);
  return { output: ended.output, ...it };
}

/** What each of these calls throws when it is made and yielded: `Name: message`. */
function* thrown(calls) {
  const told = [];
  for (const call of calls) {
    try {
      yield call();
      told.push('nothing');
    } catch (error) {
      told.push(`${error.name}: ${error.message}`);
    }
  }
  return told;
}

test('the context tells who it is, and callers may hang helpers on it', async (t) => {
  const { output: told } = await output(t, function* (ctx, n) {
    ctx.helper = () => ctx.instanceId;
    yield ctx.scheduleTimer(1);
    if (n === 1) return yield ctx.continueAsNew(2);
    return [ctx.helper(), ctx.executionId, ctx.orchestrationName, ctx.orchestrationVersion];
  }, { input: 1 });
  assert.deepEqual(told, ['Main-1', 2, 'Main', '1.0.0']);
});

test('code that is used outside of its turn is refused by the call’s name', async (t) => {
  let kept;
  const { client } = await output(t, function* (ctx) {
    kept = ctx;
    ctx.setValue('k', 'v');
    yield ctx.scheduleTimer(0);
  });
  for (const [name, call] of [
    ['ctx.setValue', () => kept.setValue('k', 'later')],
    ['ctx.setCustomStatus', () => kept.setCustomStatus('later')],
    ['ctx.isReplaying', () => kept.isReplaying],
  ]) {
    assert.throws(call, { code: 'OUTSIDE_TURN', message: new RegExp(`^${name}`) });
  }
  assert.deepEqual(await client.getKvAllValues('Main-1'), { k: 'v' });
});

test('isReplaying is true for what was recorded before and false for what is new', async (t) => {
  const seen = [];
  const Main = function* (ctx) {
    seen.push(ctx.isReplaying);
    yield ctx.waitForEvent('go');
    seen.push(ctx.isReplaying);
  };
  const { client, runtime, provider } = await started(t, { orchestrations: { Main } });
  await client.startOrchestration('i', 'Main');
  await until(async () => (await kinds(client, 'i')).includes('ExternalSubscribed'));
  await runtime.shutdown();
  await started(t, { provider, orchestrations: { Main } });
  await client.raiseEvent('i', 'go');
  await client.waitForOrchestration('i');
  assert.deepEqual(seen, [false, true, false]);
});

test('a descriptor does nothing until it is yielded, and yield and yield* give the same', async (t) => {
  const { output: told, client } = await output(t, function* (ctx) {
    ctx.scheduleActivity('Echo', 'never yielded');
    ctx.all([ctx.scheduleTimer(1), ctx.waitForEvent('never')]);
    return [yield ctx.scheduleActivity('Echo', 1), yield* ctx.scheduleActivity('Echo', 1)];
  });
  assert.deepEqual(told, [1, 1]);
  const scheduled = (await kinds(client, 'Main-1')).filter((kind) => kind !== 'ActivityCompleted');
  assert.deepEqual(scheduled, ['OrchestrationStarted', 'ActivityScheduled', 'ActivityScheduled', 'OrchestrationCompleted']);
});

test('children run under derived or given ids, in the latest or a given version', async (t) => {
  const provider = await newStore();
  const runtime = new Runtime(provider, { logLevel: 'error' });
  t.after(() => runtime.shutdown());
  for (const version of ['1.0.0', '2.0.0']) runtime.registerOrchestrationVersioned('Child', version, children.Child);
  runtime.registerOrchestration('Main', function* (ctx) {
    return [
      yield ctx.scheduleSubOrchestration('Child', 1),
      yield ctx.scheduleSubOrchestrationWithId('Child', 'given', 2),
      yield ctx.scheduleSubOrchestrationVersioned('Child', '1.0.0', 3),
      yield ctx.scheduleSubOrchestrationVersionedWithId('Child', '1.0.0', 'given too', 4),
    ];
  });
  await runtime.start();
  const client = new Client(provider);
  await client.startOrchestration('main', 'Main');
  const [first, second, third, fourth] = await client.waitForOrchestrationTyped('main');
  assert.match(first.id, /^main::sub::\d+$/);
  assert.match(third.id, /^main::sub::\d+$/);
  assert.deepEqual([second.id, fourth.id], ['given', 'given too']);
  assert.deepEqual([first, second, third, fourth].map(({ version, input }) => [version, input]), [
    ['2.0.0', 1], ['2.0.0', 2], ['1.0.0', 3], ['1.0.0', 4],
  ]);
});

test('reserved, used and empty ids of children are refused where they are given', async (t) => {
  const { output: told } = await output(t, function* (ctx) {
    yield ctx.scheduleSubOrchestrationWithId('Child', 'used');
    return yield* thrown([
      () => ctx.scheduleSubOrchestrationWithId('Child', 'sub::1'),
      () => ctx.scheduleSubOrchestrationWithId('Child', 'a::sub::b'),
      () => ctx.startOrchestration('Child', 'a::sub::b'),
      () => ctx.scheduleSubOrchestrationWithId('Child', ''),
      () => ctx.scheduleSubOrchestration(''),
      () => ctx.scheduleSubOrchestrationVersioned('Child', ''),
      () => ctx.scheduleSubOrchestrationVersionedWithId('Child', '1.0.0', 7),
      () => ctx.startOrchestrationVersioned('Child', '1.0.0', ''),
      () => ctx.scheduleSubOrchestrationWithId('Child', 'used'),
      () => ctx.scheduleSubOrchestration('Broken'),
    ]);
  });
  const reserved = told.slice(0, 3);
  for (const message of reserved) assert.match(message, /Error: .*::sub::|sub::1.*reserved/);
  assert.deepEqual(told.slice(3, 8), [
    "TypeError: ctx.scheduleSubOrchestrationWithId: the instance id must be a non-empty string, not ''",
    "TypeError: ctx.scheduleSubOrchestration: the orchestration name must be a non-empty string, or a definition, not ''",
    "TypeError: ctx.scheduleSubOrchestrationVersioned: the version must be a semver such as '1.0.0', not ''",
    'TypeError: ctx.scheduleSubOrchestrationVersionedWithId: the instance id must be a non-empty string, not 7',
    "TypeError: ctx.startOrchestrationVersioned: the instance id must be a non-empty string, not ''",
  ]);
  assert.match(told[8], /SubOrchestrationError: .*used/);
  assert.equal(told[9], 'RangeError: broken');
});

test('a detached start gives null at once, in the given version, and leaves an existing id alone', async (t) => {
  const { output: told, client } = await output(t, function* (ctx) {
    return [
      yield ctx.startOrchestration('Child', 'root', 'first'),
      yield ctx.startOrchestration('Child', 'root', 'second'),
      yield ctx.startOrchestrationVersioned('Child', '1.0.0', 'versioned', 'third'),
    ];
  });
  assert.deepEqual(told, [null, null, null]);
  assert.deepEqual(await client.waitForOrchestrationTyped('root'), { id: 'root', version: '1.0.0', input: 'first' });
  assert.equal((await client.waitForOrchestrationTyped('versioned')).input, 'third');
  assert.equal((await client.getInstanceInfo('root')).parentInstanceId, undefined);
  assert.deepEqual(await client.getInstanceTree('root'), { rootId: 'root', allIds: ['root'], size: 1 });
});

test('continueAsNew never resumes, runs no finally, and carries status, values, events and queues over', async (t) => {
  let finallyRan = 0;
  const { client } = await started(t, {
    orchestrations: {
      Main: function* (ctx, n) {
        if (n === 2) {
          const carried = [ctx.getCustomStatus(), ctx.getValue('key')];
          return [...carried, yield ctx.waitForEvent('event'), yield ctx.dequeueEvent('queue')];
        }
        ctx.setCustomStatus('set before');
        ctx.setValue('key', 'kept');
        yield ctx.waitForEvent('go');
        try {
          return yield ctx.continueAsNew(2);
        } finally {
          finallyRan += 1;
        }
      },
    },
  });
  await client.startOrchestration('i', 'Main', 1);
  await client.raiseEvent('i', 'event', 'e');
  await client.enqueueEvent('i', 'queue', 'q');
  await client.raiseEvent('i', 'go');
  assert.deepEqual(await client.waitForOrchestrationTyped('i'), ['set before', 'kept', 'e', 'q']);
  assert.equal(finallyRan, 0);
  assert.equal((await client.getOrchestrationStatus('i')).customStatusVersion, 1);
});

test('continueAsNew goes on in the latest version, continueAsNewVersioned in the given one', async (t) => {
  const provider = await newStore();
  const runtime = new Runtime(provider, { logLevel: 'error' });
  t.after(() => runtime.shutdown());
  for (const version of ['1.0.0', '2.0.0', '3.0.0']) {
    runtime.registerOrchestrationVersioned('Main', version, function* (ctx, seen) {
      const now = [...seen, version];
      if (now.length === 1) return yield ctx.continueAsNew(now);
      if (now.length === 2) return yield ctx.continueAsNewVersioned(now, '2.0.0');
      return now;
    });
  }
  await runtime.start();
  const client = new Client(provider);
  await client.startOrchestrationVersioned('i', 'Main', [], '1.0.0');
  assert.deepEqual(await client.waitForOrchestrationTyped('i'), ['1.0.0', '3.0.0', '2.0.0']);
});

test('continueAsNew inside all and race, and without a version, throws', async (t) => {
  const { output: told } = await output(t, function* (ctx) {
    return yield* thrown([
      () => ctx.all([ctx.continueAsNew()]),
      () => ctx.race(ctx.scheduleTimer(1), ctx.all([ctx.continueAsNewVersioned(1, '1.0.0')])),
      () => ctx.continueAsNewVersioned(1),
      () => ctx.continueAsNew(1n),
    ]);
  });
  const inGroup = 'ctx.continueAsNew ends the execution, it cannot be one of several tasks';
  assert.deepEqual(told.slice(0, 3), [
    `TypeError: ctx.all: ${inGroup}`,
    `TypeError: ctx.all: ${inGroup}`,
    "TypeError: ctx.continueAsNewVersioned: the version must be a semver such as '1.0.0', not undefined",
  ]);
  assert.match(told[3], /^TypeError: ctx\.continueAsNew: .*BigInt/);
});

test('better: all and race take any number of descriptors of every kind and nest freely', async (t) => {
  const { output: told } = await output(t, function* (ctx) {
    const every = () => [
      ctx.scheduleActivity('Echo', 1),
      ctx.scheduleActivityOnSession('Echo', 2, 's'),
      ctx.scheduleActivityWithRetry('Echo', 3, { maxAttempts: 1 }),
      ctx.scheduleActivityWithRetryOnSession('Echo', 4, { maxAttempts: 1 }, 's'),
      ctx.scheduleTimer(0),
      ctx.waitForEvent('event'),
      ctx.dequeueEvent('queue'),
      ctx.scheduleSubOrchestration('Child', 5),
      ctx.startOrchestration('Child', ctx.instanceId + '-detached'),
      ctx.newGuid(),
      ctx.utcNow(),
      ctx.getValueFromInstance('nobody', 'k'),
    ];
    yield ctx.scheduleActivity('Mail');
    const all = (yield ctx.all(every())).map(({ ok, err }) => err ?? typeof ok);
    const won = yield ctx.race(...every());
    const one = yield ctx.race(ctx.all([ctx.race(ctx.all([ctx.scheduleActivity('Echo', 'deep')]))]));
    return [all, won.index >= 0, one, yield ctx.all([])];
  });
  assert.deepEqual(told, [
    ['number', 'number', 'number', 'number', 'object', 'string', 'string', 'object', 'object', 'string', 'number', 'object'],
    true,
    { index: 0, value: [{ ok: { index: 0, value: [{ ok: 'deep' }] } }] },
    [],
  ]);
});

test('all and race refuse what is no descriptor, and a race of nothing', async (t) => {
  const { output: told } = await output(t, function* (ctx) {
    return yield* thrown([
      () => ctx.race(),
      () => ctx.all(ctx.scheduleTimer(1)),
      () => ctx.all([1]),
      () => ctx.race(ctx.scheduleTimer(1), Promise.resolve()),
    ]);
  });
  assert.deepEqual(told, [
    'TypeError: ctx.race: at least one task is needed',
    'TypeError: ctx.all: the tasks must be an array of descriptors',
    'TypeError: ctx.all: every task must be a descriptor of ctx',
    'TypeError: ctx.race: every task must be a descriptor of ctx',
  ]);
});

test('an element of all reads as its value in every primitive context, and its error is not enumerable', async (t) => {
  const { output: told } = await output(t, function* (ctx) {
    const [number, text, object, timer, failed] = yield ctx.all([
      ctx.scheduleActivity('Echo', 20),
      ctx.scheduleActivity('Echo', 'x'),
      ctx.scheduleActivity('Echo', { a: [1] }),
      ctx.scheduleTimer(0),
      ctx.scheduleActivity('Fail', 'no'),
    ]);
    return {
      template: `${number},${text},${object},${timer},${failed}`,
      sum: number + 1,
      joined: [text, failed].join('+'),
      keys: [number, failed].map((element) => Object.keys(element)),
      json: JSON.stringify([number, timer, failed]),
      error: [failed.error.name, failed.error.code, failed.error.activityName],
    };
  });
  assert.deepEqual(told, {
    template: '20,x,{"a":[1]},null,no',
    sum: 21,
    joined: 'x+no',
    keys: [['ok'], ['err']],
    json: '[{"ok":20},{"ok":null},{"err":"no"}]',
    error: ['Error', 'ACTIVITY_FAILED', 'Fail'],
  });
});
