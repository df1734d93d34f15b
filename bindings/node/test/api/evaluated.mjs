// Code run in a process of its own, with the package as `d`: for what a whole process does.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs the body of an async function; gives `{ status, signal, stdout, stderr }`. */
export function evaluated(code, env = {}) {
  const program = `const d = require('duroxide'); (async () => { ${code} })();`;
  const ran = spawnSync(process.execPath, ['-e', program], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, RUST_LOG: '', ...env },
  });
  assert.equal(ran.error, undefined);
  return ran;
}
