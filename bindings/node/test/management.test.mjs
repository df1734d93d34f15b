// Reads and management: what the store knows of instances, and deleting them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { started } from './helpers.mjs';

async function family(t) {
  const it = await started(t, {
    orchestrations: {
      Parent: function* (ctx) {
        ctx.setValue('shared', 'kept');
        return yield ctx.scheduleSubOrchestrationWithId('Child', 'child');
      },
      Child: function* (ctx) {
        return yield ctx.getValueFromInstance('parent', 'shared');
      },
      Waits: function* (ctx) {
        yield ctx.waitForEvent('go');
      },
      Chain: function* (ctx, n) {
        if (n < 5) yield ctx.continueAsNew(n + 1);
        return n;
      },
    },
  });
  await it.client.startOrchestration('parent', 'Parent');
  await it.client.waitForOrchestration('parent');
  return it;
}

test('info, tree and lists tell what is there', async (t) => {
  const { client } = await family(t);
  const { createdAt, updatedAt, ...info } = await client.getInstanceInfo('child');
  assert.ok(createdAt > 1.6e12 && updatedAt >= createdAt);
  assert.deepEqual(info, {
    instanceId: 'child',
    orchestrationName: 'Child',
    orchestrationVersion: '1.0.0',
    currentExecutionId: 1,
    status: 'Completed',
    output: 'kept',
    parentInstanceId: 'parent',
  });
  assert.deepEqual(await client.getInstanceTree('child'), { rootId: 'parent', allIds: ['parent', 'child'], size: 2 });
  assert.deepEqual(await client.listAllInstances(), ['child', 'parent']);
  assert.deepEqual(await client.listInstancesByStatus('Completed'), ['child', 'parent']);
  assert.deepEqual(await client.listInstancesByStatus('Failed'), []);
  const execution = await client.getExecutionInfo('child', 1);
  assert.deepEqual([execution.executionId, execution.status, execution.output], [1, 'Completed', 'kept']);
  const metrics = await client.getSystemMetrics();
  assert.deepEqual([metrics.totalInstances, metrics.completedInstances, metrics.failedInstances], [2, 2, 0]);
  assert.deepEqual(await client.getQueueDepths(), { orchestratorQueue: 0, workerQueue: 0, timerQueue: 0 });
  assert.equal((await client.getOrchestrationStats('parent')).kvUserKeyCount, 1);
});

test('an unknown id gives null or nothing', async (t) => {
  const { client } = await family(t);
  assert.equal(await client.getInstanceInfo('nobody'), null);
  assert.equal(await client.getExecutionInfo('parent', 9), null);
  assert.equal(await client.getInstanceTree('nobody'), null);
  assert.equal(await client.getOrchestrationStats('nobody'), null);
  assert.equal(await client.getValue('nobody', 'k'), null);
  assert.deepEqual(await client.listExecutions('nobody'), []);
  assert.deepEqual(await client.readExecutionHistory('nobody', 1), []);
});

test('a running root is deleted with force only, a child through its root only', async (t) => {
  const { client } = await family(t);
  await client.startOrchestration('waits', 'Waits');
  await assert.rejects(client.deleteInstance('waits'), /still running\. Use force=true/);
  await assert.rejects(client.deleteInstance('child'), /child/);
  assert.equal((await client.deleteInstance('waits', { force: true })).instancesDeleted, 1);
  assert.equal((await client.deleteInstance('parent')).instancesDeleted, 2);
  assert.deepEqual(await client.listAllInstances(), []);
  assert.equal((await client.getOrchestrationStatus('parent')).status, 'NotFound');
});

test('old executions are pruned, the current one never', async (t) => {
  const { client } = await family(t);
  await client.startOrchestration('chain', 'Chain', 1);
  assert.equal(await client.waitForOrchestrationTyped('chain'), 5);
  const pruned = await client.pruneExecutions('chain', { keepLast: 2 });
  assert.deepEqual([pruned.instancesProcessed, pruned.executionsDeleted], [1, 3]);
  assert.deepEqual(await client.listExecutions('chain'), [4, 5]);
  await client.deleteInstanceBulk({ instanceIds: ['chain'] });
  assert.deepEqual(await client.listAllInstances(), ['child', 'parent']);
});
