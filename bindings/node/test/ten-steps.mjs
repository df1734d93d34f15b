// A process that runs a 10-step workflow on a store, step by step as its parent says:
// node ten-steps.mjs STORE [runtime options as JSON] [PASSES]. Not a test.
//
// A step sends its mark from inside the activity and ends when the parent lets it pass: by
// a message, or, with a file of PASSES, by what stands in it. Of the second kind is a step
// that never lets go of the thread, so that after a SIGCONT it ends before anything else runs.
import { readFileSync } from 'node:fs';
import { Runtime } from 'duroxide';
import { openStore } from './store.mjs';

const [store, options, passes] = process.argv.slice(2);
const waiting = new Map();
const blink = new Int32Array(new SharedArrayBuffer(4));
let mayPass = 0;

process.on('message', ({ pass }) => {
  mayPass = Math.max(mayPass, pass);
  for (const [step, resume] of waiting) if (step <= mayPass) resume();
});
process.on('disconnect', () => process.exit());

function holdTheThread(step) {
  while (Number(readFileSync(passes, 'utf8')) < step) Atomics.wait(blink, 0, 0, 1);
}

const provider = await openStore(store);
const runtime = new Runtime(provider, { logLevel: 'error', ...JSON.parse(options ?? '{}') });

runtime.registerActivity('Step', (ctx, step) => {
  process.send({ mark: step, attempt: ctx.attempt });
  const passed = () => {
    process.send({ passed: step });
    return process.pid;
  };
  if (passes !== undefined) {
    holdTheThread(step);
    return passed();
  }
  if (step <= mayPass) return passed();
  return new Promise((resume) => waiting.set(step, resume)).then(passed);
});

runtime.registerOrchestration('TenSteps', function* (ctx) {
  const by = [];
  for (let step = 1; step <= 10; step++) by.push(yield ctx.scheduleActivity('Step', step));
  return by;
});

// Only this process runs it: who waits for it knows that the process has done other work.
runtime.registerOrchestration(`Ping${process.pid}`, function* () {
  return 'pong';
});

await runtime.start();
process.send({ started: true });
