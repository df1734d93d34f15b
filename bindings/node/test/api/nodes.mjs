// One store that several nodes share: a Runtime of this process that runs orchestrations and no
// activities, and processes of their own that run the activities (`node.mjs`).
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from '../crash-tools.mjs';
import { folder, started } from '../helpers.mjs';
import { openStore, storeIn } from '../store.mjs';

/** What waits for another process fails instead of hanging. */
export const BOUNDED = { timeout: 60_000 };

const program = fileURLToPath(new URL('node.mjs', import.meta.url));

/** A process that runs `node.mjs`. */
class Node extends Child {
  constructor(store, name, options, passes) {
    if (passes !== undefined) writeFileSync(passes, '');
    super(program, [store, name, JSON.stringify(options)].concat(passes ?? []));
    this.name = name;
    this.passes = passes;
  }

  ready() {
    return this.hears(({ ready }) => ready);
  }

  /** Waits until the activity with this key has begun here. */
  held(key) {
    return this.hears(({ held }) => held === key);
  }

  /** Waits until the signal of the activity with this key has aborted. */
  aborted(key) {
    return this.hears(({ aborted }) => aborted === key);
  }

  /** Lets the activity with this key end. */
  pass(key) {
    if (this.passes === undefined) this.process.send({ pass: key });
    else appendFileSync(this.passes, ` ${key}`);
  }

  /** Cancels an instance from this process; gives when the call had resolved. */
  async cancel(id) {
    this.process.send({ cancel: id });
    return (await this.hears(({ cancelled }) => cancelled === id)).clock;
  }

  /** How often the activity with this key has begun here. */
  runs(key) {
    return this.told.filter(({ held }) => held === key).length;
  }
}

/**
 * The Runtime of this process with these orchestrations, and `start(name, options)` for processes.
 * With `holdsTheThread` among the options the activities of the process never let go of its thread.
 */
export async function world(t, orchestrations, runtimeOptions = {}) {
  const dir = folder(t);
  const store = storeIn(dir);
  const provider = await openStore(store);
  const nodes = [];
  t.after(async () => {
    for (const node of nodes) await node.kill();
    await provider.close();
  });
  const { client } = await started(t, { provider, orchestrations, options: { workerConcurrency: 0, ...runtimeOptions } });
  const start = async (name, { holdsTheThread, ...options } = {}) => {
    const passes = holdsTheThread ? join(dir, `passes-${nodes.length}`) : undefined;
    const node = new Node(store, name, options, passes);
    nodes.push(node);
    await node.ready();
    return node;
  };
  return { client, provider, store, start };
}

/** The node on which the activity with this key has begun. */
export function whereHeld(nodes, key) {
  return Promise.race(nodes.map((node) => node.held(key).then(() => node)));
}
