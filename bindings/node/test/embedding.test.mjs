// Living in other people's processes: exits in the middle of work, worker threads.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { evaluated } from './api/evaluated.mjs';
import { folder } from './helpers.mjs';
import { storeIn } from './store.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const stores = new URL('store.mjs', import.meta.url).href;

test('process.exit in the middle of work ends the process with its code', (t) => {
  const store = storeIn(folder(t));
  const run = evaluated(`
      const { Client, Runtime } = d;
      const provider = await openStore(${JSON.stringify(store)});
      const runtime = new Runtime(provider, { logLevel: 'error' });
      let runs = 0;
      runtime.registerActivity('A', async () => { if (++runs === 100) process.exit(3); });
      runtime.registerOrchestration('Endless', function* (ctx) { for (;;) yield ctx.scheduleActivity('A'); });
      await runtime.start();
      const client = new Client(provider);
      for (let i = 0; i < 10; i++) await client.startOrchestration('i' + i, 'Endless');
      client.waitForOrchestration('i0');`);
  assert.deepEqual([run.status, run.signal, run.stderr], [3, null, '']);
});

test('a worker thread runs its own Runtime, and can be ended in the middle of work', async () => {
  const code = `
    const { parentPort } = require('node:worker_threads');
    const { Client, Runtime } = require(${JSON.stringify(root)});
    (async () => {
      const provider = await (await import(${JSON.stringify(stores)})).newStore();
      const runtime = new Runtime(provider, { logLevel: 'error' });
      runtime.registerActivity('A', () => 1);
      runtime.registerOrchestration('Short', function* (ctx) { return yield ctx.scheduleActivity('A'); });
      runtime.registerOrchestration('Endless', function* (ctx) { for (;;) yield ctx.scheduleActivity('A'); });
      await runtime.start();
      const client = new Client(provider);
      await client.startOrchestration('endless', 'Endless');
      await client.startOrchestration('short', 'Short');
      parentPort.postMessage(await client.waitForOrchestrationTyped('short'));
    })();`;
  const worker = new Worker(code, { eval: true });
  const output = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  assert.equal(output, 1);
  assert.equal(await worker.terminate(), 1);
});
