// Checks the types that users see, then runs every test file; more arguments go to node.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const given = process.argv.slice(2);
const files = readdirSync(join(root, 'test'))
  .filter((name) => /\.test\.[cm]js$/.test(name))
  .map((name) => join('test', name));

function run(args) {
  const { status, error } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

run([join('node_modules', 'typescript', 'bin', 'tsc'), '-p', join('test', 'types')]);
run(['--test', '--test-reporter=spec', ...given, ...files]);
