// Replays every execution in a quiet store with the code that ran it, and prints how many there
// were and which ones do something else than they did. node replay.mjs CONFIG
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

const provider = await open(config().store);
const client = new Client(provider);
let replayed = 0;
const divergent = [];
for (const id of await client.listAllInstances()) {
  let inherited = { customStatus: null, values: {} };
  for (const execution of await client.listExecutions(id)) {
    const history = await client.readExecutionHistory(id, execution);
    const result = replay(history, orchestrations, inherited);
    replayed += 1;
    if (!result.compatible) divergent.push(`${id}, execution ${execution}: ${result.message}`);
    inherited = left(history, inherited);
  }
}
await provider.close();
console.log(JSON.stringify({ replayed, divergent }));
