// Builds the addon with cargo and puts it beside the package under its napi name.
// `--debug` builds faster and runs slower; `--target TRIPLE` builds for another machine.
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parseTriple } from '@napi-rs/cli';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { values } = parseArgs({ options: { debug: { type: 'boolean' }, target: { type: 'string' } } });
const profile = values.debug ? [] : ['--release'];
const target = values.target === undefined ? [] : ['--target', values.target];

/** What cargo builds for when nobody says otherwise. */
function host() {
  const told = execFileSync('rustc', ['-vV'], { cwd: root, encoding: 'utf8' });
  return /^host: (.*)$/m.exec(told)[1];
}

const cargo = spawnSync(
  'cargo',
  ['build', '--package', 'duroxide-node', '--message-format', 'json-render-diagnostics', ...profile, ...target],
  { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', maxBuffer: 1 << 30 },
);
if (cargo.error) throw cargo.error;
if (cargo.status !== 0) process.exit(cargo.status ?? 1);

const library = cargo.stdout
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line))
  .filter((message) => message.reason === 'compiler-artifact' && message.target.name === 'duroxide_node')
  .flatMap((message) => message.filenames)
  .find((file) => /\.(so|dylib|dll)$/.test(file));
if (library === undefined) throw new Error('cargo built no addon');

// Replaced by renaming: a process that has the old file open keeps it.
const addon = join(root, `duroxide.${parseTriple(values.target ?? host()).platformArchABI}.node`);
copyFileSync(library, `${addon}.new`);
renameSync(`${addon}.new`, addon);
console.error(`built ${addon}`);
