// The Client, call by call: reads, counts, lists, deleting and pruning.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { started, until } from './helpers.mjs';

const NOBODY = 'nobody';

/** A parent with a child, a chain of three executions, one that waits, one that failed, one that was stopped. */
async function world(t) {
  const it = await started(t, {
    activities: { Echo: (ctx, input) => input },
    orchestrations: {
      Parent: function* (ctx) {
        ctx.setValue('k', '12345');
        return yield ctx.scheduleSubOrchestrationWithId('Child', 'child');
      },
      Child: function* (ctx) {
        return yield ctx.scheduleActivity('Echo', 'kept');
      },
      Chain: function* (ctx, n) {
        yield ctx.scheduleActivity('Echo', n);
        if (n < 3) yield ctx.continueAsNew(n + 1);
        return n;
      },
      Waits: function* (ctx) {
        ctx.setCustomStatus('waiting');
        yield ctx.waitForEvent('go');
      },
      Fails: function* () {
        throw new Error('no');
      },
    },
  });
  const { client } = it;
  const before = Date.now();
  await client.startOrchestration('parent', 'Parent');
  await client.startOrchestration('chain', 'Chain', 1);
  await client.startOrchestration('fails', 'Fails');
  await client.startOrchestration('stopped', 'Waits');
  await client.startOrchestration('waits', 'Waits');
  for (const id of ['waits', 'stopped']) await client.waitForStatusChange(id, 0);
  await client.terminateOrchestration('stopped', 'stop');
  for (const id of ['parent', 'chain', 'fails', 'stopped']) await client.waitForOrchestration(id);
  return { ...it, before };
}

test('lists by status hold each instance once, and a wrong status is refused', async (t) => {
  const { client } = await world(t);
  assert.deepEqual(await client.listAllInstances(), ['chain', 'child', 'fails', 'parent', 'stopped', 'waits']);
  for (const [status, ids] of [
    ['Running', ['waits']],
    ['Completed', ['chain', 'child', 'parent']],
    ['Failed', ['fails']],
    ['Terminated', ['stopped']],
  ]) {
    assert.deepEqual(await client.listInstancesByStatus(status), ids);
  }
  for (const wrong of ['running', 'NotFound', undefined]) await assert.rejects(client.listInstancesByStatus(wrong), TypeError);
});

test('metrics, depths and stats count what is in the store', async (t) => {
  const { client } = await world(t);
  const metrics = await client.getSystemMetrics();
  let events = 0;
  for (const id of await client.listAllInstances()) {
    for (const execution of await client.listExecutions(id)) events += (await client.readExecutionHistory(id, execution)).length;
  }
  assert.deepEqual(metrics, {
    totalInstances: 6,
    totalExecutions: 8,
    runningInstances: 1,
    completedInstances: 3,
    failedInstances: 1,
    terminatedInstances: 1,
    totalEvents: events,
  });
  assert.deepEqual(await client.getQueueDepths(), { orchestratorQueue: 0, workerQueue: 0, timerQueue: 0 });
  await client.enqueueEvent('waits', 'later', 'x');
  const { historySizeBytes, ...stats } = await client.getOrchestrationStats('waits');
  assert.ok(historySizeBytes > 0);
  assert.deepEqual(stats, { historyEventCount: 3, queuePendingCount: 1, kvUserKeyCount: 0, kvTotalValueBytes: 0 });
  const { kvUserKeyCount, kvTotalValueBytes } = await client.getOrchestrationStats('parent');
  assert.deepEqual([kvUserKeyCount, kvTotalValueBytes], [1, 5]);
});

test('depths count work that nobody takes, and timers that are not due', async (t) => {
  const { client } = await started(t, {
    options: { workerConcurrency: 0 },
    orchestrations: {
      Main: function* (ctx) {
        yield ctx.all([ctx.scheduleActivity('A'), ctx.scheduleActivity('B'), ctx.scheduleTimer(3_600_000)]);
      },
    },
  });
  await client.startOrchestration('i', 'Main');
  await client.startOrchestration('stranger', 'Nobody has this');
  await until(async () => (await client.getQueueDepths()).workerQueue === 2);
  assert.deepEqual(await client.getQueueDepths(), { orchestratorQueue: 1, workerQueue: 2, timerQueue: 1 });
});

test('infos have real times in milliseconds, the parent, output or error', async (t) => {
  const { client, before } = await world(t);
  const now = Date.now();
  const infos = {};
  for (const id of await client.listAllInstances()) {
    const { createdAt, updatedAt, ...info } = await client.getInstanceInfo(id);
    assert.ok(createdAt >= before - 1_000 && updatedAt >= createdAt && updatedAt <= now + 1_000, `${id}: ${createdAt}, ${updatedAt}`);
    infos[id] = info;
  }
  const common = { orchestrationVersion: '1.0.0', currentExecutionId: 1 };
  assert.deepEqual(infos.child, { ...common, instanceId: 'child', orchestrationName: 'Child', status: 'Completed', output: 'kept', parentInstanceId: 'parent' });
  assert.deepEqual(infos.fails, { ...common, instanceId: 'fails', orchestrationName: 'Fails', status: 'Failed', error: 'no' });
  assert.deepEqual(infos.stopped, { ...common, instanceId: 'stopped', orchestrationName: 'Waits', status: 'Terminated', error: 'stop' });
  assert.deepEqual([infos.chain.currentExecutionId, infos.chain.output], [3, 3]);
  assert.deepEqual(await client.listExecutions('chain'), [1, 2, 3]);
  const { startedAt, completedAt, ...first } = await client.getExecutionInfo('chain', 1);
  assert.ok(startedAt >= before - 1_000 && completedAt >= startedAt);
  assert.deepEqual(first, { executionId: 1, status: 'ContinuedAsNew', eventCount: 4 });
  const running = await client.getExecutionInfo('waits', 1);
  assert.deepEqual([running.status, running.completedAt, running.output], ['Running', undefined, undefined]);
  assert.deepEqual((await client.getExecutionInfo('fails', 1)).error, 'no');
  assert.deepEqual(await client.getInstanceTree('child'), { rootId: 'parent', allIds: ['parent', 'child'], size: 2 });
});

test('reads of an unknown id give null or nothing, those of a wrong one are refused', async (t) => {
  const { client } = await world(t);
  for (const call of ['getInstanceInfo', 'getInstanceTree', 'getOrchestrationStats']) assert.equal(await client[call](NOBODY), null, call);
  assert.equal(await client.getExecutionInfo(NOBODY, 1), null);
  assert.equal(await client.getExecutionInfo('waits', 2), null);
  assert.equal(await client.getValue(NOBODY, 'k'), null);
  assert.deepEqual(await client.getKvAllValues(NOBODY), {});
  assert.deepEqual(await client.listExecutions(NOBODY), []);
  assert.deepEqual(await client.readExecutionHistory(NOBODY, 1), []);
  assert.deepEqual(await client.readExecutionHistory('waits', 2), []);
  for (const call of ['getInstanceInfo', 'getInstanceTree', 'getOrchestrationStats', 'listExecutions', 'getKvAllValues', 'deleteInstance', 'pruneExecutions']) {
    await assert.rejects(client[call](''), { name: 'TypeError', message: new RegExp(`client\\.${call}: the instance id`) });
  }
  for (const call of ['getExecutionInfo', 'readExecutionHistory']) {
    await assert.rejects(client[call]('waits', 'first'), { name: 'TypeError', message: new RegExp(`client\\.${call}: the execution`) });
  }
});

test('a deletion tells what it removed: the tree of a root, never a child alone, a running one only with force', async (t) => {
  const { client } = await world(t);
  await client.enqueueEvent('waits', 'later', 'x');
  await assert.rejects(client.deleteInstance('waits'), /still running\. Use force=true/);
  await assert.rejects(client.deleteInstance('waits', false), /still running/);
  await assert.rejects(client.deleteInstance('child', true), /parent/);
  await assert.rejects(client.deleteInstance(NOBODY), { code: 'INSTANCE_NOT_FOUND' });
  await assert.rejects(client.deleteInstance('waits', 'yes'), { name: 'TypeError', message: /force/ });
  await assert.rejects(client.deleteInstance('waits', { forced: true }), /did you mean 'force'/);
  const eventsOf = async (id) => (await client.getExecutionInfo(id, 1)).eventCount;
  const events = (await eventsOf('parent')) + (await eventsOf('child'));
  assert.deepEqual(await client.deleteInstance('parent'), { instancesDeleted: 2, executionsDeleted: 2, eventsDeleted: events, queueMessagesDeleted: 0 });
  assert.deepEqual(await client.deleteInstance('waits', true), { instancesDeleted: 1, executionsDeleted: 1, eventsDeleted: 3, queueMessagesDeleted: 1 });
  assert.equal((await client.deleteInstance('chain', { force: false })).executionsDeleted, 3);
  assert.deepEqual(await client.listAllInstances(), ['fails', 'stopped']);
});

test('a bulk deletion takes the ended roots that the filter selects', async (t) => {
  const { client } = await world(t);
  const none = { instancesDeleted: 0, executionsDeleted: 0, eventsDeleted: 0, queueMessagesDeleted: 0 };
  assert.deepEqual(await client.deleteInstanceBulk({ completedBefore: 1 }), none);
  assert.deepEqual(await client.deleteInstanceBulk({ instanceIds: [NOBODY, 'waits', 'child'] }), none);
  assert.equal((await client.deleteInstanceBulk({ instanceIds: ['fails', 'waits'] })).instancesDeleted, 1);
  assert.equal((await client.deleteInstanceBulk({ limit: 1, completedBefore: Date.now() + 60_000 })).instancesDeleted >= 1, true);
  await client.deleteInstanceBulk({});
  assert.deepEqual(await client.listAllInstances(), ['waits']);
  for (const [filter, message] of [
    [{ instanceIds: 'fails' }, /'instanceIds' must be an array of strings/],
    [{ limit: 0 }, /'limit' must be an integer >= 1/],
    [{ completedBefor: 1 }, /did you mean 'completedBefore'/],
  ]) {
    await assert.rejects(client.deleteInstanceBulk(filter), { name: 'TypeError', message });
    await assert.rejects(client.pruneExecutionsBulk(filter), { name: 'TypeError', message });
  }
});

test('pruning keeps the newest executions, and the current one whatever is asked for', async (t) => {
  const { client } = await world(t);
  assert.deepEqual(await client.pruneExecutions('chain', { completedBefore: 1 }), { instancesProcessed: 1, executionsDeleted: 0, eventsDeleted: 0 });
  const events = (await client.getExecutionInfo('chain', 1)).eventCount;
  assert.deepEqual(await client.pruneExecutions('chain', { keepLast: 2 }), { instancesProcessed: 1, executionsDeleted: 1, eventsDeleted: events });
  assert.deepEqual(await client.listExecutions('chain'), [2, 3]);
  assert.equal((await client.pruneExecutions('chain', { keepLast: 0 })).executionsDeleted, 1);
  assert.deepEqual(await client.listExecutions('chain'), [3]);
  assert.equal((await client.getOrchestrationStatus('chain')).output, 3);
  await assert.rejects(client.pruneExecutions('chain', { keepLast: -1 }), { name: 'TypeError', message: /'keepLast' must be/ });
});

test('a bulk pruning processes the instances that the filter selects', async (t) => {
  const { client } = await world(t);
  await client.startOrchestration('other', 'Chain', 1);
  await client.waitForOrchestration('other');
  const pruned = await client.pruneExecutionsBulk({ instanceIds: ['other'] }, { keepLast: 1 });
  assert.deepEqual([pruned.instancesProcessed, pruned.executionsDeleted], [1, 2]);
  assert.deepEqual(await client.listExecutions('chain'), [1, 2, 3]);
  assert.equal((await client.pruneExecutionsBulk({}, { keepLast: 1 })).executionsDeleted, 2);
  await assert.rejects(client.pruneExecutionsBulk({}, { keepFirst: 1 }), /did you mean 'keepLast'/);
});
