// `provider.backup`: a copy of a store in use, which is a store of its own.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, DuroxideError, SqliteProvider } from 'duroxide';
import { folder, started } from './helpers.mjs';

const activities = { Echo: (ctx, value) => value };
const orchestrations = {
  *Main(ctx, input) {
    const echoed = yield ctx.scheduleActivity('Echo', input);
    return [echoed, yield ctx.waitForEvent('go')];
  },
  *Busy(ctx, n) {
    for (let i = 0; i < n; i++) yield ctx.scheduleActivity('Echo', i);
    return n;
  },
};

async function opened(t, path) {
  const provider = await SqliteProvider.open(path);
  t.after(() => provider.close());
  return provider;
}

test('what was acknowledged before the backup is in it, and goes on there by itself', async (t) => {
  const dir = folder(t);
  const provider = await opened(t, join(dir, 'store.db'));
  const { client } = await started(t, { provider, activities, orchestrations });
  await client.startOrchestration('i', 'Main', 'before');
  await client.startOrchestration('busy', 'Busy', 200);
  await provider.backup(join(dir, 'copy.db'));
  await client.startOrchestration('later', 'Main', 'after');
  await client.raiseEvent('i', 'go', 'original');
  assert.deepEqual(await client.waitForOrchestrationTyped('i'), ['before', 'original']);
  assert.equal(await client.waitForOrchestrationTyped('busy'), 200);

  const copy = await opened(t, join(dir, 'copy.db'));
  const there = await started(t, { provider: copy, activities, orchestrations });
  assert.equal((await there.client.getOrchestrationStatus('later')).status, 'NotFound');
  await there.client.raiseEvent('i', 'go', 'copy');
  assert.deepEqual(await there.client.waitForOrchestrationTyped('i'), ['before', 'copy']);
  assert.equal(await there.client.waitForOrchestrationTyped('busy'), 200);
  assert.deepEqual(await client.waitForOrchestrationTyped('i'), ['before', 'original']);
});

test('a store in memory can be copied too, and a sqlite: url names the file', async (t) => {
  const dir = folder(t);
  const provider = await SqliteProvider.inMemory();
  t.after(() => provider.close());
  await new Client(provider).startOrchestration('i', 'Main');
  await provider.backup(`sqlite:${join(dir, 'copy.db')}`);
  assert.deepEqual(readdirSync(dir), ['copy.db']);
  const copy = new Client(await opened(t, join(dir, 'copy.db')));
  assert.equal((await copy.getOrchestrationStatus('i')).status, 'Running');
});

test('a file that exists, a folder that does not, and the store itself are refused, and left alone', async (t) => {
  const dir = folder(t);
  const provider = await opened(t, join(dir, 'store.db'));
  writeFileSync(join(dir, 'taken'), 'mine');
  mkdirSync(join(dir, 'sub'));
  const before = readdirSync(dir).sort();
  for (const path of ['taken', 'sub', join('absent', 'copy.db'), 'store.db']) {
    await assert.rejects(provider.backup(join(dir, path)), (error) => {
      assert.ok(error instanceof DuroxideError, String(error));
      assert.equal(error.code, 'INVALID');
      return error.message.includes(path);
    });
  }
  assert.deepEqual(readdirSync(dir).sort(), before);
  for (const path of ['', 7, undefined]) {
    await assert.rejects(provider.backup(path), (error) => error instanceof TypeError && /provider\.backup: the path/.test(error.message));
  }
});

test('a closed provider refuses with its code', async (t) => {
  const dir = folder(t);
  const provider = await SqliteProvider.open(join(dir, 'store.db'));
  await provider.close();
  await assert.rejects(provider.backup(join(dir, 'copy.db')), (error) => error.code === 'STORE_UNUSABLE');
  assert.ok(!existsSync(join(dir, 'copy.db')));
});
