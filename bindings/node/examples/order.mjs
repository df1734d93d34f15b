// An order with compensation: reserve, charge, ship. What fails undoes what was done before
// it, in reverse. node order.mjs [FILE]
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Runtime, SqliteProvider, defineActivity, defineOrchestration } from 'duroxide';

const RETRY = { maxAttempts: 3, backoff: { initialMs: 10, maxMs: 50, factor: 2 }, nonRetryable: ['CardDeclined'] };

// The world outside. A key that was seen before changes nothing: activities run at least once.
const effects = new Map();
function once(key, what) {
  if (!effects.has(key)) console.log(`  ${what}`);
  effects.set(key, what);
}

class CardDeclined extends Error {
  name = 'CardDeclined';
}

const reserve = defineActivity('Reserve', async (ctx, { key, item }) => once(key, `reserved: ${item}`));
const release = defineActivity('Release', async (ctx, { key, item }) => once(key, `back on the shelf: ${item}`));
const refund = defineActivity('Refund', async (ctx, { key, amount }) => once(key, `refunded: ${amount}`));

const charge = defineActivity('Charge', async (ctx, { key, card, amount }) => {
  if (card === 'empty') throw new CardDeclined(`card declined for ${amount}`);
  once(key, `charged: ${amount}`);
  return `receipt for ${amount}`;
});

let calls = 0;
const ship = defineActivity('Ship', async (ctx, { key, item, to }) => {
  if (to === 'the moon') throw new Error(`no carrier goes to ${to}`);
  calls += 1;
  if (calls === 1) throw new Error('the carrier is busy'); // the retry policy asks again
  once(key, `shipped: ${item} to ${to}`);
});

const placeOrder = defineOrchestration('PlaceOrder', function* (ctx, { item, amount, card, to }) {
  const key = (step) => `${ctx.instanceId}/${step}`;
  const undo = [];
  try {
    yield* ctx.scheduleActivity(reserve, { key: key('reserve'), item });
    undo.push(() => ctx.scheduleActivity(release, { key: key('release'), item }));

    const receipt = yield* ctx.scheduleActivityWithRetry(charge, { key: key('charge'), card, amount }, RETRY);
    undo.push(() => ctx.scheduleActivity(refund, { key: key('refund'), amount }));

    yield* ctx.scheduleActivityWithRetry(ship, { key: key('ship'), item, to }, RETRY);
    return { state: 'shipped', receipt };
  } catch (error) {
    for (const compensation of undo.reverse()) yield* compensation();
    return { state: 'undone', because: error.message };
  }
});

const folder = mkdtempSync(join(tmpdir(), 'duroxide-'));
const provider = await SqliteProvider.open(process.argv[2] ?? join(folder, 'order.db'));
const runtime = new Runtime(provider, { logLevel: 'error' });
for (const activity of [reserve, release, charge, refund, ship]) runtime.registerActivity(activity);
runtime.registerOrchestration(placeOrder);
await runtime.start();
const client = new Client(provider);

const outcomes = [];
for (const [id, order] of Object.entries({
  'order-1': { item: 'a book', amount: 20, card: 'good', to: 'Lisbon' },
  'order-2': { item: 'a lamp', amount: 70, card: 'empty', to: 'Lisbon' },
  'order-3': { item: 'a kite', amount: 30, card: 'good', to: 'the moon' },
})) {
  console.log(`${id}: ${order.item} to ${order.to}`);
  await client.startOrchestration(id, placeOrder, order);
  const outcome = await client.waitForOrchestrationTyped(id);
  console.log(`  ${outcome.state}${outcome.because ? `, because ${outcome.because}` : ''}`);
  outcomes.push(outcome);
}

await runtime.shutdown();
await provider.close();
rmSync(folder, { recursive: true });

assert.deepEqual(outcomes, [
  { state: 'shipped', receipt: 'receipt for 20' },
  { state: 'undone', because: 'card declined for 70' },
  { state: 'undone', because: 'no carrier goes to the moon' },
]);
