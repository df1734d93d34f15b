// A loop that watches a service for ever: check, sleep, go on as a new execution. A service
// that stays down opens an incident, which lives on its own. node monitor.mjs [FILE]
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Runtime, SqliteProvider, defineActivity, defineOrchestration } from 'duroxide';

const PERIOD_MS = 20; // in earnest: half a minute
const FAILURES_TO_ALARM = 2;

// What the service answers, check by check; after that it is well.
const HEALTH = ['up', 'down', 'up', 'down', 'down', 'up'];

const check = defineActivity('CheckHealth', async (ctx, { service, round }) => {
  const health = HEALTH[round] ?? 'up';
  if (health === 'down') throw new Error(`${service} does not answer`);
});
// The pager drops an alarm whose key it has seen: activities run at least once.
const paged = new Set();
const page = defineActivity('Page', async (ctx, { key, text }) => {
  if (!paged.has(key)) console.log(`  pager: ${text}`);
  paged.add(key);
});

const incident = defineOrchestration('Incident', function* (ctx, { service, because }) {
  yield* ctx.scheduleActivity(page, { key: `${ctx.instanceId}/open`, text: `incident: ${because}` });
  yield* ctx.waitForEvent('recovered');
  yield* ctx.scheduleActivity(page, { key: `${ctx.instanceId}/closed`, text: `closed: ${service} is back` });
  return 'closed';
});
const resolve = defineActivity('Resolve', async (ctx, id) => ctx.getClient().raiseEvent(id, 'recovered'));

const monitor = defineOrchestration('Monitor', function* (ctx, { service, round = 0, failures = 0, open = null, opened = 0 }) {
  let state;
  try {
    yield* ctx.scheduleActivity(check, { service, round });
    if (open) yield* ctx.scheduleActivity(resolve, open);
    state = { failures: 0, open: null, opened };
  } catch (error) {
    state = { failures: failures + 1, open, opened };
    if (state.failures === FAILURES_TO_ALARM && !open) {
      state.open = `incident-${service}-${opened + 1}`;
      state.opened += 1;
      // Detached: it outlives this execution, and a second start of the same id does nothing.
      yield* ctx.startOrchestration(incident, state.open, { service, because: error.message });
    }
  }
  ctx.setCustomStatus(`check ${round + 1}: ${state.failures === 0 ? 'up' : `down (${state.failures})`}`);
  const { index } = yield* ctx.race(ctx.waitForEvent('stop'), ctx.scheduleTimer(PERIOD_MS));
  if (index === 0) return { checks: round + 1, incidents: state.opened };
  return yield* ctx.continueAsNew({ service, round: round + 1, ...state });
});

const folder = mkdtempSync(join(tmpdir(), 'duroxide-'));
const provider = await SqliteProvider.open(process.argv[2] ?? join(folder, 'monitor.db'));
const runtime = new Runtime(provider, { logLevel: 'error' });
for (const activity of [check, page, resolve]) runtime.registerActivity(activity);
for (const orchestration of [monitor, incident]) runtime.registerOrchestration(orchestration);
await runtime.start();
const client = new Client(provider);

console.log('watching shop');
await client.startOrchestration('monitor-shop', monitor, { service: 'shop' });
const closed = await client.waitForOrchestrationTyped('incident-shop-1');
await client.raiseEvent('monitor-shop', 'stop');
const { checks, incidents } = await client.waitForOrchestrationTyped('monitor-shop');
const executions = await client.listExecutions('monitor-shop');
const last = await client.readExecutionHistory('monitor-shop', executions.at(-1));
console.log(`stopped: ${incidents} incident, one execution for each check, a short history in each`);

await runtime.shutdown();
await provider.close();
rmSync(folder, { recursive: true });

assert.equal(closed, 'closed');
assert.equal(incidents, 1);
assert.ok(checks >= HEALTH.length && executions.length === checks);
assert.ok(last.length < 12, `${last.length} events in the last execution`);
