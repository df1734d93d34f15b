// The history kinds and their data, each from a run that records it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replay } from 'duroxide/testing';
import { started, until } from './helpers.mjs';

// What only a replay needs, and what each run has anew.
const INTERNAL = ['nonce', 'flags', 'instanceId', 'executionId', 'details', 'mailId', 'delayMs', 'version', 'errorName', 'source', 'cause'];

/** The data of an event without what is internal. */
function told({ data }) {
  if (data === undefined) return undefined;
  const value = JSON.parse(data);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => !INTERNAL.includes(name)));
}

const Main = function* (ctx, n) {
  if (n === 2) {
    try {
      yield ctx.all([ctx.scheduleActivity('Hang'), ctx.scheduleSubOrchestrationWithId('Waits', 'second child')]);
    } finally {
      ctx.clearValue('k');
      ctx.clearAllValues();
    }
  }
  yield ctx.all([ctx.scheduleActivity('Echo', { a: 1 }, { sessionId: 's', tag: 't' }), ctx.scheduleActivity('Fail', 'x')]);
  yield ctx.scheduleTimer(1);
  yield ctx.waitForEvent('event');
  yield ctx.dequeueEvent('queue');
  yield ctx.scheduleSubOrchestrationWithId('Waits', 'child', 'now');
  yield ctx.all([ctx.scheduleSubOrchestration('Broken')]);
  yield ctx.startOrchestration('Waits', 'detached', 'now');
  ctx.setCustomStatus('status');
  ctx.setValue('k', 'v');
  yield ctx.race(ctx.scheduleActivity('Hang'), ctx.scheduleSubOrchestration('Waits'), ctx.scheduleTimer(3_600_000), ctx.waitForEvent('never'), ctx.scheduleTimer(1));
  yield ctx.continueAsNew(2);
};

const orchestrations = {
  Main,
  Waits: function* (ctx, input) {
    return input === 'now' ? { waited: false } : yield ctx.waitForEvent('never');
  },
  Broken: function* () {
    throw new RangeError('broken');
  },
};

/** Both executions of an instance that does everything, is cancelled in the second. */
async function histories(t) {
  const { client } = await started(t, {
    options: { workerTagFilter: 'any' },
    activities: {
      Echo: (ctx, input) => input,
      Fail: () => {
        throw new TypeError('failed');
      },
      Hang: (ctx) => new Promise((resolve) => ctx.signal.addEventListener('abort', resolve)),
    },
    orchestrations,
  });
  await client.startOrchestration('i', 'Main', 1);
  await client.raiseEvent('i', 'event', [1]);
  await client.enqueueEvent('i', 'queue', 'text');
  await until(async () => (await client.readExecutionHistory('i', 2)).some(({ kind }) => kind === 'SubOrchestrationScheduled'));
  await client.cancelOrchestration('i', 'enough');
  await client.waitForOrchestration('i');
  return { client, first: await client.readExecutionHistory('i', 1), second: await client.readExecutionHistory('i', 2) };
}

/** The event of this kind, and that event's source if it has one. */
function one(history, kind, where = () => true) {
  const event = history.find((each) => each.kind === kind && where(told(each)));
  assert.ok(event, `${kind} is not in ${history.map((each) => each.kind)}`);
  return { data: told(event), source: history.find(({ eventId }) => eventId === event.sourceEventId)?.kind };
}

test('every kind is recorded with its data, and a completion names the event that scheduled it', async (t) => {
  const { client, first, second } = await histories(t);
  for (const [history, kind, data, source, where] of [
    [first, 'OrchestrationStarted', { name: 'Main', input: 1 }],
    [first, 'ActivityScheduled', { name: 'Echo', input: { a: 1 }, sessionId: 's', tag: 't' }],
    [first, 'ActivityCompleted', { a: 1 }, 'ActivityScheduled'],
    [first, 'ActivityFailed', { name: 'Fail', message: 'failed', attempt: 1, kind: 'application' }, 'ActivityScheduled'],
    [first, 'ActivityCancelRequested', undefined, 'ActivityScheduled'],
    [first, 'ExternalSubscribed', { name: 'event' }],
    [first, 'ExternalEvent', { name: 'event', data: [1] }, 'ExternalSubscribed'],
    [first, 'QueueSubscribed', { name: 'queue' }],
    [first, 'QueueEventDelivered', { name: 'queue', data: 'text' }, 'QueueSubscribed'],
    [first, 'SubOrchestrationScheduled', { name: 'Waits', instance: 'child', input: 'now' }],
    [first, 'SubOrchestrationCompleted', { waited: false }, 'SubOrchestrationScheduled'],
    [first, 'OrchestrationChained', { name: 'Waits', instance: 'detached', input: 'now' }],
    [first, 'CustomStatusUpdated', 'status'],
    [first, 'KeyValueSet', { key: 'k', value: 'v' }],
    [first, 'OrchestrationContinuedAsNew', { input: 2 }],
    [second, 'OrchestrationStarted', { name: 'Main', input: 2 }],
    [second, 'OrchestrationCancelRequested', { reason: 'enough' }],
    [second, 'KeyValueCleared', { key: 'k' }],
    [second, 'OrchestrationFailed', { kind: 'cancelled', message: 'canceled: enough', name: 'CancelledError' }],
  ]) {
    assert.deepEqual(one(history, kind, where), { data, source }, kind);
  }
  const cancelled = one(first, 'SubOrchestrationCancelRequested');
  assert.match(cancelled.data.instance, /^i::sub::\d+$/);
  assert.equal(cancelled.source, 'SubOrchestrationScheduled');
  const failed = one(first, 'SubOrchestrationFailed');
  assert.deepEqual([failed.data.name, failed.data.message, failed.data.kind, failed.source], ['Broken', 'broken', 'application', 'SubOrchestrationScheduled']);
  const { fireAtMs } = one(first, 'TimerCreated').data;
  assert.ok(fireAtMs > 1.6e12, String(fireAtMs));
  // The store counts from its commit, the orchestration from its activation: never early.
  const fired = one(first, 'TimerFired');
  assert.ok(fired.data.fireAtMs >= fireAtMs, `${fired.data.fireAtMs} < ${fireAtMs}`);
  assert.equal(fired.source, 'TimerCreated');
  const child = await client.readExecutionHistory('child', 1);
  assert.deepEqual(JSON.parse(child[0].data).parent.instance, 'i');
  assert.deepEqual(told(child.at(-1)), { waited: false });
  assert.equal(child.at(-1).kind, 'OrchestrationCompleted');
});

test('events are numbered from 1 without gaps, timed in order, and their data is JSON text or absent', async (t) => {
  const { first, second } = await histories(t);
  for (const history of [first, second]) {
    assert.deepEqual(history.map(({ eventId }) => eventId), history.map((_, index) => index + 1));
    for (const [index, { timestampMs, data, sourceEventId, eventId }] of history.entries()) {
      assert.ok(timestampMs >= (history[index - 1]?.timestampMs ?? 1.6e12));
      if (data !== undefined) assert.doesNotThrow(() => JSON.parse(data));
      assert.ok(sourceEventId === undefined || sourceEventId < eventId);
    }
  }
});

test('both executions replay against the code that wrote them', async (t) => {
  const { first, second } = await histories(t);
  for (const [history, options] of [[first], [second, { customStatus: 'status', values: { k: 'v' } }]]) {
    const result = replay(history, orchestrations, options);
    assert.equal(result.compatible, true, result.message);
    assert.deepEqual(result.remarks, []);
  }
});

test('a row of an unknown kind, without its data or with broken data is no history', async (t) => {
  const { first } = await histories(t);
  const changed = (kind, change) => first.map((event) => (event.kind === kind ? { ...event, ...change } : event));
  for (const kind of new Set(first.map((event) => event.kind))) {
    assert.throws(() => replay(changed(kind, { kind: 'SomethingElse' }), orchestrations), { code: 'MALFORMED_HISTORY' }, kind);
    if (first.find((event) => event.kind === kind).data === undefined) continue;
    assert.throws(() => replay(changed(kind, { data: '{' }), orchestrations), { code: 'MALFORMED_HISTORY' }, kind);
  }
  assert.throws(() => replay(first.slice(1), orchestrations), { code: 'MALFORMED_HISTORY' });
});

test('a completion that names no event, or one that nobody scheduled, is no history', async (t) => {
  const { first } = await histories(t);
  for (const sourceEventId of [undefined, 1, 9_999]) {
    const rows = first.map((event) => (event.kind === 'TimerFired' ? { ...event, sourceEventId } : event));
    assert.throws(() => replay(rows, orchestrations), { code: 'MALFORMED_HISTORY' }, String(sourceEventId));
  }
});
