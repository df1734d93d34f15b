// The clients: one process that starts the orders over the given time and sends them what they are
// to be sent, and notes what it asked and what was acknowledged. It is not killed; its store is
// the same that processes die on. When its stdin ends it says on stdout what it still waits for,
// and gives up. node client.mjs CONFIG
import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'duroxide';
import { append, config, open } from './store.mjs';
import { order } from './workload.mjs';

const PATIENCE_MS = 120_000;

const { store, folder, workflows, spreadMs } = config();
const provider = await open(store);
const client = new Client(provider);

async function untilStatus(id, wanted) {
  for (let version = 0; ; ) {
    const status = await client.waitForStatusChange(id, version, undefined, PATIENCE_MS);
    if (status === null) throw new Error(`${id} never showed the status '${wanted}'`);
    if (status.customStatus === wanted) return;
    version = status.customStatusVersion;
  }
}

async function mail(id, n, channel, name, data) {
  const mid = `${id}/${n}`;
  const line = { mid, to: id, channel, name, by: 'client' };
  append(folder, 'mail.ndjson', { ...line, state: 'sending' });
  const send = channel === 'Queue' ? client.enqueueEvent : client.raiseEvent;
  await send.call(client, id, name, { mid, n: data });
  append(folder, 'mail.ndjson', { ...line, state: 'sent' });
}

const DOES = {
  event: (id, n, name, data) => mail(id, n, 'Event', name, data),
  queue: (id, n, name, data) => mail(id, n, 'Queue', name, data),
  status: (id, n, wanted) => untilStatus(id, wanted),
  cancel: (id, n, reason) => client.cancelOrchestration(id, reason),
  terminate: (id, n, reason) => client.terminateOrchestration(id, reason),
  pause: (id, n, ms) => pause(ms),
};

/** What each order is at, by id. */
const calls = new Map();

async function place({ id, name, input, sends, ends, others }) {
  append(folder, 'orders.ndjson', { id, name, ends, others });
  calls.set(id, 'start');
  await client.startOrchestration(id, name, input);
  for (const [n, [what, ...rest]] of sends.entries()) {
    calls.set(id, `${what} ${rest.join(' ')}`);
    await DOES[what](id, n, ...rest);
  }
  calls.delete(id);
}

// The driver waits no longer, or is gone.
process.stdin.on('end', () => {
  for (const [id, what] of calls) writeSync(1, `the client of ${id}, at: ${what}\n`);
  process.exit(1);
});
process.stdin.resume();
process.stdin.unref();

const placed = [];
const begun = performance.now();
for (let n = 0; n < workflows; n++) {
  const due = begun + (n * spreadMs) / workflows;
  const early = due - performance.now();
  if (early > 0) await pause(early);
  placed.push(place(order(n)));
}
await Promise.all(placed);
await provider.close();
