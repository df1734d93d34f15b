// What several tests need: a store, a Runtime that is shut down whatever happens.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Runtime } from 'duroxide';
import { newStore } from './store.mjs';

/** A folder that is gone after the test. */
export function folder(t) {
  const path = mkdtempSync(join(tmpdir(), 'duroxide-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/**
 * Starts a Runtime with these registrations on a new store, or the given one. The
 * client has `run(name, input)`: starts an instance and waits for its end.
 */
export async function started(t, { activities = {}, orchestrations = {}, options, provider } = {}) {
  const store = provider ?? (await newStore());
  const runtime = new Runtime(store, { logLevel: 'error', ...options });
  for (const [name, code] of Object.entries(activities)) runtime.registerActivity(name, code);
  for (const [name, code] of Object.entries(orchestrations)) runtime.registerOrchestration(name, code);
  await runtime.start();
  t.after(async () => {
    await runtime.shutdown();
    if (provider === undefined) await store.close();
  });
  const client = new Client(store);
  let instances = 0;
  client.run = async (name, input) => {
    const id = `${name}-${++instances}`;
    await client.startOrchestration(id, name, input);
    return client.waitForOrchestration(id);
  };
  return { provider: store, runtime, client };
}

const MOST_QUESTIONS = 10_000;

/** Waits until a question is answered with something true; gives up when it was asked too often. */
export async function until(question) {
  for (let asked = 0; asked < MOST_QUESTIONS; asked += 1) {
    const answer = await question();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`not true in ${MOST_QUESTIONS} questions: ${question}`);
}

/** The kinds of an instance's current history. */
export async function kinds(client, id, execution = 1) {
  return (await client.readExecutionHistory(id, execution)).map((event) => event.kind);
}
