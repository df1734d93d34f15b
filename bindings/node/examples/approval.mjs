// An approval with escalation: ask, wait for the answer or the deadline, ask the next person.
// node approval.mjs [FILE]
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Runtime, SqliteProvider, defineActivity, defineOrchestration } from 'duroxide';

const HOUR = 3_600_000;
const CHAIN = ['team lead', 'director'];

// Mail and shop: a key that was seen before changes nothing, because activities run at least once.
const seen = new Set();
function once(key, what) {
  if (!seen.has(key)) console.log(`  ${what}`);
  seen.add(key);
}

const ask = defineActivity('Ask', async (ctx, { key, who, what }) => once(key, `mail to the ${who}: may we buy ${what}?`));
const buy = defineActivity('Buy', async (ctx, { key, what }) => once(key, `bought: ${what}`));

const approval = defineOrchestration('Approval', function* (ctx, { what, patienceMs }) {
  for (const [level, who] of CHAIN.entries()) {
    yield* ctx.scheduleActivity(ask, { key: `${ctx.instanceId}/ask ${level}`, who, what });
    ctx.setCustomStatus(who); // who is asked now
    // The loser of a race is cancelled: a wait that lost takes no event.
    const { index, value } = yield* ctx.race(ctx.waitForEvent('decision'), ctx.scheduleTimer(patienceMs[level]));
    if (index === 1) continue;
    if (!value.approved) return { approved: false, by: who, why: value.why };
    yield* ctx.scheduleActivity(buy, { key: `${ctx.instanceId}/buy`, what });
    return { approved: true, by: who };
  }
  return { approved: false, by: 'nobody', why: 'no answer in time' };
});

const folder = mkdtempSync(join(tmpdir(), 'duroxide-'));
const provider = await SqliteProvider.open(process.argv[2] ?? join(folder, 'approval.db'));
const runtime = new Runtime(provider, { logLevel: 'error' });
runtime.registerActivity(ask);
runtime.registerActivity(buy);
runtime.registerOrchestration(approval);
await runtime.start();
const client = new Client(provider);

/** Starts a request, answers it when the named person is asked, and waits for the outcome. */
async function request(id, what, patienceMs, answers = {}) {
  console.log(`${id}: ${what}`);
  await client.startOrchestration(id, approval, { what, patienceMs });
  let version = 0;
  for (;;) {
    const shown = await client.waitForStatusChange(id, version);
    if (shown === null) break; // it has ended
    version = shown.customStatusVersion;
    const answer = answers[shown.customStatus];
    if (answer) await client.raiseEvent(id, 'decision', answer);
  }
  const outcome = await client.waitForOrchestrationTyped(id, approval);
  console.log(`  ${outcome.approved ? 'approved' : 'rejected'} by ${outcome.by}${outcome.why ? `: ${outcome.why}` : ''}`);
  return outcome;
}

// In earnest everybody has two days. Here, who does not answer has little time.
const outcomes = [
  await request('request-1', 'a bicycle', [HOUR, HOUR], { 'team lead': { approved: true } }),
  await request('request-2', 'a van', [20, HOUR], { director: { approved: true } }),
  await request('request-3', 'a yacht', [20, HOUR], { director: { approved: false, why: 'too wet' } }),
  await request('request-4', 'a stapler', [20, 20]),
];

await runtime.shutdown();
await provider.close();
rmSync(folder, { recursive: true });

assert.deepEqual(outcomes, [
  { approved: true, by: 'team lead' },
  { approved: true, by: 'director' },
  { approved: false, by: 'director', why: 'too wet' },
  { approved: false, by: 'nobody', why: 'no answer in time' },
]);
