// A fan-out import: the pages of a source are loaded a few at a time, each with retries; a page
// that cannot be loaded is reported and stops nothing. node import.mjs
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Runtime, SqliteProvider, defineActivity, defineOrchestration } from 'duroxide';

const WINDOW = 4;
const RETRY = { maxAttempts: 3, backoff: { initialMs: 5, maxMs: 20, factor: 2 }, nonRetryable: ['BadPage'] };

class BadPage extends Error {
  name = 'BadPage';
}

// The target: rows by id, so that a page which is loaded twice is there once.
const rows = new Map();
const tries = new Map();
let [running, most] = [0, 0];

const listPages = defineActivity('ListPages', async (ctx, source) => Array.from({ length: source.pages }, (_, n) => n + 1));
const loadPage = defineActivity('LoadPage', async (ctx, { page }) => {
  most = Math.max(most, ++running);
  try {
    tries.set(page, (tries.get(page) ?? 0) + 1);
    await new Promise(setImmediate);
    if (page === 7) throw new BadPage(`page ${page} is no valid CSV`);
    if (page % 5 === 0 && tries.get(page) < 3) throw new Error('the source is busy');
    for (let n = 1; n <= 10; n++) rows.set(`${page}-${n}`, { page, n });
    return 10;
  } finally {
    running -= 1;
  }
});

const importAll = defineOrchestration('Import', function* (ctx, source) {
  const pages = yield* ctx.scheduleActivity(listPages, source);
  let imported = 0;
  const failed = [];
  for (let at = 0; at < pages.length; at += WINDOW) {
    const window = pages.slice(at, at + WINDOW);
    const results = yield* ctx.all(window.map((page) => ctx.scheduleActivityWithRetry(loadPage, { page }, RETRY)));
    for (const [n, { ok, err }] of results.entries()) {
      if (err === undefined) imported += ok;
      else failed.push({ page: window[n], why: err });
    }
    ctx.setCustomStatus(`${Math.min(at + WINDOW, pages.length)} of ${pages.length} pages`);
  }
  return { imported, failed };
});

const folder = mkdtempSync(join(tmpdir(), 'duroxide-'));
const provider = await SqliteProvider.open(join(folder, 'import.db'));
const runtime = new Runtime(provider, { logLevel: 'error', workerConcurrency: 16 });
runtime.registerActivity(listPages);
runtime.registerActivity(loadPage);
runtime.registerOrchestration(importAll);
await runtime.start();
const client = new Client(provider);

await client.startOrchestration('import-1', importAll, { pages: 10 });
const outcome = await client.waitForOrchestrationTyped('import-1');
const { customStatus } = await client.getOrchestrationStatus('import-1');
console.log(customStatus);
console.log(`${outcome.imported} rows imported, ${rows.size} in the target`);
for (const { page, why } of outcome.failed) console.log(`page ${page} failed after ${tries.get(page)} try: ${why}`);
console.log(`page 5 was tried ${tries.get(5)} times; never more than ${WINDOW} at once: ${most <= WINDOW}`);

await runtime.shutdown();
await provider.close();
rmSync(folder, { recursive: true });

assert.deepEqual(outcome, { imported: 90, failed: [{ page: 7, why: 'page 7 is no valid CSV' }] });
assert.equal(rows.size, 90);
assert.ok(most <= WINDOW);
