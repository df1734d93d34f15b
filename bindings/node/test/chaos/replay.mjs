// Asks a quiet store as a client does: how everything ended, how much there is. Replays every
// execution with the code that ran it, and prints which ones do something else than they did, or
// left another status or other values than a client is told. node replay.mjs CONFIG
import { isDeepStrictEqual } from 'node:util';
import { Client } from 'duroxide';
import { replay } from 'duroxide/testing';
import { orchestrations } from './scenarios.mjs';
import { config, open } from './store.mjs';

/** What the next execution inherits, from what this one inherited and did. */
function left(history, { customStatus, values }) {
  const now = { customStatus, values: { ...values } };
  for (const { kind, data } of history) {
    if (kind === 'CustomStatusUpdated') now.customStatus = data === undefined ? null : JSON.parse(data);
    if (kind === 'KeyValueSet') {
      const { key, value } = JSON.parse(data);
      now.values[key] = value;
    }
  }
  return now;
}

/** How an instance ended, as the driver writes it down; null while it runs. */
function end({ status, output, error }) {
  if (status === 'Running') return null;
  return status === 'Completed' ? { status, output: output ?? null } : { status, error };
}

async function counted() {
  const { totalInstances, runningInstances, totalExecutions, totalEvents } = await client.getSystemMetrics();
  const { orchestratorQueue, workerQueue, timerQueue } = await client.getQueueDepths();
  const waiting = orchestratorQueue + workerQueue + timerQueue;
  return { instances: totalInstances, running: runningInstances, executions: totalExecutions, events: totalEvents, waiting };
}

const provider = await open(config().store);
const client = new Client(provider);
let replayed = 0;
const divergent = [];
const ends = {};

async function look(id) {
  let inherited = { customStatus: null, values: {} };
  for (const execution of await client.listExecutions(id)) {
    const history = await client.readExecutionHistory(id, execution);
    const result = replay(history, orchestrations, inherited);
    replayed += 1;
    if (!result.compatible) divergent.push(`${id}, execution ${execution}: ${result.message}`);
    inherited = left(history, inherited);
  }
  const status = await client.getOrchestrationStatus(id);
  ends[id] = end(status);
  const told = { customStatus: status.customStatus ?? null, values: await client.getKvAllValues(id) };
  if (!isDeepStrictEqual(told, inherited)) {
    divergent.push(`${id}: left ${JSON.stringify(inherited)}, a client is told ${JSON.stringify(told)}`);
  }
}

/** What cannot be read is a finding, and no reason not to look at the others. */
async function noted(what, ask) {
  try {
    return await ask();
  } catch (error) {
    divergent.push(`${what}: ${error.message}`);
  }
}

for (const id of (await noted('all instances', () => client.listAllInstances())) ?? []) {
  await noted(id, () => look(id));
}
const answer = { ends, counted: await noted('the counts', counted), replayed, divergent };
await provider.close();
console.log(JSON.stringify(answer));
