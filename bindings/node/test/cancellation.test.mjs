// Cancellation across Runtimes and processes: who sees it, how soon, and who does not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOUNDED, world } from './api/nodes.mjs';
import { started } from './helpers.mjs';
import { newStore } from './store.mjs';

const PROMISED_MS = 1_000;
/** Long enough for an attempt to begin in another process. */
const LATE_MS = 1_500;

/** One activity that only ends when it is let, or cancelled. */
const holding = {
  Main: function* (ctx, key) {
    return yield ctx.scheduleActivity('Hold', key);
  },
};

/** From when the call had resolved, here or at the time that it gives, until the signal aborted in the other process. */
async function delay(t, node, key, call) {
  const told = await call();
  const resolved = typeof told === 'number' ? told : Date.now();
  const { clock, isCancelled } = await node.aborted(key);
  assert.equal(isCancelled, true);
  const ms = clock - resolved;
  // This is the guarantee itself, hence an assertion on time; before the call resolved is soon too.
  assert.ok(ms < PROMISED_MS, `${key}: aborted ${ms} ms after the call`);
  t.diagnostic(`${key}: the signal aborted in the other process ${ms} ms after the call had resolved`);
}

test('within a second of a cancel the signal aborts in another process', BOUNDED, async (t) => {
  const { client, start } = await world(t, holding);
  const node = await start('other');
  for (const key of ['cancel 1', 'cancel 2', 'cancel 3']) {
    await client.startOrchestration(key, 'Main', key);
    await node.held(key);
    await delay(t, node, key, () => client.cancelOrchestration(key, 'enough'));
    assert.equal((await client.waitForOrchestration(key)).error, 'canceled: enough');
  }
});

test('the same when it is cancelled by a process of its own, which runs nothing', BOUNDED, async (t) => {
  const { client, start } = await world(t, holding);
  const [node, third] = await Promise.all([start('other'), start('third', { orchestrationConcurrency: 0, workerConcurrency: 0 })]);
  await client.startOrchestration('third', 'Main', 'third');
  await node.held('third');
  await delay(t, node, 'third', () => third.cancel('third'));
  assert.equal((await client.waitForOrchestration('third')).error, 'canceled: enough');
});

test('the same when the instance ends otherwise: terminated, deleted', BOUNDED, async (t) => {
  const { client, start } = await world(t, holding);
  const node = await start('other');
  for (const [key, call] of [
    ['terminate', () => client.terminateOrchestration('terminate')],
    ['delete', () => client.deleteInstance('delete', { force: true })],
  ]) {
    await client.startOrchestration(key, 'Main', key);
    await node.held(key);
    await delay(t, node, key, call);
  }
});

test('the same for a loser of a race, and for an attempt that took too long', BOUNDED, async (t) => {
  const { client, start } = await world(t, {
    Race: function* (ctx) {
      return yield ctx.race(ctx.scheduleActivity('Hold', 'loser'), ctx.waitForEvent('go'));
    },
    Late: function* (ctx) {
      try {
        yield ctx.scheduleActivityWithRetry('Hold', 'late', { maxAttempts: 1, timeoutMs: LATE_MS });
      } catch (error) {
        return error.name;
      }
    },
  });
  const node = await start('other');
  await client.startOrchestration('race', 'Race');
  await node.held('loser');
  await delay(t, node, 'loser', async () => {
    await client.raiseEvent('race', 'go', 'won');
    assert.deepEqual(await client.waitForOrchestrationTyped('race'), { index: 1, value: 'won' });
  });
  await client.startOrchestration('late', 'Late');
  await node.held('late');
  await delay(t, node, 'late', async () => {
    assert.equal(await client.waitForOrchestrationTyped('late'), 'TimeoutError');
  });
});

test('children are cancelled in another process too, detached ones are not', BOUNDED, async (t) => {
  const { client, start } = await world(t, {
    Parent: function* (ctx) {
      yield ctx.startOrchestration('Child', 'detached');
      return yield ctx.scheduleSubOrchestrationWithId('Child', 'child');
    },
  });
  await start('other');
  await client.startOrchestration('parent', 'Parent');
  for (const id of ['child', 'detached']) await client.waitForStatusChange(id, 0);
  await client.cancelOrchestration('parent', 'enough');
  const child = await client.waitForOrchestration('child');
  assert.deepEqual([child.status, child.error], ['Failed', 'canceled: parent canceled']);
  assert.match(await client.getValue('child', 'caught'), /^CancelledError: .*parent canceled/);
  assert.equal((await client.waitForOrchestration('parent')).error, 'canceled: enough');
  assert.equal((await client.getOrchestrationStatus('detached')).status, 'Running');
  // Nothing is on its way to it either: it still answers to a cancel of its own.
  await client.cancelOrchestration('detached', 'own');
  assert.equal((await client.waitForOrchestration('detached')).error, 'canceled: own');
});

test('terminating stops children in another process without their code, detached ones go on', BOUNDED, async (t) => {
  const { client, start } = await world(t, {
    Parent: function* (ctx) {
      yield ctx.startOrchestration('Child', 'detached');
      return yield ctx.scheduleSubOrchestrationWithId('Child', 'child');
    },
  });
  await start('other');
  await client.startOrchestration('parent', 'Parent');
  for (const id of ['child', 'detached']) await client.waitForStatusChange(id, 0);
  await client.terminateOrchestration('parent', 'stop');
  for (const id of ['parent', 'child']) assert.equal((await client.waitForOrchestration(id)).status, 'Terminated');
  assert.equal(await client.getValue('child', 'caught'), null);
  assert.equal((await client.getOrchestrationStatus('detached')).status, 'Running');
});

test('the owner of a cancelled activity may be dead: the instance ends all the same', BOUNDED, async (t) => {
  const { client, start } = await world(t, holding);
  const node = await start('other');
  await client.startOrchestration('i', 'Main', 'key');
  await node.held('key');
  assert.equal(await node.kill(), 'SIGKILL');
  await client.cancelOrchestration('i', 'enough');
  assert.deepEqual((await client.waitForOrchestration('i')).error, 'canceled: enough');
});

/** An orchestration that waits; `code` is what it does when it is cancelled. */
async function cancelled(t, code, cancels = ['enough']) {
  const { client } = await started(t, {
    activities: { Echo: (ctx, input) => input },
    orchestrations: {
      Main: function* (ctx) {
        try {
          ctx.setCustomStatus('waiting');
          yield ctx.waitForEvent('never');
        } catch (error) {
          return yield* code(ctx, error);
        }
      },
    },
  });
  await client.startOrchestration('i', 'Main');
  await client.waitForStatusChange('i', 0);
  for (const [index, reason] of cancels.entries()) {
    await client.cancelOrchestration('i', reason);
    if (index === 0 && cancels.length > 1) await client.waitForValue('i', 'cleaning');
  }
  return { client, ended: await client.waitForOrchestration('i') };
}

test('better: clean-up in catch and finally schedules activities, timers, children and waits that work normally', async (t) => {
  const { client } = await started(t, {
    activities: { Echo: (ctx, input) => [input, ctx.isCancelled()] },
    orchestrations: {
      Main: function* (ctx) {
        const did = [];
        try {
          ctx.setCustomStatus('waiting');
          yield ctx.waitForEvent('never');
        } catch (error) {
          did.push(error.name, yield ctx.scheduleActivity('Echo', 'undo'));
          yield ctx.scheduleTimer(1);
          did.push(yield ctx.scheduleSubOrchestration('Child', 1));
          ctx.setCustomStatus('cleaning');
          did.push(yield ctx.waitForEvent('released'));
          throw error;
        } finally {
          did.push(yield ctx.scheduleActivity('Echo', 'close'));
          ctx.setValue('did', JSON.stringify(did));
        }
      },
      Child: function* (ctx, n) {
        return yield ctx.scheduleActivity('Echo', n);
      },
    },
  });
  await client.startOrchestration('i', 'Main');
  const { customStatusVersion } = await client.waitForStatusChange('i', 0);
  await client.cancelOrchestration('i', 'enough');
  assert.equal((await client.waitForStatusChange('i', customStatusVersion)).customStatus, 'cleaning');
  await client.raiseEvent('i', 'released', 'ok');
  assert.equal((await client.waitForOrchestration('i')).error, 'canceled: enough');
  assert.deepEqual(JSON.parse(await client.getValue('i', 'did')), [
    'CancelledError', ['undo', false], [1, false], 'ok', ['close', false],
  ]);
});

test('returning a value after a cancel ends it Completed', async (t) => {
  const { ended } = await cancelled(t, function* (ctx, error) {
    return [error.name, error.code, yield ctx.scheduleActivity('Echo', 'saved')];
  });
  assert.deepEqual([ended.status, ended.output], ['Completed', ['CancelledError', 'CANCELLED', 'saved']]);
});

test('throwing another error after a cancel ends it with the reason and that message', async (t) => {
  const { ended } = await cancelled(t, function* () {
    throw new Error('clean-up failed');
  });
  assert.equal(ended.status, 'Failed');
  assert.match(ended.error, /^canceled: enough\b.*clean-up failed/);
});

test('continueAsNew after a cancel throws CancelledError again', async (t) => {
  const { client, ended } = await cancelled(t, function* (ctx) {
    try {
      yield ctx.continueAsNew('again');
    } catch (error) {
      ctx.setValue('second', error.name);
      throw error;
    }
  });
  assert.deepEqual([ended.status, ended.error], ['Failed', 'canceled: enough']);
  assert.equal(await client.getValue('i', 'second'), 'CancelledError');
  assert.deepEqual(await client.listExecutions('i'), [1]);
});

test('a second cancel stops the clean-up: Terminated', async (t) => {
  const { client, ended } = await cancelled(t, function* (ctx) {
    ctx.setValue('cleaning', 'yes');
    try {
      yield ctx.waitForEvent('never');
    } finally {
      ctx.setValue('cleaned', 'yes');
    }
  }, ['enough', 'at once']);
  assert.equal(ended.status, 'Terminated');
  assert.equal(await client.getValue('i', 'cleaned'), null);
});

test('cancelled before its first turn no code runs', async (t) => {
  const provider = await newStore();
  t.after(() => provider.close());
  const orchestrators = { options: { orchestrationConcurrency: 0 }, provider };
  const { client } = await started(t, orchestrators);
  await client.startOrchestration('i', 'Main');
  await client.cancelInstance('i', 'too late');
  assert.equal((await client.getOrchestrationStatus('i')).status, 'Running');
  let ran = false;
  await started(t, { provider, orchestrations: { Main: function* () { ran = true; } } });
  const ended = await client.waitForOrchestration('i');
  assert.deepEqual([ended.status, ended.error, ran], ['Failed', 'canceled: too late', false]);
});

test('code that never lets go of its thread sees the cancel as soon', BOUNDED, async (t) => {
  const { client, start } = await world(t, {
    Main: function* (ctx) {
      return yield ctx.scheduleActivity('Busy', 'busy');
    },
  });
  const node = await start('other');
  await client.startOrchestration('i', 'Main');
  await node.held('busy');
  await delay(t, node, 'busy', () => client.cancelOrchestration('i'));
});

test('a cancel of an ended or unknown instance has no effect or says so', async (t) => {
  const { client } = await started(t, { orchestrations: { Main: function* () { return 'done'; } } });
  await client.run('Main');
  for (const call of ['cancelOrchestration', 'cancelInstance', 'terminateOrchestration']) {
    await client[call]('Main-1', 'late');
    await assert.rejects(client[call]('nobody'), { code: 'INSTANCE_NOT_FOUND' });
    await assert.rejects(client[call]('Main-1', 7), { name: 'TypeError', message: /the reason must be a string, not 7/ });
  }
  assert.deepEqual(await client.getOrchestrationStatus('Main-1'), { status: 'Completed', output: 'done', customStatusVersion: 0 });
});

test('an activity that never lets go of the thread sees the cancel of an orchestration that needs that thread too', async (t) => {
  const LONGEST_MS = 5_000;
  let seen;
  const { client } = await started(t, {
    activities: {
      Compute: (ctx) => {
        void ctx.getClient().cancelOrchestration(ctx.instanceId, 'enough');
        const last = Date.now() + LONGEST_MS;
        do seen = ctx.isCancelled();
        while (!seen && Date.now() < last);
        if (seen) throw new Error('not what the orchestration is told');
      },
    },
    orchestrations: {
      Main: function* (ctx) {
        yield ctx.scheduleActivity('Compute');
      },
    },
  });
  const { error } = await client.run('Main');
  assert.deepEqual([seen, error], [true, 'canceled: enough']);
});
