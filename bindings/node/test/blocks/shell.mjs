// Runs commands of a block in a folder, as a reader would type them. Not here: what they must
// print, and where npm finds the package (`registry.mjs`).
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pack, stage } from '../../scripts/packages.mjs';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs a command to its end: `{ status, stdout, stderr }`. */
export function execute(command, args, { cwd, env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...environment(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // Against hanging: packing alone takes a busy machine longer than a minute.
      timeout: 240_000,
    });
    const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => {
      const parts = [];
      stream.on('data', (part) => parts.push(part));
      return () => Buffer.concat(parts).toString();
    });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout: stdout(), stderr: stderr() }));
  });
}

/** The lines of a bash block, as printed. */
export function bash(text, options) {
  return execute('bash', ['-e', '-c', text], options);
}

/** Makes `duroxide` importable in a folder. */
export function linkPackage(folder) {
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  symlinkSync(root, join(folder, 'node_modules', 'duroxide'), 'dir');
}

/** Nothing of the caller's own: no log level, no test runner. */
function environment() {
  return { RUST_LOG: undefined, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: undefined };
}
