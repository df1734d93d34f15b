// Starts, watches, stops and kills processes: those of the crash tests and of the demonstration
// (`Worker`), and any other program of the tests (`Child`).
import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const tenSteps = fileURLToPath(new URL('ten-steps.mjs', import.meta.url));

/** A write that takes so long waits for somebody who does not go on. */
const STUCK_MS = 250;

/** A process that runs a program, and what it has told so far. */
export class Child {
  constructor(program, args) {
    this.born = performance.now();
    this.told = [];
    this.listeners = new Set();
    this.gone = false;
    this.process = fork(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.ended = new Promise((resolve) => this.process.once('exit', (_, signal) => resolve(signal)));
    this.process.on('message', (message) => {
      this.told.push({ ...message, at: performance.now() });
      for (const listener of this.listeners) listener();
    });
    // After the last message.
    this.process.once('disconnect', () => {
      this.gone = true;
      for (const listener of this.listeners) listener();
    });
    this.process.on('error', () => undefined);
  }

  get pid() {
    return this.process.pid;
  }

  /** The first thing told that is meant; waits for it, and throws if the process ends without it. */
  async hears(meant) {
    for (;;) {
      const message = this.told.find(meant);
      if (message) return message;
      if (this.gone) throw new Error(`process ${this.pid} ended without telling what was waited for`);
      await new Promise((resolve) => {
        const listener = () => {
          this.listeners.delete(listener);
          resolve();
        };
        this.listeners.add(listener);
      });
    }
  }

  /**
   * SIGSTOP, but not in the middle of a write: a process that is stopped while it holds the
   * file's write lock stops every other one too. Known by a write of our own.
   */
  async stop(write) {
    for (;;) {
      this.process.kill('SIGSTOP');
      const at = performance.now();
      const done = write().then(() => true);
      const stuck = new Promise((resolve) => setTimeout(resolve, STUCK_MS, false));
      if (await Promise.race([done, stuck])) return at;
      this.process.kill('SIGCONT');
      await done;
    }
  }

  /** SIGKILL, and wait until the process is gone; gives the signal that ended it. */
  async kill() {
    this.process.kill('SIGKILL');
    return this.ended;
  }
}

/** A process that runs the ten steps. */
export class Worker extends Child {
  /** With `passes`, a file of its own, its steps hold the thread; see `ten-steps.mjs`. */
  constructor(store, options = {}, passes = undefined) {
    if (passes !== undefined) writeFileSync(passes, '0');
    super(tenSteps, [store, JSON.stringify(options)].concat(passes ?? []));
    this.passes = passes;
  }

  mark(step) {
    return this.hears((message) => message.mark === step);
  }

  /** Lets every step up to this one end. */
  pass(step) {
    if (this.passes === undefined) this.process.send({ pass: step });
    else writeFileSync(this.passes, String(step));
  }

  marks() {
    return this.told.filter((message) => message.mark !== undefined);
  }
}

/** How many steps history has recorded, asked of the store. */
export async function recorded(client, id) {
  const history = await client.readExecutionHistory(id, 1);
  return history.filter((event) => event.kind === 'ActivityCompleted').length;
}

/** Waits, looking as often as it can, until history has recorded so many steps. */
export async function untilRecorded(client, id, steps) {
  while ((await recorded(client, id)) < steps) await new Promise(setImmediate);
}
