// Runs every test file; more arguments go to node. Not here: what is published
// (package-test.mjs).
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const given = process.argv.slice(2);
const files = readdirSync(join(root, 'test'))
  .filter((name) => /\.test\.[cm]js$/.test(name))
  .map((name) => join('test', name));

const tests = ['--test', '--test-reporter=spec', ...given, ...files];
const { status, error } = spawnSync(process.execPath, tests, { cwd: root, stdio: 'inherit' });
if (error) throw error;
process.exitCode = status ?? 1;
