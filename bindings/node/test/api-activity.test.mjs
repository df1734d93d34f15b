// The activity context, field by field, and how activities end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ActivityContext, ActivityError, Client, Runtime } from 'duroxide';
import { started } from './helpers.mjs';
import { newStore } from './store.mjs';

const facts = (ctx) => ({
  instanceId: ctx.instanceId,
  executionId: ctx.executionId,
  orchestrationName: ctx.orchestrationName,
  orchestrationVersion: ctx.orchestrationVersion,
  activityName: ctx.activityName,
  activityId: ctx.activityId,
  attempt: ctx.attempt,
  workerId: ctx.workerId,
  sessionId: ctx.sessionId,
  tag: ctx.tag(),
  isCancelled: ctx.isCancelled(),
  aborted: ctx.signal.aborted,
});

test('an activity knows who asked for it, who it is, and where it runs', async (t) => {
  const provider = await newStore();
  t.after(() => provider.close());
  const runtime = new Runtime(provider, { logLevel: 'error', workerNodeId: 'pod-7', workerTagFilter: 'any' });
  runtime.registerActivity('Facts', facts);
  runtime.registerOrchestrationVersioned('Main', '1.2.3', function* (ctx, n) {
    if (n === 1) return yield ctx.continueAsNew(2);
    return [
      yield ctx.scheduleActivity('Facts'),
      yield ctx.scheduleActivity('Facts', null, { sessionId: 's', tag: 't' }),
    ];
  });
  await runtime.start();
  t.after(() => runtime.shutdown());
  const client = new Client(provider);
  await client.startOrchestration('i', 'Main', 1);
  const [plain, routed] = await client.waitForOrchestrationTyped('i');
  const scheduled = (await client.readExecutionHistory('i', 2)).filter(({ kind }) => kind === 'ActivityScheduled');
  assert.deepEqual(plain, {
    instanceId: 'i',
    executionId: 2,
    orchestrationName: 'Main',
    orchestrationVersion: '1.2.3',
    activityName: 'Facts',
    activityId: scheduled[0].eventId,
    attempt: 1,
    workerId: 'pod-7',
    sessionId: null,
    tag: null,
    isCancelled: false,
    aborted: false,
  });
  assert.deepEqual(routed, { ...plain, activityId: scheduled[1].eventId, sessionId: 's', tag: 't' });
});

test('without a workerNodeId every Runtime has a worker id of its own', async (t) => {
  const ids = [];
  for (let n = 0; n < 2; n++) {
    const { client } = await started(t, {
      activities: { Who: (ctx) => ctx.workerId },
      orchestrations: { Main: function* (ctx) { return [yield ctx.scheduleActivity('Who'), yield ctx.scheduleActivity('Who')]; } },
    });
    const { output } = await client.run('Main');
    assert.equal(output[0], output[1]);
    ids.push(output[0]);
  }
  assert.notEqual(ids[0], ids[1]);
  for (const id of ids) assert.ok(typeof id === 'string' && id.length > 0);
});

test('nobody but the engine makes a context, and its facts are no methods', async (t) => {
  const { client } = await started(t, {
    activities: { Same: (ctx) => [ctx instanceof ActivityContext, ctx.signal === ctx.signal, typeof ctx.tag] },
    orchestrations: { Main: function* (ctx) { return yield ctx.scheduleActivity('Same'); } },
  });
  assert.deepEqual((await client.run('Main')).output, [true, true, 'function']);
});

test('activities are sync or async functions, and undefined arrives as null', async (t) => {
  const { client } = await started(t, {
    activities: { Sync: (ctx, input) => [input], Async: async (ctx, input) => [input], Nothing: () => undefined },
    orchestrations: {
      Main: function* (ctx) {
        return [yield ctx.scheduleActivity('Sync'), yield ctx.scheduleActivity('Async', undefined), yield ctx.scheduleActivity('Nothing')];
      },
    },
  });
  assert.deepEqual((await client.run('Main')).output, [[null], [null], null]);
});

test('an activity’s client starts, sends and reads on the store of its Runtime', async (t) => {
  const { client } = await started(t, {
    activities: {
      Uses: async (ctx) => {
        const own = ctx.getClient();
        await own.startOrchestration('started', 'Child', 'x');
        await own.raiseEvent(ctx.instanceId, 'told', (await own.waitForOrchestration('started')).output);
        await own.raiseEvent('nobody', 'x');
      },
    },
    orchestrations: {
      Child: function* (ctx, input) { return input; },
      Main: function* (ctx) {
        const [{ error }] = yield ctx.all([ctx.scheduleActivity('Uses')]);
        return [yield ctx.waitForEvent('told'), error instanceof ActivityError, error.name];
      },
    },
  });
  assert.deepEqual((await client.run('Main')).output, ['x', true, 'InstanceNotFoundError']);
});

test('values are JSON, encoded once: a string stays a string, a Date becomes one', async (t) => {
  const { client } = await started(t, {
    activities: { Echo: (ctx, input) => input },
    orchestrations: {
      Main: function* (ctx, input) {
        ctx.setCustomStatus('waiting');
        return [input, yield ctx.scheduleActivity('Echo', input), yield ctx.waitForEvent('e'), yield ctx.dequeueEvent('q')];
      },
    },
  });
  for (const [n, given] of ['42', '{"a":1}', 'null', '"', new Date(0), [undefined], undefined].entries()) {
    const made = JSON.parse(JSON.stringify(given ?? null));
    await client.startOrchestration(`i${n}`, 'Main', given);
    await client.raiseEvent(`i${n}`, 'e', given);
    await client.enqueueEvent(`i${n}`, 'q', given);
    assert.deepEqual(await client.waitForOrchestrationTyped(`i${n}`), [made, made, made, made]);
  }
});
