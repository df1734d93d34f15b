// A process with one Runtime, as its parent says: node node.mjs STORE NAME [Runtime options as JSON] [PASSES].
// Not a test; `nodes.mjs` starts it.
//
// It runs activities that tell where they run and when they are cancelled, and end when the parent
// lets them: by a message, or, with a file of PASSES, by the keys that stand in it. Of the second kind is an
// activity that never lets go of the thread, so that after a SIGCONT it ends before anything else runs.
import { readFileSync } from 'node:fs';
import { Client, Runtime } from 'duroxide';
import { openStore } from '../store.mjs';

const [store, name, options, passes] = process.argv.slice(2);
const waiting = new Map();
const blink = new Int32Array(new SharedArrayBuffer(4));

process.on('message', async ({ pass, cancel }) => {
  waiting.get(pass)?.();
  if (cancel === undefined) return;
  await new Client(provider).cancelOrchestration(cancel, 'enough');
  process.send({ cancelled: cancel, clock: Date.now() });
});
process.on('disconnect', () => process.exit());

const facts = (ctx) => ({
  node: name,
  session: ctx.sessionId,
  tag: ctx.tag(),
  attempt: ctx.attempt,
  worker: ctx.workerId,
});

function holdTheThread(key) {
  while (!readFileSync(passes, 'utf8').split(' ').includes(key)) Atomics.wait(blink, 0, 0, 1);
}

const provider = await openStore(store);
const runtime = new Runtime(provider, { logLevel: 'error', ...JSON.parse(options ?? '{}') });

runtime.registerActivity('Where', (ctx) => facts(ctx));

// Ends when it is let, or when its signal aborts; both are told.
runtime.registerActivity('Hold', async (ctx, key) => {
  const told = facts(ctx);
  process.send({ held: key, ...told });
  if (passes !== undefined) holdTheThread(key);
  else {
    await new Promise((resolve) => {
      waiting.set(key, resolve);
      ctx.signal.addEventListener('abort', () => {
        process.send({ aborted: key, clock: Date.now(), isCancelled: ctx.isCancelled() });
        resolve();
      });
    });
  }
  process.send({ ended: key });
  return told;
});

// Never lets go of the thread until it is cancelled.
runtime.registerActivity('Busy', (ctx, key) => {
  process.send({ held: key });
  while (!ctx.isCancelled()) Atomics.wait(blink, 0, 0, 1);
  process.send({ aborted: key, clock: Date.now(), isCancelled: true });
});

// Waits for an event below a parent of another process; tells what it was cancelled with.
runtime.registerOrchestration('Child', function* (ctx) {
  try {
    ctx.setCustomStatus('waiting');
    yield ctx.waitForEvent('never');
  } catch (error) {
    ctx.setValue('caught', `${error.name}: ${error.message}`);
    throw error;
  }
});

await runtime.start();
process.send({ ready: true });
