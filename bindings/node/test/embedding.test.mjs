// Living in other people's processes: exits in the middle of work, worker threads.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { folder } from './helpers.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

test('process.exit in the middle of work ends the process with its code', (t) => {
  const file = join(folder(t), 'a.db');
  const code = `
    const { SqliteProvider, Client, Runtime } = require('duroxide');
    (async () => {
      const provider = await SqliteProvider.open(${JSON.stringify(file)});
      const runtime = new Runtime(provider, { logLevel: 'error' });
      let runs = 0;
      runtime.registerActivity('A', async () => { if (++runs === 100) process.exit(3); });
      runtime.registerOrchestration('Endless', function* (ctx) { for (;;) yield ctx.scheduleActivity('A'); });
      await runtime.start();
      const client = new Client(provider);
      for (let i = 0; i < 10; i++) await client.startOrchestration('i' + i, 'Endless');
      client.waitForOrchestration('i0');
    })();`;
  const run = spawnSync(process.execPath, ['-e', code], { cwd: root, encoding: 'utf8', timeout: 30_000 });
  assert.deepEqual([run.status, run.signal, run.stderr], [3, null, '']);
});

test('a worker thread runs its own Runtime, and can be ended in the middle of work', async () => {
  const code = `
    const { parentPort } = require('node:worker_threads');
    const { SqliteProvider, Client, Runtime } = require(${JSON.stringify(root)});
    (async () => {
      const provider = await SqliteProvider.inMemory();
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
