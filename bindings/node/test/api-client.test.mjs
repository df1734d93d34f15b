// The Client, call by call: starting, waiting, sending. Not here: reads and deleting (`api-management.test.mjs`),
// cancelling (`cancellation.test.mjs`).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, InstanceExistsError, OrchestrationError, TimeoutError } from 'duroxide';
import { started, until } from './helpers.mjs';
import { newStore } from './store.mjs';

const orchestrations = {
  Echo: function* (ctx, input) {
    return input;
  },
  Waits: function* (ctx) {
    ctx.setCustomStatus('waiting');
    return yield ctx.waitForEvent('go');
  },
  Fails: function* () {
    throw new RangeError('out of range');
  },
};

test('every alias of the Client is the same function', () => {
  for (const [alias, name] of [
    ['getStatus', 'getOrchestrationStatus'],
    ['startOrchestrationTyped', 'startOrchestration'],
    ['startOrchestrationVersionedTyped', 'startOrchestrationVersioned'],
    ['raiseEventTyped', 'raiseEvent'],
    ['enqueueEventTyped', 'enqueueEvent'],
  ]) {
    assert.equal(Client.prototype[alias], Client.prototype[name], alias);
  }
});

test('an instance exists and is Running from the moment its start resolves, without any Runtime', async (t) => {
  const provider = await newStore();
  t.after(() => provider.close());
  const client = new Client(provider);
  await client.startOrchestration('i', 'Echo', 1);
  await client.startOrchestrationVersioned('v', 'Echo', 2, '1.0.0');
  for (const id of ['i', 'v']) {
    assert.equal((await client.getOrchestrationStatus(id)).status, 'Running');
    assert.equal((await client.getInstanceInfo(id)).orchestrationName, 'Echo');
  }
  assert.equal((await client.getSystemMetrics()).runningInstances, 2);
  // Mail and a cancel find it, too.
  await client.raiseEvent('i', 'e');
  await client.enqueueEvent('i', 'q');
  assert.equal((await client.getOrchestrationStats('i')).queuePendingCount, 2);
});

test('an existing id is left alone by every start, whatever its state, or refused if asked for', async (t) => {
  const { client } = await started(t, { orchestrations });
  await client.startOrchestration('i', 'Waits');
  await client.waitForStatusChange('i', 0);
  const again = async () => {
    await client.startOrchestration('i', 'Echo', 1);
    await client.startOrchestration('i', 'Echo', 1, { ifExists: 'ignore' });
    await client.startOrchestrationVersioned('i', 'Echo', 1, '1.0.0');
    await assert.rejects(client.startOrchestration('i', 'Echo', 1, { ifExists: 'error' }), (error) => {
      return error instanceof InstanceExistsError && error.code === 'INSTANCE_EXISTS' && error.instanceId === 'i';
    });
  };
  await again();
  await client.raiseEvent('i', 'go', 'gone');
  assert.equal(await client.waitForOrchestrationTyped('i'), 'gone');
  await again();
  assert.equal((await client.getOrchestrationStatus('i')).output, 'gone');
  await client.startOrchestration('new', 'Echo', 2, { ifExists: 'error' });
  assert.equal(await client.waitForOrchestrationTyped('new'), 2);
});

test('ids that are empty, no text, reserved or too long are refused, and nothing is started', async (t) => {
  const { client } = await started(t);
  for (const id of ['', 7, undefined, null, 'sub::1', 'a::sub::b', 'x'.repeat(1025)]) {
    for (const start of [() => client.startOrchestration(id, 'Echo'), () => client.startOrchestrationVersioned(id, 'Echo', 1, '1.0.0')]) {
      await assert.rejects(start(), (error) => error.name === 'TypeError' || /reserved|1024/.test(error.message), String(id));
    }
  }
  await assert.rejects(client.startOrchestration('i', 'Echo', 1, { ifExists: 'replace' }), /'ifExists' must be one of/);
  await assert.rejects(client.startOrchestrationVersioned('i', 'Echo', 1, ''), TypeError);
  assert.deepEqual(await client.listAllInstances(), []);
});

test('the status of each state has what belongs to it', async (t) => {
  const { client } = await started(t, {
    orchestrations,
    activities: { Fail: () => { throw new TypeError('from the activity'); } },
  });
  assert.deepEqual(await client.getOrchestrationStatus('nobody'), { status: 'NotFound', customStatusVersion: 0 });
  await client.startOrchestration('waits', 'Waits');
  await client.waitForStatusChange('waits', 0);
  assert.deepEqual(await client.getStatus('waits'), {
    status: 'Running',
    customStatus: 'waiting',
    customStatusVersion: 1,
    waitingFor: "event 'go'",
  });
  await client.startOrchestration('done', 'Echo', { a: [1] });
  assert.deepEqual(await client.waitForOrchestration('done'), { status: 'Completed', output: { a: [1] }, customStatusVersion: 0 });
  await client.startOrchestration('fails', 'Fails');
  const { status, error, errorDetails } = await client.waitForOrchestration('fails');
  assert.deepEqual([status, error, errorDetails.name, errorDetails.code, errorDetails.message], [
    'Failed', 'out of range', 'RangeError', 'APPLICATION', 'out of range',
  ]);
  await client.terminateOrchestration('waits', 'no longer needed');
  const ended = await client.waitForOrchestration('waits');
  assert.deepEqual([ended.status, ended.error, ended.waitingFor], ['Terminated', 'no longer needed', undefined]);
  await assert.rejects(client.getOrchestrationStatus(''), { name: 'TypeError' });
});

test('every wait also waits for an id that does not exist yet', async (t) => {
  const { client } = await started(t, {
    orchestrations: {
      Main: function* (ctx) {
        ctx.setValue('key', 'value');
        ctx.setCustomStatus('set');
        return 'done';
      },
    },
  });
  const waits = [
    client.waitForOrchestration('i').then(({ status }) => status),
    client.waitForOrchestrationTyped('i'),
    client.waitForStatusChange('i', 0).then(({ customStatus }) => customStatus),
    client.waitForValue('i', 'key'),
  ];
  await client.startOrchestration('i', 'Main');
  assert.deepEqual(await Promise.all(waits), ['Completed', 'done', 'set', 'value']);
});

test('every wait ends at its time-out: with a TimeoutError, or null for a status', async (t) => {
  const { client } = await started(t, { orchestrations });
  await client.startOrchestration('i', 'Waits');
  await client.waitForStatusChange('i', 0);
  for (const wait of [
    () => client.waitForOrchestration('i', 10),
    () => client.waitForOrchestration('nobody', 0),
    () => client.waitForOrchestrationTyped('i', 10),
    () => client.waitForValue('i', 'absent', 10),
  ]) {
    await assert.rejects(wait(), (error) => error instanceof TimeoutError && error.message === 'Operation timed out');
  }
  assert.equal(await client.waitForStatusChange('i', 1, 100, 10), null);
  assert.equal(await client.waitForStatusChange('nobody', 0, undefined, 10), null);
});

test('wrong arguments of the waits are refused by name', async (t) => {
  const { client } = await started(t);
  for (const [call, message] of [
    [() => client.waitForOrchestration('i', -1), /client\.waitForOrchestration: the time-out must be .*not -1/],
    [() => client.waitForOrchestrationTyped('i', NaN), /client\.waitForOrchestrationTyped: the time-out must be .*not NaN/],
    [() => client.waitForStatusChange('i', -1), /client\.waitForStatusChange: the last version must be .*not -1/],
    [() => client.waitForStatusChange('i', 0, 'x'), /the polling interval must be .*not 'x'/],
    [() => client.waitForStatusChange('i', 0, 1, Infinity), /the time-out must be .*not Infinity/],
    [() => client.waitForValue('i', 7), /client\.waitForValue: the key must be a string, not 7/],
    [() => client.waitForValue('', 'k'), /client\.waitForValue: the instance id must be/],
    [() => client.raiseEvent('', 'e'), /client\.raiseEvent: the instance id must be/],
    [() => client.raiseEvent('i', ''), /client\.raiseEvent: the event name must be/],
    [() => client.enqueueEvent('i', 7), /client\.enqueueEvent: the queue name must be/],
    [() => client.enqueueEvent('i', 'q', 1n), /client\.enqueueEvent\('i', 'q'\): .*BigInt/],
    [() => client.getValue('i', 7), /client\.getValue: the key must be a string, not 7/],
    [() => client.getKvAllValues(''), /client\.getKvAllValues: the instance id must be/],
  ]) {
    await assert.rejects(call(), { name: 'TypeError', message });
  }
});

test('the typed wait gives the output itself, and throws what the orchestration failed with', async (t) => {
  const { client } = await started(t, { orchestrations });
  await client.startOrchestration('done', 'Echo', 'text');
  assert.equal(await client.waitForOrchestrationTyped('done'), 'text');
  await client.startOrchestration('fails', 'Fails');
  await assert.rejects(client.waitForOrchestrationTyped('fails'), (error) => {
    assert.ok(error instanceof OrchestrationError);
    assert.deepEqual([error.message, error.name, error.code, error.instanceId], ['out of range', 'RangeError', 'APPLICATION', 'fails']);
    return true;
  });
  await client.startOrchestration('stopped', 'Waits');
  await client.terminateOrchestration('stopped', 'stop');
  await assert.rejects(client.waitForOrchestrationTyped('stopped'), { code: 'TERMINATED', message: 'stop' });
});

test('a wait for a status change gives null at once when the instance has ended and nothing newer can come', async (t) => {
  const { client } = await started(t, { orchestrations });
  await client.startOrchestration('i', 'Waits');
  const waiting = client.waitForStatusChange('i', 1, undefined, 3_600_000);
  await client.raiseEvent('i', 'go');
  assert.equal(await waiting, null);
  assert.equal(await client.waitForStatusChange('i', 1, undefined, 3_600_000), null);
  assert.equal((await client.waitForStatusChange('i', 0)).status, 'Completed');
});

test('mail for an instance whose code is missing, or that has ended, stalls no other', async (t) => {
  const { client } = await started(t, { orchestrations });
  await client.startOrchestration('stranger', 'Nobody has this');
  await client.run('Echo', 1);
  for (let n = 0; n < 50; n++) {
    await client.raiseEvent('stranger', 'e', n);
    await client.enqueueEvent('Echo-1', 'q', n);
  }
  assert.equal((await client.run('Echo', 2)).output, 2);
  for (const send of ['raiseEvent', 'enqueueEvent']) {
    await assert.rejects(client[send]('nobody', 'x'), (error) => error.code === 'INSTANCE_NOT_FOUND' && error.instanceId === 'nobody');
  }
});

test('waitingFor says in a phrase what a running instance waits on', async (t) => {
  const { client } = await started(t, {
    activities: { Hang: (ctx) => new Promise((resolve) => ctx.signal.addEventListener('abort', resolve)) },
    orchestrations: {
      Main: function* (ctx, on) {
        if (on === 'activity') yield ctx.scheduleActivity('Hang');
        if (on === 'timer') yield ctx.scheduleTimer(3_600_000);
        if (on === 'queue') yield ctx.dequeueEvent('inbox');
        if (on === 'child') yield ctx.scheduleSubOrchestrationWithId('Waits', 'the child');
        if (on === 'all') yield ctx.all([ctx.waitForEvent('a'), ctx.dequeueEvent('b')]);
      },
      ...orchestrations,
    },
  });
  for (const [on, phrase] of [
    ['activity', /activity 'Hang'/],
    ['timer', /timer/],
    ['queue', /queue 'inbox'/],
    ['child', /the child/],
    ['all', /'a'.*'b'/],
  ]) {
    await client.startOrchestration(on, 'Main', on);
    const { waitingFor } = await until(async () => {
      const status = await client.getOrchestrationStatus(on);
      return status.waitingFor !== undefined && status.waitingFor !== 'its first turn' && status;
    });
    assert.match(waitingFor, phrase);
    await client.terminateOrchestration(on);
    assert.equal((await client.waitForOrchestration(on)).waitingFor, undefined);
  }
});
