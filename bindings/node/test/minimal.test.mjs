// The guide's minimal example, as printed where the guide is at hand, else our own copy.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

function minimalExample() {
  const guide = here('../../../../shared/spec/user-guide.md');
  if (!existsSync(guide)) return readFileSync(here('minimal-example.js.txt'), 'utf8');
  const section = readFileSync(guide, 'utf8').split('## Minimal Example')[1];
  return /```javascript\n([\s\S]*?)```/.exec(section)[1];
}

test('the minimal example prints its greeting, nothing else, and exits by itself', () => {
  const run = spawnSync(process.execPath, ['-e', minimalExample()], {
    cwd: here('..'),
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(run.stderr.includes('Error'), false, run.stderr);
  assert.deepEqual([run.status, run.signal, run.stdout], [0, null, 'Hello, World!\n']);
});
