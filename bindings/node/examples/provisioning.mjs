// Provisioning with polling: ask the cloud for a machine, ask again until it is ready, within a
// deadline. Whatever goes wrong, nothing that costs money is left. node provisioning.mjs
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Runtime, SqliteProvider, defineActivity, defineOrchestration } from 'duroxide';

const POLL_MS = 5;
const MAX_POLL_MS = 40;
const HOUR = 3_600_000;

// The cloud: a name that exists already is not made a second time.
const machines = new Map();
const create = defineActivity('CreateMachine', async (ctx, { name, size }) => {
  if (!machines.has(name)) machines.set(name, { polls: 0, size });
});
const describe = defineActivity('DescribeMachine', async (ctx, name) => {
  const machine = machines.get(name);
  if (machine === undefined) return { state: 'gone' }; // removed while this was on its way
  machine.polls += 1;
  return machine.size === 'small' && machine.polls >= 3 ? { state: 'ready', address: `10.0.0.${machine.polls}` } : { state: 'starting' };
});
const remove = defineActivity('RemoveMachine', async (ctx, name) => machines.delete(name));

// A child, so that the whole loop can stand in a race; the deadline cancels it.
const untilReady = defineOrchestration('UntilReady', function* (ctx, name) {
  for (let delay = POLL_MS; ; delay = Math.min(2 * delay, MAX_POLL_MS)) {
    const seen = yield* ctx.scheduleActivity(describe, name);
    if (seen.state === 'ready') return seen.address;
    yield* ctx.scheduleTimer(delay);
  }
});

const provision = defineOrchestration('Provision', function* (ctx, { size, deadlineMs }) {
  const name = `vm-${ctx.instanceId}`;
  let ready = false;
  try {
    yield* ctx.scheduleActivity(create, { name, size });
    ctx.setCustomStatus('starting');
    const first = yield* ctx.race(ctx.scheduleSubOrchestration(untilReady, name), ctx.scheduleTimer(deadlineMs));
    if (first.index === 1) throw new Error(`${name} was not ready in time`);
    ready = true;
    return { name, address: first.value };
  } finally {
    // Runs after a failure and after a cancel alike, and may schedule work.
    if (!ready) yield* ctx.scheduleActivity(remove, name);
  }
});

const folder = mkdtempSync(join(tmpdir(), 'duroxide-'));
const provider = await SqliteProvider.open(join(folder, 'provisioning.db'));
const runtime = new Runtime(provider, { logLevel: 'error' });
for (const activity of [create, describe, remove]) runtime.registerActivity(activity);
for (const orchestration of [provision, untilReady]) runtime.registerOrchestration(orchestration);
await runtime.start();
const client = new Client(provider);

const outcomes = [];
async function outcome(id) {
  const { status, output, error } = await client.waitForOrchestration(id);
  const told = status === 'Completed' ? `${output.name} is at ${output.address}` : error;
  console.log(`${id}: ${status}, ${told}`);
  outcomes.push([status, told]);
}

await client.startOrchestration('a', provision, { size: 'small', deadlineMs: HOUR });
await outcome('a');

await client.startOrchestration('b', provision, { size: 'huge', deadlineMs: 100 }); // never gets ready
await outcome('b');

await client.startOrchestration('c', provision, { size: 'huge', deadlineMs: HOUR });
await client.waitForStatusChange('c', 0);
await client.cancelOrchestration('c', 'the customer changed their mind');
await outcome('c');
console.log(`machines left: ${[...machines.keys()].join(', ')}`);

await runtime.shutdown();
await provider.close();
rmSync(folder, { recursive: true });

assert.deepEqual(outcomes, [
  ['Completed', 'vm-a is at 10.0.0.3'],
  ['Failed', 'vm-b was not ready in time'],
  ['Failed', 'canceled: the customer changed their mind'],
]);
assert.deepEqual([...machines.keys()], ['vm-a']);
