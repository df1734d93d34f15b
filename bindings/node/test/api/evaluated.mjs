// Code run in a process of its own, with the package as `d` and the store of the tests (store.mjs): for what a
// whole process does.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const store = JSON.stringify(new URL('../store.mjs', import.meta.url).href);

/** Runs the body of an async function; gives `{ status, signal, stdout, stderr }`. */
export function evaluated(code, env = {}) {
  const program = `const d = require('duroxide'); (async () => { const { newStore, openStore } = await import(${store}); ${code} })();`;
  const ran = spawnSync(process.execPath, ['-e', program], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, RUST_LOG: '', ...env },
  });
  assert.equal(ran.error, undefined);
  return ran;
}
