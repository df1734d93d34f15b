// The provider rows of the API: how a store is opened, shared, closed. Not here: PostgreSQL.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, DuroxideError, Runtime, SqliteProvider } from 'duroxide';
import { evaluated } from './api/evaluated.mjs';
import { folder, started } from './helpers.mjs';

const Echo = { Echo: function* (ctx, input) { return input; } };

/** The ids that are in the store at this path. */
async function ids(path) {
  const provider = await SqliteProvider.open(path);
  try {
    return await new Client(provider).listAllInstances();
  } finally {
    await provider.close();
  }
}

async function start(path, id, options) {
  const provider = await SqliteProvider.open(path, options);
  await new Client(provider).startOrchestration(id, 'Echo');
  await provider.close();
}

test('a path with and without its scheme, and with mode=rwc, is the same file', async (t) => {
  const file = join(folder(t), 'a b.db');
  await start(file, 'plain');
  await start(`sqlite:${file}`, 'scheme');
  await start(`sqlite:${file}?mode=rwc`, 'created');
  await start(`${file}?mode=rw`, 'opened');
  assert.deepEqual(await ids(file), ['created', 'opened', 'plain', 'scheme']);
});

test('mode=ro reads a store and refuses to write it', async (t) => {
  const file = join(folder(t), 'a.db');
  await start(file, 'i');
  const provider = await SqliteProvider.open(`sqlite:${file}?mode=ro`);
  t.after(() => provider.close());
  const client = new Client(provider);
  assert.equal((await client.getOrchestrationStatus('i')).status, 'Running');
  await assert.rejects(client.startOrchestration('j', 'Echo'), (error) => {
    assert.ok(error instanceof DuroxideError, String(error));
    assert.match(error.message, /read-?only/i);
    return true;
  });
});

test('mode=rw and mode=ro create nothing, and another mode is refused', async (t) => {
  const file = join(folder(t), 'absent.db');
  for (const mode of ['rw', 'ro']) {
    await assert.rejects(SqliteProvider.open(`${file}?mode=${mode}`), (error) => error.message.includes('absent.db'));
  }
  await assert.rejects(SqliteProvider.open(`${file}?mode=rx`), /rx/);
  assert.equal(existsSync(file), false);
});

test('each store in memory is its own, however it is opened', async (t) => {
  const file = join(folder(t), 'never.db');
  const stores = [
    await SqliteProvider.inMemory(),
    await SqliteProvider.inMemory(),
    await SqliteProvider.open(':memory:'),
    await SqliteProvider.open('sqlite::memory:'),
    await SqliteProvider.open(`sqlite:${file}?mode=memory`),
  ];
  for (const [n, provider] of stores.entries()) await new Client(provider).startOrchestration(`only ${n}`, 'Echo');
  for (const [n, provider] of stores.entries()) {
    assert.deepEqual(await new Client(provider).listAllInstances(), [`only ${n}`]);
    await provider.close();
  }
  assert.equal(existsSync(file), false);
});

test('both durabilities survive the end of the process, another one is refused', async (t) => {
  const file = join(folder(t), 'a.db');
  for (const durability of ['process', 'full', undefined]) {
    const { signal } = evaluated(`
      const provider = await d.SqliteProvider.open(${JSON.stringify(file)}, ${JSON.stringify({ durability })});
      await new d.Client(provider).startOrchestration(${JSON.stringify(String(durability))}, 'Echo');
      process.kill(process.pid, 'SIGKILL');
      await new Promise(() => setInterval(() => {}, 1000));`);
    assert.equal(signal, 'SIGKILL');
  }
  assert.deepEqual(await ids(file), ['full', 'process', 'undefined']);
  await assert.rejects(SqliteProvider.open(file, { durability: 'none' }), {
    name: 'TypeError',
    message: "SqliteProvider.open: option 'durability' must be one of 'full', 'process', not 'none'",
  });
});

test('a provider can be closed by Symbol.asyncDispose, and more than once', async (t) => {
  const provider = await SqliteProvider.open(join(folder(t), 'a.db'));
  await provider[Symbol.asyncDispose]();
  await provider.close();
  await assert.rejects(new Client(provider).listAllInstances(), { code: 'STORE_UNUSABLE' });
});

test('several Runtimes with a provider each share one file', async (t) => {
  const file = join(folder(t), 'a.db');
  const clients = [];
  for (let n = 0; n < 3; n++) {
    const provider = await SqliteProvider.open(file);
    t.after(() => provider.close());
    clients.push((await started(t, { provider, orchestrations: Echo })).client);
  }
  await Promise.all(clients.map((client, n) => client.startOrchestration(`i${n}`, 'Echo', n)));
  for (const client of clients) {
    for (const n of [0, 1, 2]) assert.equal(await client.waitForOrchestrationTyped(`i${n}`), n);
  }
});

test('a Runtime does not close its provider, and the next one resumes everything', async (t) => {
  const { provider, client, runtime } = await started(t, {
    orchestrations: {
      Main: function* (ctx) {
        return [yield ctx.waitForEvent('one'), yield ctx.waitForEvent('two')];
      },
    },
  });
  await client.startOrchestration('i', 'Main');
  await client.raiseEvent('i', 'one', 1);
  await runtime.shutdown();
  await client.raiseEvent('i', 'two', 2);
  const next = new Runtime(provider, { logLevel: 'error' });
  next.registerOrchestration('Main', function* (ctx) {
    return [yield ctx.waitForEvent('one'), yield ctx.waitForEvent('two')];
  });
  await next.start();
  t.after(() => next.shutdown());
  assert.deepEqual(await client.waitForOrchestrationTyped('i'), [1, 2]);
});

test('a database file that is removed while it is open causes no unhandled error', (t) => {
  const dir = folder(t);
  const { status, stdout, stderr } = evaluated(`
    const provider = await d.SqliteProvider.open(${JSON.stringify(join(dir, 'a.db'))});
    const runtime = new d.Runtime(provider, { logLevel: 'off' });
    runtime.registerActivity('A', () => 1);
    runtime.registerOrchestration('O', function* (ctx) { for (;;) { yield ctx.scheduleActivity('A'); yield ctx.scheduleTimer(1); } });
    await runtime.start();
    const client = new d.Client(provider);
    await client.startOrchestration('i', 'O');
    require('node:fs').rmSync(${JSON.stringify(dir)}, { recursive: true });
    await client.waitForOrchestration('i', 300).catch((error) => console.log(error.name));
    await runtime.shutdown();
    await provider.close();
    console.log('over');`);
  assert.deepEqual([status, stdout, stderr], [0, 'TimeoutError\nover\n', '']);
});
