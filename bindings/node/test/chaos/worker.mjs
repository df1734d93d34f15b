// A process to be killed: a Runtime on the shared store. On stdin it is told where to be killed
// (`arm before|after|commit`) or to stop in order (`stop`); on stdout it says `ready`, and
// `mark WHERE …` when it is there. It then goes no further for a moment. node worker.mjs CONFIG
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { Runtime } from 'duroxide';
import { activities } from './activities.mjs';
import { orchestrations } from './scenarios.mjs';
import { config, open } from './store.mjs';

/** Longer than the driver takes to kill. */
const HELD_MS = 500;

const { store, folder, name, sessionIdleMs } = config();
let armed = null;

function say(line) {
  writeSync(1, `${line}\n`);
}

/** Inside of an activity: the others go on, this one waits to be killed. */
async function reach(where, what) {
  if (armed !== where) return;
  armed = null;
  say(`mark ${where} ${what}`);
  await pause(HELD_MS);
}

/** Counters that rise only when what they count is durable. */
function committed(runtime) {
  const { orchStarts, orchCompletions, orchFailures, orchContinueAsNew, activitySuccess, suborchestrationCalls } = runtime.metricsSnapshot();
  return orchStarts + orchCompletions + orchFailures + orchContinueAsNew + activitySuccess + suborchestrationCalls;
}

/** Right after a commit: the thread stands still, so that no code sees what was committed. */
async function watchCommits(runtime) {
  const before = committed(runtime);
  while (armed === 'commit') {
    if (committed(runtime) > before) {
      armed = null;
      say('mark commit');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, HELD_MS);
      return;
    }
    await new Promise(setImmediate);
  }
}

const provider = await open(store);
const runtime = new Runtime(provider, { logLevel: 'warn', workerNodeId: name, sessionIdleTimeoutMs: sessionIdleMs });
for (const [activity, code] of Object.entries(activities(folder, reach))) runtime.registerActivity(activity, code);
for (const [orchestration, code] of Object.entries(orchestrations)) runtime.registerOrchestration(orchestration, code);
await runtime.start();

let stopping = false;
async function stop() {
  if (stopping) return;
  stopping = true;
  await runtime.shutdown(5_000);
  await provider.close();
  process.exit(0);
}

const commands = createInterface({ input: process.stdin });
commands.on('line', (line) => {
  const [command, where] = line.split(' ');
  if (command === 'stop') return void stop();
  armed = where;
  if (where === 'commit') void watchCommits(runtime);
});
// The driver is gone: so is what this was for.
commands.on('close', () => void stop());
say('ready');
