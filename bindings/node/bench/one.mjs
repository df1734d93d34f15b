// One measurement in this process: prints `ready`, waits for a line, measures, prints one JSON
// value, and ends with its stdin. The same arguments and workloads as `duroxide-bench one`,
// which is the same in Rust; `cargo xtask bench` starts both.
// node bench/one.mjs WORKLOAD --store STORE [--at-once 50] [--ms 3000] [--count 1000] --folder F [--url U]
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client, PostgresProvider, Runtime, SqliteProvider } from 'duroxide';

const PATIENCE_MS = 600_000;
/** Activities before a cold workflow waits: each is two events. */
const COLD_STEPS = 100;

/** The orchestration of each workload, its input, and the durable steps of one workflow. */
const WORKLOADS = {
  hello: ['Seq', 1, 1],
  seq: ['Seq', 20, 20],
  fanout: ['Fanout', 100, 100],
  stagger: ['Stagger', 100, 100],
  longhist: ['Seq', 0, 0],
  event: ['Wait', 0, 1],
  timer: ['Timer', 1, 1],
  subs: ['Subs', 10, 10],
  can: ['Can', 50, 50],
  backlog: ['Seq', 1, 1],
  idle: ['Wait', 0, 1],
  cold: ['Wait', COLD_STEPS, 1],
};

const { positionals, values: args } = parseArgs({
  allowPositionals: true,
  options: {
    store: { type: 'string' },
    'at-once': { type: 'string', default: '50' },
    ms: { type: 'string', default: '3000' },
    count: { type: 'string', default: '1000' },
    folder: { type: 'string' },
    url: { type: 'string' },
  },
});
const [workload] = positionals;
if (!(workload in WORKLOADS)) throw new Error(`no workload '${workload}': expected ${Object.keys(WORKLOADS).join(', ')}`);
const [orchestration, input, stepsOfOne] = WORKLOADS[workload];
const atOnce = Number(args['at-once']);
const count = Number(args.count);
const lasts = Number(args.ms);

// The store's own count of its group commits is no part of the package: the addon has it.
const { addon } = createRequire(import.meta.url)('../dist/native.js');
const { openSqlite } = addon;
let opened;
addon.openSqlite = async (...given) => (opened = await openSqlite(...given));
const commits = () => opened?.commits() ?? null;

function open() {
  const file = join(args.folder, 'bench.db');
  switch (args.store) {
    case 'sqlite-full':
      return SqliteProvider.open(file);
    case 'sqlite-process':
      return SqliteProvider.open(file, { durability: 'process' });
    case 'memory':
      return SqliteProvider.inMemory();
    case 'postgres':
      return PostgresProvider.connect(args.url);
    default:
      throw new Error(`no store '${args.store}': expected sqlite-full, sqlite-process, memory or postgres`);
  }
}

const begun = [];

function runtimeOn(provider) {
  const runtime = new Runtime(provider, { logLevel: 'error' });
  runtime.registerActivity('Step', (ctx, n) => {
    if (workload === 'longhist') begun.push(performance.now());
    return n;
  });
  runtime.registerActivity('Late', async (ctx, n) => {
    await sleep(1 + (n % 20));
    return n;
  });
  runtime.registerOrchestration('Seq', function* (ctx, steps) {
    for (let n = 0; n < steps; n++) yield ctx.scheduleActivity('Step', n);
    return steps;
  });
  const together = (name) =>
    function* (ctx, tasks) {
      yield ctx.all(Array.from({ length: tasks }, (_, n) => ctx.scheduleActivity(name, n)));
      return tasks;
    };
  runtime.registerOrchestration('Fanout', together('Step'));
  runtime.registerOrchestration('Stagger', together('Late'));
  runtime.registerOrchestration('Wait', function* (ctx, before) {
    for (let n = 0; n < before; n++) yield ctx.scheduleActivity('Step', n);
    ctx.setCustomStatus('waiting');
    return yield ctx.waitForEvent('Go');
  });
  runtime.registerOrchestration('Timer', function* (ctx, delayMs) {
    yield ctx.scheduleTimer(delayMs);
    return delayMs;
  });
  runtime.registerOrchestration('Subs', function* (ctx, children) {
    yield ctx.all(Array.from({ length: children }, (_, n) => ctx.scheduleSubOrchestration('Child', n)));
    return children;
  });
  runtime.registerOrchestration('Child', function* (ctx, n) {
    return n;
  });
  runtime.registerOrchestration('Can', function* (ctx, left) {
    if (left === 0) return 0;
    return yield ctx.continueAsNew(left - 1);
  });
  return runtime;
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (line) => process.stdout.write(`${line}\n`);
async function ready() {
  say('ready');
  const { done } = await lines.next();
  if (done) throw new Error('nobody said go');
}

function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.round((sorted.length - 1) * share)] ?? 0;
}

/** What a measurement gives: the ms of each workflow, since when, and the commits before it. */
function inside(times, began, before, more = {}) {
  const commitsNow = commits();
  return {
    workflows: times.length,
    steps: times.length * stepsOfOne,
    seconds: (performance.now() - began) / 1000,
    p50_ms: percentile(times, 0.5),
    p99_ms: percentile(times, 0.99),
    ...(commitsNow === null ? {} : { commits: commitsNow - before }),
    ...more,
  };
}

const many = (number, one) => Promise.all(Array.from({ length: number }, one));

let numbers = 0;

/** From its start to its end; gives the ms that count. */
async function workflow(client) {
  const id = `${workload}-${numbers++}`;
  let began = performance.now();
  await client.startOrchestration(id, orchestration, input);
  if (workload === 'event') {
    await client.waitForStatusChange(id, 0, 1, PATIENCE_MS);
    began = performance.now();
    await client.raiseEvent(id, 'Go', 1);
  }
  await client.waitForOrchestrationTyped(id, PATIENCE_MS);
  return performance.now() - began;
}

async function closed(client, ms) {
  const [began, before] = [performance.now(), commits()];
  const times = [];
  await many(atOnce, async () => {
    while (performance.now() - began < ms) times.push(await workflow(client));
  });
  return inside(times, began, before);
}

async function long(client) {
  const [began, before] = [performance.now(), commits()];
  await client.startOrchestration('long', orchestration, count);
  await client.waitForOrchestrationTyped('long', PATIENCE_MS);
  const times = begun.slice(1).map((at, n) => at - begun[n]);
  const tenth = Math.floor(times.length / 10);
  const growth = percentile(times.slice(-tenth), 0.5) / percentile(times.slice(0, tenth), 0.5);
  return inside(times, began, before, { workflows: 1, steps: begun.length, growth });
}

/** Start all instances, and wait until each of them waits if it does. */
async function fill(client) {
  let next = 0;
  await many(200, async () => {
    while (next < count) {
      const id = `i-${next++}`;
      await client.startOrchestration(id, orchestration, input);
      if (orchestration === 'Wait') await client.waitForStatusChange(id, 0, 1, PATIENCE_MS);
    }
  });
}

/** Until every instance has ended, which is told to go if it waits. */
async function drained(client) {
  const [began, before] = [performance.now(), commits()];
  const times = [];
  let next = 0;
  await many(atOnce, async () => {
    while (next < count) {
      const id = `i-${next++}`;
      if (orchestration === 'Wait') await client.raiseEvent(id, 'Go', 1);
      await client.waitForOrchestrationTyped(id, PATIENCE_MS);
      times.push(performance.now() - began);
    }
  });
  return inside(times, began, before);
}

/** A started runtime on a newly opened store, and a client. */
async function started() {
  const provider = await open();
  const runtime = runtimeOn(provider);
  await runtime.start();
  return { provider, runtime, client: new Client(provider) };
}

async function measured() {
  if (workload === 'backlog') {
    const provider = await open();
    const client = new Client(provider);
    await fill(client);
    await ready();
    const runtime = runtimeOn(provider);
    const loaded = runtime.start().then(() => drained(client));
    return { runtime, provider, told: await loaded };
  }
  let { provider, runtime, client } = await started();
  switch (workload) {
    case 'cold':
      await fill(client);
      await runtime.shutdown();
      await provider.close();
      provider = await open();
      await ready();
      runtime = runtimeOn(provider);
      await runtime.start();
      return { runtime, provider, told: await drained(new Client(provider)) };
    case 'idle': {
      await fill(client);
      await ready();
      const began = performance.now();
      await sleep(lasts);
      return { runtime, provider, told: inside([], began, commits()) };
    }
    case 'longhist':
      await ready();
      return { runtime, provider, told: await long(client) };
    default:
      await closed(client, lasts / 4);
      await ready();
      return { runtime, provider, told: await closed(client, lasts) };
  }
}

const { runtime, provider, told } = await measured();
say(JSON.stringify(told));
// What ends with the process is none of the measurement: until somebody has looked.
await lines.next();
await runtime.shutdown();
await provider.close();
