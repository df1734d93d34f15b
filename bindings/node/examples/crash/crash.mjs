// A workflow of ten steps, whose process is killed with SIGKILL again and again: in the
// middle of a step, and right after a step was committed. node crash.mjs
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, SqliteProvider } from 'duroxide';

const STEPS = 10;
const KILLS = [
  [2, 'inside'],
  [4, 'after'],
  [7, 'inside'],
  [9, 'after'],
];

const folder = mkdtempSync(join(tmpdir(), 'duroxide-crash-'));
const file = join(folder, 'steps.db');
const provider = await SqliteProvider.open(file);
const client = new Client(provider);
const runs = new Map();
const counted = { inside: 0, after: 0 };

const completed = async () =>
  (await client.readExecutionHistory('steps', 1)).filter(({ kind }) => kind === 'ActivityCompleted').length;

/** Starts a process; `onMark` is told of every step it begins. */
function start(onMark) {
  const program = fileURLToPath(new URL('worker.mjs', import.meta.url));
  const worker = fork(program, [file]);
  const born = performance.now();
  let first = true;
  worker.on('message', ({ mark: step, attempt }) => {
    const note = first ? `, ${Math.round(performance.now() - born)} ms after the start of the process` : '';
    first = false;
    console.log(`  process ${worker.pid} runs step ${step}, attempt ${attempt}${note}`);
    runs.set(step, (runs.get(step) ?? 0) + 1);
    onMark(step, worker);
  });
  return worker;
}

/** Runs until the kill that is planned, or to the end. */
async function live([step, where] = []) {
  const worker = start((begun) => {
    if (where === 'inside' && begun === step) worker.kill('SIGKILL');
    else if (where !== 'after' || begun <= step) worker.send({ pass: begun });
  });
  const ended = new Promise((resolve) => worker.once('exit', (_, signal) => resolve(signal)));
  if (where === 'after') {
    while ((await completed()) < step) await new Promise(setImmediate);
    worker.kill('SIGKILL');
  } else if (where === undefined) {
    await client.waitForOrchestration('steps');
    worker.disconnect();
  }
  const signal = await ended;
  if (where === undefined) return;
  if (signal !== 'SIGKILL') throw new Error(`process ${worker.pid} ended by itself, not by SIGKILL`);
  counted[where] += 1;
  console.log(where === 'inside' ? `✗ SIGKILL inside step ${step}` : `✗ SIGKILL right after the commit of step ${step}`);
}

await client.startOrchestration('steps', 'TenSteps');
for (const kill of KILLS) await live(kill);
await live();

const { status } = await client.getOrchestrationStatus('steps');
const recorded = await completed();
const again = [...runs].filter(([, times]) => times > 1).map(([step]) => step);
console.log(`${status}: ${recorded} steps recorded, each once; run again after a kill: step ${again.join(', ')}`);
console.log(`kills: ${counted.inside} inside a step, ${counted.after} right after a commit`);
await provider.close();
rmSync(folder, { recursive: true });

const inside = KILLS.filter(([, where]) => where === 'inside').map(([step]) => step);
const right = status === 'Completed' && recorded === STEPS && inside.every((step) => runs.get(step) === 2);
if (!right) {
  console.error('this is not as it should be');
  process.exitCode = 1;
}
