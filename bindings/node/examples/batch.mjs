// A batch with a child for each item: every item has an id, a history and an error of its own;
// the batch waits for all and reports. node batch.mjs [FILE]
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Runtime, SqliteProvider, defineActivity, defineOrchestration } from 'duroxide';

const RETRY = { maxAttempts: 2, backoff: 'none', nonRetryable: ['NotAnImage'] };

class NotAnImage extends Error {
  name = 'NotAnImage';
}

const inspect = defineActivity('Inspect', async (ctx, file) => {
  if (!file.endsWith('.png')) throw new NotAnImage(`${file} is not an image`);
  return { file, width: 100 * file.length };
});
const resized = new Set();
const resize = defineActivity('Resize', async (ctx, { file, width }) => {
  // Fails once; the second attempt is the retry policy's.
  if (file === 'flaky.png' && !resized.has(file)) {
    resized.add(file);
    throw new Error('out of memory');
  }
  return `${file}@${width / 2}`;
});

const convert = defineOrchestration('Convert', function* (ctx, file) {
  const seen = yield* ctx.scheduleActivity(inspect, file);
  const made = yield* ctx.scheduleActivityWithRetry(resize, seen, RETRY);
  ctx.setValue('made', made); // kept after the end, for whoever looks at this item
  return made;
});

const convertAll = defineOrchestration('ConvertAll', function* (ctx, files) {
  const children = files.map((file) => ctx.scheduleSubOrchestrationWithId(convert, `${ctx.instanceId}/${file}`, file));
  const results = yield* ctx.all(children);
  const failed = results.flatMap(({ err }) => (err === undefined ? [] : [err]));
  return { made: results.flatMap(({ ok }) => ok ?? []), failed };
});

const folder = mkdtempSync(join(tmpdir(), 'duroxide-'));
const provider = await SqliteProvider.open(process.argv[2] ?? join(folder, 'batch.db'));
const runtime = new Runtime(provider, { logLevel: 'error' });
runtime.registerActivity(inspect);
runtime.registerActivity(resize);
for (const orchestration of [convertAll, convert]) runtime.registerOrchestration(orchestration);
await runtime.start();
const client = new Client(provider);

const files = ['cat.png', 'notes.txt', 'flaky.png', 'house.png'];
await client.startOrchestration('batch-1', convertAll, files);
const { made, failed } = await client.waitForOrchestrationTyped('batch-1');
console.log(`made: ${made.join(', ')}`);
console.log(`failed: ${failed.join(', ')}`);

const tree = await client.getInstanceTree('batch-1');
console.log(`instances: ${tree.size}`);
for (const file of files) {
  const item = await client.getInstanceInfo(`batch-1/${file}`);
  console.log(`  ${item.instanceId}, child of ${item.parentInstanceId}: ${item.status}`);
}
const value = await client.getValue('batch-1/cat.png', 'made');

// Items go with their batch.
const { instancesDeleted } = await client.deleteInstance('batch-1');
console.log(`deleted: ${instancesDeleted} instances`);

await runtime.shutdown();
await provider.close();
rmSync(folder, { recursive: true });

assert.deepEqual(made, ['cat.png@350', 'flaky.png@450', 'house.png@450']);
assert.deepEqual(failed, ['notes.txt is not an image']);
assert.deepEqual([tree.size, value, instancesDeleted], [5, 'cat.png@350', 5]);
