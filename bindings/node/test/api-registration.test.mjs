// Registrations: whose they are, what a missing name comes to, starting and shutting down.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, DuroxideError, Runtime } from 'duroxide';
import { evaluated } from './api/evaluated.mjs';
import { started, until } from './helpers.mjs';
import { newStore } from './store.mjs';

const memory = async (t) => {
  const provider = await newStore();
  t.after(() => provider.close());
  return provider;
};

const says = (word) => ({
  activities: { Say: (ctx) => `${word} to ${ctx.instanceId}` },
  orchestrations: {
    Main: function* (ctx) {
      ctx.setValue('word', word);
      ctx.setCustomStatus(`${word} waits`);
      const told = yield ctx.waitForEvent('tell');
      return [word, told, yield ctx.scheduleActivity('Say')];
    },
    [`Only ${word}`]: function* () {
      return word;
    },
  },
});

test('better: registrations belong to their Runtime, and two stores with the same ids do not meet', async (t) => {
  const one = await started(t, says('one'));
  const two = await started(t, says('two'));
  const worlds = [['one', one], ['two', two]];
  for (const [, { client }] of worlds) await client.startOrchestration('same', 'Main');
  for (const [word, { client }] of worlds) {
    assert.equal((await client.waitForStatusChange('same', 0)).customStatus, `${word} waits`);
    assert.equal(await client.getValue('same', 'word'), word);
  }
  // What is sent, cancelled or deleted in one store is nothing to the other.
  await one.client.raiseEvent('same', 'tell', 'for one');
  assert.deepEqual(await one.client.waitForOrchestrationTyped('same'), ['one', 'for one', 'one to same']);
  assert.equal((await two.client.getOrchestrationStatus('same')).status, 'Running');
  await one.client.deleteInstance('same');
  await two.client.raiseEvent('same', 'tell', 'for two');
  assert.deepEqual(await two.client.waitForOrchestrationTyped('same'), ['two', 'for two', 'two to same']);
  assert.deepEqual(await one.client.listAllInstances(), []);
  // Neither knows the other's names.
  await one.client.startOrchestration('stranger', 'Only two');
  assert.equal((await one.client.run('Only one')).output, 'one');
  assert.equal((await one.client.getOrchestrationStatus('stranger')).status, 'Running');
});

test('better: a wrong registration throws at once', async (t) => {
  const runtime = new Runtime(await memory(t), { logLevel: 'error' });
  runtime.registerActivity('A', () => 1);
  runtime.registerOrchestration('O', function* () {});
  for (const [register, message] of [
    [() => runtime.registerActivity('A', () => 2), "registerActivity: activity 'A' is registered already"],
    [() => runtime.registerOrchestrationVersioned('O', '1.0.0', function* () {}), /'O' version 1\.0\.0 is registered already/],
    [() => runtime.registerOrchestrationVersioned('O', 'v2', function* () {}), /must be a semver/],
    [() => runtime.registerActivity('B', 'code'), /'B' must be a function, not string/],
  ]) {
    assert.throws(register, { message });
  }
  await runtime.start();
  t.after(() => runtime.shutdown());
  assert.throws(() => runtime.registerOrchestrationVersioned('P', '1.0.0', function* () {}), { code: 'RUNTIME_STATE' });
});

test('activities and orchestrations have separate namespaces, and names may have 256 bytes', async (t) => {
  const name = 'é'.repeat(128);
  const { client } = await started(t, {
    activities: { [name]: () => 'activity' },
    orchestrations: {
      [name]: function* (ctx) {
        return yield ctx.scheduleActivity(name);
      },
    },
  });
  assert.equal((await client.run(name)).output, 'activity');
});

test('the Typed twins of the registrations are the same functions', async (t) => {
  for (const name of ['registerActivity', 'registerOrchestration', 'registerOrchestrationVersioned']) {
    assert.equal(Runtime.prototype[`${name}Typed`], Runtime.prototype[name]);
  }
  const runtime = new Runtime(await memory(t), { logLevel: 'error' });
  runtime.registerActivityTyped('A', () => 1);
  assert.throws(() => runtime.registerActivityTyped('A', () => 1), { code: 'DUPLICATE_REGISTRATION' });
});

test('better: a name that no live node has is warned of once, told in waitingFor, and fails in the end with the nearest names', () => {
  const { stderr, stdout, status } = evaluated(`
    const provider = await newStore();
    const runtime = new d.Runtime(provider, { logLevel: 'warn', logFormat: 'json', unregisteredTimeoutMs: 2_500 });
    runtime.registerActivity('SendEmail', () => 1);
    runtime.registerOrchestration('Main', function* (ctx) { return yield ctx.scheduleActivity('SendEmial'); });
    await runtime.start();
    const client = new d.Client(provider);
    await client.startOrchestration('i', 'Main');
    await client.startOrchestration('j', 'Mian');
    const waits = async (id, said) => {
      for (;;) {
        const { status, waitingFor } = await client.getOrchestrationStatus(id);
        if (status !== 'Running') return status;
        if (said.test(waitingFor)) return waitingFor;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const waiting = [await waits('i', /SendEmial.*no live node/), await waits('j', /Mian/)];
    const ended = [await client.waitForOrchestration('i'), await client.waitForOrchestration('j')];
    console.log(JSON.stringify({ waiting, ended }));
    await runtime.shutdown();`);
  assert.equal(status, 0, stderr);
  const { waiting, ended } = JSON.parse(stdout);
  assert.match(waiting[0], /activity 'SendEmial'.*no live node/);
  assert.match(waiting[1], /no live node that has registered orchestration 'Mian'/);
  assert.deepEqual(ended.map((each) => [each.status, each.errorDetails.code]), Array(2).fill(['Failed', 'UNREGISTERED']));
  assert.match(ended[0].error, /SendEmial.*SendEmail/s);
  assert.match(ended[1].error, /Mian.*Main/s);
  const warned = stderr.trim().split('\n').map((line) => JSON.parse(line)).filter(({ level }) => level === 'WARN');
  for (const said of [/activity `SendEmial` is not registered here.*`SendEmail`/, /orchestration `Mian` is not registered here.*`Main@1\.0\.0`/]) {
    assert.equal(warned.filter(({ fields }) => said.test(fields.message)).length, 1, stderr);
  }
});

test('a missing name waits for a deployment that brings it, with unregisteredTimeoutMs 0 for ever', async (t) => {
  const { client, provider } = await started(t, { options: { unregisteredTimeoutMs: 0 }, orchestrations: { Other: function* () {} } });
  await client.startOrchestration('i', 'Main');
  await client.run('Other');
  assert.equal((await client.getOrchestrationStatus('i')).status, 'Running');
  await started(t, { provider, orchestrations: { Main: function* () { return 'here'; } } });
  assert.equal(await client.waitForOrchestrationTyped('i'), 'here');
});

test('start resolves when work is being taken, and is refused a second time and on a closed store', async (t) => {
  const provider = await memory(t);
  const client = new Client(provider);
  await client.startOrchestration('before', 'Main');
  const runtime = new Runtime(provider, { logLevel: 'error' });
  runtime.registerOrchestration('Main', function* () { return 1; });
  await runtime.start();
  assert.equal(await client.waitForOrchestrationTyped('before'), 1);
  await assert.rejects(runtime.start(), (error) => error instanceof DuroxideError && error.code === 'RUNTIME_STATE');
  await runtime.shutdown();
  await assert.rejects(runtime.start(), { code: 'RUNTIME_STATE' });
});

test('better: shutdown returns as soon as nothing runs, not when its time is over', async (t) => {
  const took = [];
  for (let round = 0; round < 5; round++) {
    const { runtime, client } = await started(t, { orchestrations: { Main: function* () {} } });
    await client.run('Main');
    const begun = performance.now();
    await runtime.shutdown(1000);
    took.push(performance.now() - begun);
  }
  const [, , median] = took.toSorted((a, b) => a - b);
  t.diagnostic(`shutdown(1000) with nothing running: ${took.map((ms) => ms.toFixed(1)).join(', ')} ms`);
  // The number is part of the promise, hence an assertion on time.
  assert.ok(median < 50, `median ${median} ms`);
});

test('shutdown gives up waiting after its time-out, and refuses a wrong one', async (t) => {
  let hangs = false;
  const { runtime, client, provider } = await started(t, {
    activities: {
      Hang: () => {
        hangs = true;
        return new Promise(() => undefined);
      },
    },
    orchestrations: { Main: function* (ctx) { return yield ctx.scheduleActivity('Hang'); } },
  });
  for (const wrong of [-1, 1.5, '1', Infinity]) await assert.rejects(runtime.shutdown(wrong), { name: 'TypeError', message: /runtime\.shutdown: the time-out/ });
  await client.startOrchestration('i', 'Main');
  await until(() => hangs);
  await runtime.shutdown(20);
  await started(t, { provider, activities: { Hang: () => 'taken over' }, orchestrations: { Main: function* (ctx) { return yield ctx.scheduleActivity('Hang'); } } });
  assert.equal(await client.waitForOrchestrationTyped('i'), 'taken over');
});

test('a process exits by itself after shutdown, and with a Runtime that never started', () => {
  for (const [what, code] of [
    ['shut down', 'await runtime.start(); await runtime.shutdown(1000);'],
    ['never started', 'new d.Client(provider);'],
    ['shut down without a start', 'await runtime.shutdown();'],
  ]) {
    const { status, signal, stdout } = evaluated(`
      const provider = await newStore();
      const runtime = new d.Runtime(provider, { logLevel: 'error' });
      runtime.registerActivity('A', () => 1);
      ${code}
      console.log('over');`);
    assert.deepEqual([what, status, signal, stdout], [what, 0, null, 'over\n']);
  }
});
