// Crash for real: processes are killed with SIGKILL in the middle of a step and right
// after a step's commit, and stopped with SIGSTOP. Nothing here waits for time to pass,
// except for a stopped process's lease to run out.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Client, Runtime } from 'duroxide';
import { Worker, untilRecorded } from './crash-tools.mjs';
import { folder } from './helpers.mjs';
import { openStore, storeIn } from './store.mjs';

const STEPS = 10;
const TAKE_OVER_MS = 2_000;
const kills = { 'inside an activity': 0, 'right after a commit': 0 };

after(() => {
  for (const [where, count] of Object.entries(kills)) console.log(`SIGKILL ${where}: ${count}`);
});

async function world(t, options) {
  const dir = folder(t);
  const store = storeIn(dir);
  const provider = await openStore(store);
  const client = new Client(provider);
  const workers = [];
  t.after(async () => {
    for (const worker of workers) await worker.kill();
    await provider.close();
  });
  const start = ({ holdsTheThread } = {}) => {
    const passes = holdsTheThread ? join(dir, `passes-${workers.length}`) : undefined;
    const worker = new Worker(store, options, passes);
    workers.push(worker);
    return worker;
  };
  return { provider, client, workers, start };
}

/** Runs the workflow through a series of kills: `[step, where]`, steps rising. */
async function survive({ client, workers, start }, plan) {
  await client.startOrchestration('steps', 'TenSteps');
  const tookOver = [];
  let interrupted = 1;
  for (const [step, where] of [...plan, [STEPS, 'not killed']]) {
    const worker = start();
    // The step that was interrupted runs again, by the new process.
    const first = await worker.hears((message) => message.mark !== undefined);
    if (workers.length > 1) tookOver.push(Math.round(first.at - worker.born));
    assert.ok(first.mark === interrupted || first.mark === interrupted + 1, `${first.mark} after ${interrupted}`);
    worker.pass(step - 1);
    await worker.mark(step);
    if (where === 'inside an activity') {
      interrupted = step;
    } else {
      worker.pass(step);
      if (where === 'not killed') break;
      await untilRecorded(client, 'steps', step);
      interrupted = step + 1;
    }
    assert.equal(await worker.kill(), 'SIGKILL');
    kills[where] += 1;
  }
  return { ended: await client.waitForOrchestration('steps'), tookOver };
}

/** Each step's runs, in order: which process, which attempt. */
function runsOf(workers, step) {
  return workers.flatMap((worker) => worker.marks().filter(({ mark }) => mark === step).map(({ attempt }) => ({ pid: worker.pid, attempt })));
}

async function check({ client, workers }, { ended, tookOver }, plan) {
  assert.equal(ended.status, 'Completed', ended.error);
  const inside = new Set(plan.filter(([, where]) => where === 'inside an activity').map(([step]) => step));
  const begunAfterCommit = new Set(plan.filter(([, where]) => where !== 'inside an activity').map(([step]) => step + 1));
  for (let step = 1; step <= STEPS; step++) {
    const runs = runsOf(workers, step);
    // What a kill after a commit interrupts is the next step, if that had begun already.
    const expected = inside.has(step) ? [2] : begunAfterCommit.has(step) ? [1, 2] : [1];
    assert.ok(expected.includes(runs.length), `step ${step} ran ${runs.length} times`);
    assert.equal(ended.output[step - 1], runs.at(-1).pid, `step ${step} was recorded by its last run`);
  }
  const history = await client.readExecutionHistory('steps', 1);
  assert.equal(history.filter(({ kind }) => kind === 'ActivityScheduled').length, STEPS);
  assert.equal(history.filter(({ kind }) => kind === 'ActivityCompleted').length, STEPS);
  assert.equal(tookOver.length, plan.length);
  for (const ms of tookOver) assert.ok(ms < TAKE_OVER_MS, `taken over after ${ms} ms`);
  console.log(`taken over ${tookOver.join(', ')} ms after the start of the new process`);
}

test('a workflow survives SIGKILL inside its steps and right after their commits', async (t) => {
  const it = await world(t);
  const plan = [
    [1, 'inside an activity'],
    [2, 'right after a commit'],
    [4, 'inside an activity'],
    [6, 'right after a commit'],
    [8, 'right after a commit'],
    [10, 'inside an activity'],
  ];
  await check(it, await survive(it, plan), plan);
});

test('the same while another live process shares the store', async (t) => {
  const it = await world(t);
  // A Runtime of this process on the same store: alive, and without the workflow's code.
  const bystander = new Runtime(it.provider, { logLevel: 'error' });
  bystander.registerActivity('Other', () => 1);
  bystander.registerOrchestration('Other', function* (ctx) {
    return yield ctx.scheduleActivity('Other');
  });
  await bystander.start();
  t.after(() => bystander.shutdown());
  const plan = [
    [3, 'inside an activity'],
    [7, 'right after a commit'],
  ];
  await check(it, await survive(it, plan), plan);
  await it.client.startOrchestration('other', 'Other');
  assert.equal(await it.client.waitForOrchestrationTyped('other'), 1);
});

test('a live process with the same code takes over from a dead one', async (t) => {
  const { client, start } = await world(t);
  const one = start();
  await one.hears(({ started }) => started);
  await client.startOrchestration('steps', 'TenSteps');
  one.pass(4);
  await one.mark(5);
  const two = start();
  await two.hears(({ started }) => started);
  two.pass(STEPS);
  assert.equal(await one.kill(), 'SIGKILL');
  kills['inside an activity'] += 1;
  const output = await client.waitForOrchestrationTyped('steps');
  assert.deepEqual(output, [one, one, one, one, two, two, two, two, two, two].map(({ pid }) => pid));
  assert.deepEqual(two.marks().map(({ mark }) => mark), [5, 6, 7, 8, 9, 10]);
});

test('a stopped process keeps its lease until it runs out, and its late commit is refused', async (t) => {
  const lease = 900;
  const { client, start } = await world(t, { workerLockTimeoutMs: lease });
  const both = [start({ holdsTheThread: true }), start({ holdsTheThread: true })];
  for (const worker of both) await worker.hears(({ started }) => started);
  await client.startOrchestration('steps', 'TenSteps');
  const expected = [];
  for (let step = 1; step <= 4; step++) {
    // Whoever holds the step is stopped in it, and the other takes over.
    const holder = await Promise.race(both.map((worker) => worker.mark(step).then(() => worker)));
    const other = both.find((worker) => worker !== holder);
    const stopped = await holder.stop(() => client.raiseEvent('steps', 'unread'));
    const again = await other.mark(step);
    // It had been renewed within the last third of its duration.
    assert.ok(again.at - stopped > lease / 2, `taken over ${again.at - stopped} ms after the stop`);
    assert.equal(again.attempt, 2);
    holder.pass(step);
    holder.process.kill('SIGCONT');
    await holder.hears(({ passed }) => passed === step);
    await client.startOrchestration(`ping-${step}`, `Ping${holder.pid}`);
    // An accepted commit would have brought it the next step.
    let late = true;
    const wentOn = holder.mark(step + 1).then(() => assert.ok(!late, `the late commit of step ${step} was accepted`));
    await Promise.race([client.waitForOrchestration(`ping-${step}`), wentOn]);
    late = false;
    other.pass(step);
    expected.push(other.pid);
  }
  for (const worker of both) worker.pass(STEPS);
  const output = await client.waitForOrchestrationTyped('steps');
  assert.deepEqual(output.slice(0, 4), expected, 'each step was recorded as the holder of its lease ran it');
  const history = await client.readExecutionHistory('steps', 1);
  assert.equal(history.filter(({ kind }) => kind === 'ActivityCompleted').length, STEPS);
});
