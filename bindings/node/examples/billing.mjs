// A subscription: a trial, then a charge each period, one execution each. The customer changes
// plans and cancels through a queue; a card that fails is tried again, then the subscription
// ends. node billing.mjs
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Runtime, SqliteProvider, defineActivity, defineOrchestration } from 'duroxide';

const PERIOD_MS = 30; // in earnest: a month
const PRICES = { basic: 5, plus: 9 };
const DUNNING = { maxAttempts: 3, backoff: { initialMs: 5, maxMs: 20, factor: 2 } }; // in earnest: days

// What a customer does after a payment, by the number of the period.
const wishes = { 'sub-ada/1': { plan: 'plus' }, 'sub-ada/2': { cancel: true } };

// The payment service remembers keys: one that was charged already is not charged again.
const charges = new Map();
const charge = defineActivity('Charge', async (ctx, { key, customer, amount }) => {
  if (key === 'sub-bob/2') throw new Error('card expired');
  if (!charges.has(key)) console.log(`  ${customer} pays ${amount}`);
  charges.set(key, amount);
  if (wishes[key]) await ctx.getClient().enqueueEvent(ctx.instanceId, 'wishes', wishes[key]);
});
// So does the mail service.
const mails = new Set();
const mail = defineActivity('Mail', async (ctx, { key, to, text }) => {
  if (!mails.has(key)) console.log(`  mail to ${to}: ${text}`);
  mails.add(key);
});

/** What the customer asked for before the period ended, or null. */
function* wishOf(ctx, ms) {
  const { index, value } = yield* ctx.race(ctx.dequeueEvent('wishes'), ctx.scheduleTimer(ms));
  return index === 0 ? value : null;
}

const subscription = defineOrchestration('Subscription', function* (ctx, { customer, plan, period = 0, paid = 0 }) {
  if (period > 0) {
    try {
      const bill = { key: `${ctx.instanceId}/${period}`, customer, amount: PRICES[plan] };
      yield* ctx.scheduleActivityWithRetry(charge, bill, DUNNING);
      paid += PRICES[plan];
    } catch (error) {
      yield* ctx.scheduleActivity(mail, { key: `${ctx.instanceId}/end`, to: customer, text: `suspended: ${error.message}` });
      return { ended: 'suspended', paid };
    }
  }
  ctx.setCustomStatus(period === 0 ? 'trial' : `period ${period}, ${plan}`);
  const end = (yield* ctx.utcNow()) + PERIOD_MS;
  for (let left = PERIOD_MS; left > 0; left = end - (yield* ctx.utcNow())) {
    const wish = yield* wishOf(ctx, left);
    if (wish?.cancel) {
      yield* ctx.scheduleActivity(mail, { key: `${ctx.instanceId}/end`, to: customer, text: 'sorry to see you go' });
      return { ended: 'cancelled', paid };
    }
    if (wish?.plan) plan = wish.plan; // from the next period on
  }
  return yield* ctx.continueAsNew({ customer, plan, period: period + 1, paid });
});

const folder = mkdtempSync(join(tmpdir(), 'duroxide-'));
const provider = await SqliteProvider.open(join(folder, 'billing.db'));
const runtime = new Runtime(provider, { logLevel: 'error' });
runtime.registerActivity(charge);
runtime.registerActivity(mail);
runtime.registerOrchestration(subscription);
await runtime.start();
const client = new Client(provider);

console.log('ada');
await client.startOrchestration('sub-ada', subscription, { customer: 'ada', plan: 'basic' });
const ada = await client.waitForOrchestrationTyped('sub-ada');
console.log(`  ${ada.ended}, ${ada.paid} paid; last shown: ${(await client.getStatus('sub-ada')).customStatus}`);

console.log('bob');
await client.startOrchestration('sub-bob', subscription, { customer: 'bob', plan: 'plus' });
const bob = await client.waitForOrchestrationTyped('sub-bob');
console.log(`  ${bob.ended}, ${bob.paid} paid`);

await runtime.shutdown();
await provider.close();
rmSync(folder, { recursive: true });

assert.deepEqual([ada, bob], [{ ended: 'cancelled', paid: 14 }, { ended: 'suspended', paid: 9 }]);
assert.deepEqual([...charges.values()], [5, 9, 9]);
