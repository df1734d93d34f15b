// Ending: shutdown returns when the work is done, the next Runtime goes on, Node exits.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { Runtime, SqliteProvider } from 'duroxide';
import { folder, started, until } from './helpers.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

test('an idle Runtime shuts down at once, whatever its time-out', async (t) => {
  const { runtime } = await started(t);
  const begun = performance.now();
  await runtime.shutdown(60_000);
  assert.ok(performance.now() - begun < 5_000);
  await runtime.shutdown();
});

test('a Runtime that is shut down while it starts takes no work', async (t) => {
  const provider = await SqliteProvider.inMemory();
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
  const provider = await SqliteProvider.inMemory();
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
  const path = join(folder(t), 'a.db');
  const provider = await SqliteProvider.open(path);
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
  const code = `
    const { SqliteProvider, Client, Runtime } = require('duroxide');
    (async () => {
      const provider = await SqliteProvider.inMemory();
      new Client(provider);
      new Runtime(provider);
      const runtime = new Runtime(provider, { logLevel: 'error' });
      await runtime.start();
      await runtime.shutdown();
      console.log('over');
    })();`;
  const run = spawnSync(process.execPath, ['-e', code], { cwd: root, encoding: 'utf8', timeout: 30_000 });
  assert.deepEqual([run.status, run.signal, run.stdout], [0, null, 'over\n']);
});

test('a started Runtime keeps Node alive without anything else', () => {
  const code = `
    const { SqliteProvider, Client, Runtime } = require('duroxide');
    (async () => {
      const provider = await SqliteProvider.inMemory();
      const runtime = new Runtime(provider, { logLevel: 'error' });
      runtime.registerActivity('Last', () => { console.log('ran'); setImmediate(() => runtime.shutdown()); });
      runtime.registerOrchestration('Main', function* (ctx) {
        yield ctx.scheduleTimer(50);
        yield ctx.scheduleActivity('Last');
      });
      await runtime.start();
      await new Client(provider).startOrchestration('i', 'Main');
    })();`;
  const run = spawnSync(process.execPath, ['-e', code], { cwd: root, encoding: 'utf8', timeout: 30_000 });
  assert.deepEqual([run.status, run.signal, run.stdout], [0, null, 'ran\n']);
});
