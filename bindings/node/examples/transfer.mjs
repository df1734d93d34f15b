// A bank transfer between two ledgers: debit, credit, and back again if the credit is refused.
// An answer that got lost makes an activity run twice; the money moves once.
// node transfer.mjs
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Runtime, SqliteProvider, defineActivity, defineOrchestration } from 'duroxide';

const RETRY = {
  maxAttempts: 5,
  backoff: { initialMs: 5, maxMs: 50, factor: 2 },
  timeoutMs: 5_000,
  nonRetryable: ['Refused'],
};

class Refused extends Error {
  name = 'Refused';
}

// A ledger remembers the key of each entry: the idempotency that a bank's interface offers.
const ledger = { accounts: new Map([['alice', 100], ['bob', 0], ['closed', null]]), entries: new Set() };
function book({ key, account, amount }) {
  if (ledger.entries.has(key)) return 'booked before';
  const balance = ledger.accounts.get(account);
  if (balance === null) throw new Refused(`account ${account} is closed`);
  if (balance + amount < 0) throw new Refused(`account ${account} has only ${balance}`);
  ledger.accounts.set(account, balance + amount);
  ledger.entries.add(key);
  return 'booked';
}

let lostAnswers = 0;
const enter = defineActivity('Enter', async (ctx, entry) => {
  const done = book(entry);
  console.log(`  ${entry.account} ${entry.amount > 0 ? '+' : ''}${entry.amount}: ${done}`);
  if (entry.key === 'transfer-1/debit' && lostAnswers++ === 0) throw new Error('the connection was lost after the booking');
});

const transfer = defineOrchestration('Transfer', function* (ctx, { from, to, amount }) {
  const entry = (step, account, sum) => ({ key: `${ctx.instanceId}/${step}`, account, amount: sum });
  yield* ctx.scheduleActivityWithRetry(enter, entry('debit', from, -amount), RETRY);
  try {
    yield* ctx.scheduleActivityWithRetry(enter, entry('credit', to, amount), RETRY);
  } catch (error) {
    yield* ctx.scheduleActivityWithRetry(enter, entry('refund', from, amount), RETRY);
    throw error;
  }
  return `${amount} moved`;
});

const folder = mkdtempSync(join(tmpdir(), 'duroxide-'));
const provider = await SqliteProvider.open(join(folder, 'transfer.db'));
const runtime = new Runtime(provider, { logLevel: 'error' });
runtime.registerActivity(enter);
runtime.registerOrchestration(transfer);
await runtime.start();
const client = new Client(provider);

const outcomes = [];
for (const [id, order] of Object.entries({
  'transfer-1': { from: 'alice', to: 'bob', amount: 60 },
  'transfer-2': { from: 'alice', to: 'closed', amount: 30 },
  'transfer-3': { from: 'alice', to: 'bob', amount: 50 },
})) {
  console.log(`${id}: ${order.amount} from ${order.from} to ${order.to}`);
  await client.startOrchestration(id, transfer, order);
  const { status, output, error } = await client.waitForOrchestration(id);
  console.log(`  ${status}: ${output ?? error}`);
  outcomes.push(output ?? error);
}
const { alice, bob } = Object.fromEntries(ledger.accounts);
console.log(`alice has ${alice}, bob has ${bob}`);

await runtime.shutdown();
await provider.close();
rmSync(folder, { recursive: true });

assert.deepEqual(outcomes, ['60 moved', 'account closed is closed', 'account alice has only 40']);
assert.deepEqual([alice, bob], [40, 60]);
