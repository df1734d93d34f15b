// Ending: shutdown returns when the work is done, the next Runtime goes on, Node exits.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Runtime } from 'duroxide';
import { evaluated } from './api/evaluated.mjs';
import { folder, started, until } from './helpers.mjs';
import { newStore, openStore, storeIn } from './store.mjs';

test('an idle Runtime shuts down at once, whatever its time-out', async (t) => {
  const { runtime } = await started(t);
  const begun = performance.now();
  await runtime.shutdown(60_000);
  assert.ok(performance.now() - begun < 5_000);
  await runtime.shutdown();
});

test('a Runtime that is shut down while it starts takes no work', async (t) => {
  const provider = await newStore();
  t.after(() => provider.close());
  const orchestrations = { Main: function* () {} };
  for (let round = 0; round < 20; round++) {
    const early = new Runtime(provider, { logLevel: 'error' });
    early.registerOrchestration('Main', orchestrations.Main);
    await Promise.all([early.start(), early.shutdown()]);
  }
  const { client } = await started(t, { provider, orchestrations });
  for (let instance = 0; instance < 20; instance++) assert.equal((await client.run('Main')).status, 'Completed');
});

test('shutdown waits for an activity that ends in time', async (t) => {
  const provider = await newStore();
  let finish;
  const { client, runtime } = await started(t, {
    provider,
    activities: { Slow: () => new Promise((resolve) => (finish = resolve)) },
    orchestrations: {
      Main: function* (ctx) {
        return yield ctx.scheduleActivity('Slow');
      },
    },
  });
  await client.startOrchestration('i', 'Main');
  await until(() => finish);
  const down = runtime.shutdown(60_000);
  finish('done');
  await down;
  const { client: other } = await started(t, {
    provider,
    activities: { Slow: () => 'again' },
    orchestrations: { Main: function* (ctx) { return yield ctx.scheduleActivity('Slow'); } },
  });
  assert.equal(await other.waitForOrchestrationTyped('i'), 'done');
});

test('after a shutdown another Runtime takes over at once what did not end', async (t) => {
  const provider = await openStore(storeIn(folder(t)));
  t.after(() => provider.close());
  const code = {
    orchestrations: {
      Main: function* (ctx) {
        return [yield ctx.scheduleActivity('First'), yield ctx.scheduleActivity('Second')];
      },
    },
  };
  let hangs = false;
  const one = await started(t, {
    ...code,
    provider,
    activities: {
      First: () => 1,
      Second: () => {
        hangs = true;
        return new Promise(() => {});
      },
    },
  });
  await one.client.startOrchestration('i', 'Main');
  await until(() => hangs);
  await one.runtime.shutdown(10);
  const runs = [];
  const begun = performance.now();
  const two = await started(t, {
    ...code,
    provider,
    activities: {
      First: () => runs.push('First'),
      Second: (ctx) => {
        runs.push('Second');
        return ctx.attempt;
      },
    },
  });
  const [first, attempt] = await two.client.waitForOrchestrationTyped('i');
  assert.ok(performance.now() - begun < 10_000, 'no lease had to run out');
  assert.deepEqual([first, runs], [1, ['Second']]);
  assert.ok(attempt >= 1);
});

test('only a started Runtime keeps Node alive', () => {
  const run = evaluated(`
      const { Client, Runtime } = d;
      const provider = await newStore();
      new Client(provider);
      new Runtime(provider);
      const runtime = new Runtime(provider, { logLevel: 'error' });
      await runtime.start();
      await runtime.shutdown();
      console.log('over');
    `);
  assert.deepEqual([run.status, run.signal, run.stdout], [0, null, 'over\n']);
});

test('a started Runtime keeps Node alive without anything else', () => {
  const run = evaluated(`
      const { Client, Runtime } = d;
      const provider = await newStore();
      const runtime = new Runtime(provider, { logLevel: 'error' });
      runtime.registerActivity('Last', () => { console.log('ran'); setImmediate(() => runtime.shutdown()); });
      runtime.registerOrchestration('Main', function* (ctx) {
        yield ctx.scheduleTimer(50);
        yield ctx.scheduleActivity('Last');
      });
      await runtime.start();
      await new Client(provider).startOrchestration('i', 'Main');
    `);
  assert.deepEqual([run.status, run.signal, run.stdout], [0, null, 'ran\n']);
});
