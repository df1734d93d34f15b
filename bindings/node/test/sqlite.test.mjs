// What only SQLite has: files, how they are opened and what can be wrong with them, stores in memory. Not
// here: what every store does, and copies (backup.test.mjs).
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, DuroxideError, SqliteProvider } from 'duroxide';
import { evaluated } from './api/evaluated.mjs';
import { folder } from './helpers.mjs';

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

test('a path that cannot be opened is named', async (t) => {
  const dir = folder(t);
  writeFileSync(join(dir, 'file'), 'x');
  for (const path of [join(dir, 'file', 'below', 'a.db'), dir, `sqlite:${join(dir, 'absent.db')}?mode=rw`]) {
    await assert.rejects(SqliteProvider.open(path), (error) => {
      const bare = path.replace(/^sqlite:|\?.*$/g, '');
      assert.ok(error instanceof DuroxideError && error.message.includes(bare), `${path}: ${error.message}`);
      return true;
    });
  }
  await assert.rejects(SqliteProvider.open('a.db?cache=shared'), /cache=shared/);
  await assert.rejects(SqliteProvider.open(''), TypeError);
  await assert.rejects(SqliteProvider.open(join(dir, 'a.db'), { durabilty: 'full' }), /did you mean 'durability'/);
});

test('missing folders are created', async (t) => {
  const provider = await SqliteProvider.open(join(folder(t), 'some', 'where', 'a.db'));
  await provider.close();
});

test('a file that is no database is refused and left as it is', async (t) => {
  const path = join(folder(t), 'text.db');
  const letter = 'this is a letter, not a database '.repeat(100);
  writeFileSync(path, letter);
  await assert.rejects(SqliteProvider.open(path), (error) => {
    assert.match(error.message, /not a database/);
    assert.ok(error.message.includes(path), error.message);
    return true;
  });
  assert.equal(readFileSync(path, 'utf8'), letter);
});

test('a store with a newer schema is refused', async (t) => {
  const path = join(folder(t), 'newer.db');
  copyFileSync(new URL('fixtures/newer-schema.sqlite', import.meta.url), path);
  await assert.rejects(SqliteProvider.open(path), (error) => {
    assert.equal(error.code, 'STORE_NEWER_SCHEMA');
    assert.match(error.message, /schema version 999.*upgrade/);
    return true;
  });
});

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
