// Definitions: declared once, taken by every call as their names are. Their types are tested in
// types.test.mjs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, OrchestrationContext, Runtime, defineActivity, defineOrchestration } from 'duroxide';
import { replay } from 'duroxide/testing';
import { newStore } from './store.mjs';

const policy = { maxAttempts: 1 };
const Double = defineActivity('Double', (ctx, n) => n * 2);
const Where = defineActivity('Where', (ctx) => [ctx.sessionId, ctx.tag()]);
const Child = defineOrchestration('Child', function* (ctx, n) {
  return [ctx.orchestrationVersion, ctx.instanceId, yield* ctx.scheduleActivity(Double, n)];
});
const Newer = defineOrchestration('Child', function* (ctx, n) {
  return [ctx.orchestrationVersion, ctx.instanceId, n];
}, { version: '1.2.0' });

/** A Runtime with these definitions, and a Client. */
async function running(t, { activities = [Double, Where], orchestrations = [], options } = {}) {
  const provider = await newStore();
  const runtime = new Runtime(provider, { logLevel: 'error', ...options });
  for (const activity of activities) runtime.registerActivity(activity);
  for (const orchestration of orchestrations) runtime.registerOrchestration(orchestration);
  await runtime.start();
  t.after(async () => {
    await runtime.shutdown();
    await provider.close();
  });
  return new Client(provider);
}

test('a definition has its name, version and code, and its code can be called directly', () => {
  assert.deepEqual([Double.name, Double.code({}, 4)], ['Double', 8]);
  assert.deepEqual([Child.name, Child.version, Newer.version], ['Child', '1.0.0', '1.2.0']);
});

test('every activity call takes a definition', async (t) => {
  const Main = defineOrchestration('Main', function* (ctx, n) {
    return [
      yield ctx.scheduleActivity(Double, n),
      yield* ctx.scheduleActivityTyped(Double, n),
      yield* ctx.scheduleActivityOnSession(Where, null, 's'),
      yield* ctx.scheduleActivityWithRetry(Double, n, policy),
      yield* ctx.scheduleActivityWithRetryOnSession(Where, null, policy, 'r'),
      yield* ctx.scheduleActivity(Where, undefined, { sessionId: 't' }),
      yield* ctx.scheduleActivity(Where).withTag('gpu'),
    ];
  });
  const client = await running(t, { orchestrations: [Main], options: { workerTagFilter: { defaultAnd: ['gpu'] } } });
  await client.startOrchestration('i', Main, 3);
  assert.deepEqual(await client.waitForOrchestrationTyped('i', Main), [6, 6, ['s', null], 6, ['r', null], ['t', null], [null, 'gpu']]);
});

test('every child call and every detached start takes a definition', async (t) => {
  const Main = defineOrchestration('Main', function* (ctx, n) {
    yield* ctx.startOrchestration(Child, 'detached', n);
    yield* ctx.startOrchestrationVersioned(Newer, Child.version, 'detached-old', n);
    return [
      yield* ctx.scheduleSubOrchestrationWithId(Child, 'a', n),
      yield* ctx.scheduleSubOrchestrationVersionedWithId(Newer, Child.version, 'b', n),
      (yield* ctx.scheduleSubOrchestration(Child, n))[0],
      (yield* ctx.scheduleSubOrchestrationVersioned(Newer, Child.version, n))[0],
    ];
  });
  const client = await running(t, { orchestrations: [Main, Child, Newer] });
  await client.startOrchestration('i', Main, 3);
  assert.deepEqual(await client.waitForOrchestrationTyped('i', Main), [['1.2.0', 'a', 3], ['1.0.0', 'b', 6], '1.2.0', '1.0.0']);
  assert.deepEqual((await client.waitForOrchestration('detached', Newer)).output, ['1.2.0', 'detached', 3]);
  assert.deepEqual((await client.waitForOrchestration('detached-old', Newer)).output, ['1.0.0', 'detached-old', 6]);
});

test('a definition with a version is started in the latest one, unless a call names it', async (t) => {
  const Latest = defineOrchestration('Child', function* () { return 'latest'; }, { version: '2.0.0' });
  const client = await running(t, { orchestrations: [Child, Newer, Latest] });
  await client.startOrchestration('unnamed', Newer, 1);
  await client.startOrchestrationVersioned('newer', Newer, 1, Newer.version);
  await client.startOrchestrationVersioned('given', Newer, 1, Child.version);
  assert.equal(await client.waitForOrchestrationTyped('unnamed', Newer), 'latest');
  assert.deepEqual(await client.waitForOrchestrationTyped('newer', Newer), ['1.2.0', 'newer', 1]);
  assert.deepEqual(await client.waitForOrchestrationTyped('given', Newer), ['1.0.0', 'given', 2]);
  assert.equal((await client.getOrchestrationStatus('newer', Newer)).status, 'Completed');
});

test('what a parent recorded fits, whatever version the definition of its child has since', async (t) => {
  const parent = (child) => defineOrchestration('Parent', function* (ctx) {
    yield* ctx.startOrchestration(child, 'apart', 1);
    return (yield* ctx.scheduleSubOrchestration(child, 1))[0];
  });
  const client = await running(t, { orchestrations: [parent(Child), Child] });
  await client.startOrchestration('p', parent(Child));
  assert.equal(await client.waitForOrchestrationTyped('p', parent(Child)), '1.0.0');
  const history = await client.readExecutionHistory('p', 1);
  const { compatible, remarks } = replay(history, parent(Newer));
  assert.deepEqual([compatible, remarks], [true, []]);
});

test('continue-as-new goes on in the latest version', async (t) => {
  const again = function* (ctx, n) {
    return n > 0 ? yield* ctx.continueAsNew(n - 1) : ctx.orchestrationVersion;
  };
  const First = defineOrchestration('Again', again);
  const client = await running(t, { orchestrations: [First, defineOrchestration('Again', again, { version: '3.0.0' })] });
  await client.startOrchestrationVersioned('i', First, 1, First.version);
  assert.equal(await client.waitForOrchestrationTyped('i', First), '3.0.0');
});

test('a wait that is given a definition keeps its time-out', async (t) => {
  const client = await running(t);
  await assert.rejects(client.waitForOrchestration('none', Child, 5), { name: 'TimeoutError', message: 'Operation timed out' });
  await assert.rejects(client.waitForOrchestrationTyped('none', Child, 5), { name: 'TimeoutError' });
  await assert.rejects(client.waitForOrchestration('none', Child, 'soon'), /waitForOrchestration: the time-out must be/);
  await assert.rejects(client.waitForOrchestrationTyped('none', Double), /waitForOrchestrationTyped: the time-out must be .*not an object/);
});

test('a wrong definition is refused where it is made', () => {
  const generator = function* () {};
  for (const [make, message] of [
    [() => defineActivity('', () => 1), "defineActivity: the name of the activity must be a non-empty string, not ''"],
    [() => defineActivity('A', 5), "defineActivity: activity 'A' must be a function, not number"],
    [() => defineOrchestration(7, generator), 'defineOrchestration: the name of the orchestration must be a non-empty string, not 7'],
    [() => defineOrchestration('A', async () => {}), /'A' must be a generator function/],
    [() => defineOrchestration('A', generator, { version: '1.0' }), /must be a semver such as '1\.0\.0', not '1\.0'/],
    [() => defineOrchestration('A', generator, { vresion: '1.0.0' }), /unknown option 'vresion'; did you mean 'version'/],
  ]) {
    assert.throws(make, { name: 'TypeError', message });
  }
});

test('a definition in the wrong place, or a version that is none, is refused at the call', async (t) => {
  const seen = [];
  const Main = defineOrchestration('Main', function* (ctx) {
    for (const call of [
      () => ctx.scheduleActivity(Child, 1),
      () => ctx.scheduleSubOrchestration(Double, 1),
      () => ctx.startOrchestration({ name: 'Child' }, 'id', 1),
      () => ctx.scheduleSubOrchestrationVersioned(Child, 'newest', 1),
    ]) {
      try {
        yield call();
      } catch (error) {
        seen.push(`${error.name}: ${error.message}`);
      }
    }
  });
  const client = await running(t, { orchestrations: [Main] });
  await client.startOrchestration('i', Main);
  assert.equal((await client.waitForOrchestration('i', Main)).status, 'Completed');
  assert.deepEqual(seen, [
    "TypeError: ctx.scheduleActivity: 'Child' is the definition of an orchestration, not of an activity",
    "TypeError: ctx.scheduleSubOrchestration: 'Double' is the definition of an activity, not of an orchestration",
    'TypeError: ctx.startOrchestration: the orchestration name must be a non-empty string, or a definition, not an object',
    "TypeError: ctx.scheduleSubOrchestrationVersioned: the version must be a semver such as '1.0.0', not 'newest'",
  ]);
  await assert.rejects(client.startOrchestration('j', Double, 1), /client\.startOrchestration: 'Double' is the definition of an activity/);
});

test('a definition is registered once, before the start', async (t) => {
  const provider = await newStore();
  t.after(() => provider.close());
  const runtime = new Runtime(provider, { logLevel: 'error' });
  runtime.registerActivityTyped(Double);
  runtime.registerOrchestrationTyped(Newer);
  assert.throws(() => runtime.registerActivity(Double), { code: 'DUPLICATE_REGISTRATION', message: /activity 'Double'/ });
  assert.throws(() => runtime.registerOrchestration(Newer), { code: 'DUPLICATE_REGISTRATION', message: /'Child' version 1\.2\.0/ });
  assert.throws(() => runtime.registerActivity(Child), { name: 'TypeError', message: /name of the activity must be .*not an object/ });
  await runtime.start();
  t.after(() => runtime.shutdown());
  assert.throws(() => runtime.registerOrchestration(Child), { code: 'RUNTIME_STATE', message: /'Child' must be registered before start/ });
});

test('ctx is an ordinary object: helpers can be hung on it', async (t) => {
  const Main = defineOrchestration('Main', function* (ctx) {
    assert.ok(ctx instanceof OrchestrationContext);
    ctx.twice = (n) => ctx.scheduleActivity(Double, n);
    return [yield ctx.twice(2), Object.keys(ctx).includes('twice')];
  });
  const client = await running(t, { orchestrations: [Main] });
  await client.startOrchestration('i', Main);
  assert.deepEqual(await client.waitForOrchestrationTyped('i', Main), [4, true]);
});

test('every call that gives a descriptor has a Typed twin, which is the same function', () => {
  const { prototype } = OrchestrationContext;
  const calls = [
    'scheduleActivity', 'scheduleActivityOnSession', 'scheduleActivityWithRetry', 'scheduleActivityWithRetryOnSession',
    'scheduleTimer', 'waitForEvent', 'dequeueEvent', 'scheduleSubOrchestration', 'scheduleSubOrchestrationWithId',
    'scheduleSubOrchestrationVersioned', 'scheduleSubOrchestrationVersionedWithId', 'startOrchestration',
    'startOrchestrationVersioned', 'continueAsNew', 'continueAsNewVersioned', 'all', 'race', 'newGuid', 'utcNow',
    'getValueFromInstance',
  ];
  for (const call of calls) assert.equal(typeof prototype[call] === 'function' && prototype[`${call}Typed`], prototype[call], call);
  for (const call of ['startOrchestration', 'startOrchestrationVersioned', 'raiseEvent', 'enqueueEvent']) {
    assert.equal(Client.prototype[`${call}Typed`], Client.prototype[call], call);
  }
  for (const call of ['registerActivity', 'registerOrchestration', 'registerOrchestrationVersioned']) {
    assert.equal(Runtime.prototype[`${call}Typed`], Runtime.prototype[call], call);
  }
});
