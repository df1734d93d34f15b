// Each example runs as a program of its own and prints what stands in the text file beside it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'node:test';
import { EXAMPLES, pathOf } from '../examples/run.mjs';
import { folder } from './helpers.mjs';

const examples = fileURLToPath(new URL('../examples/', import.meta.url));
const LONGEST = 120;

function run(program, args = []) {
  return spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', timeout: 60_000 });
}

test('the examples are the ten workflows that real systems have, and every program is among them', () => {
  const programs = readdirSync(examples).filter((name) => name.endsWith('.mjs') && name !== 'run.mjs');
  assert.deepEqual(programs.sort(), EXAMPLES.map((name) => `${name}.mjs`).sort());
  assert.equal(EXAMPLES.length, 10);
});

for (const name of EXAMPLES) {
  describe(name, () => {
    test('ends by itself and prints what is expected', () => {
      const { status, signal, stdout, stderr } = run(pathOf(name));
      assert.deepEqual([status, signal, stderr], [0, null, '']);
      assert.equal(stdout, readFileSync(join(examples, `${name}.txt`), 'utf8'));
    });

    test('is short enough to be read at once', () => {
      assert.ok(readFileSync(pathOf(name), 'utf8').split('\n').length <= LONGEST);
    });
  });
}

test('an example whose outcome is another one fails', (t) => {
  const program = readFileSync(pathOf('order'), 'utf8').replace("card: 'empty'", "card: 'good'");
  assert.notEqual(program, readFileSync(pathOf('order'), 'utf8'));
  const file = join(folder(t), 'changed.mjs');
  const changed = program.replace("from 'duroxide'", `from ${JSON.stringify(new URL('../dist/index.mjs', import.meta.url).href)}`);
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-', file], { input: changed, encoding: 'utf8' });
  assert.notEqual(status, 0);
  assert.match(stderr, /AssertionError/);
});

for (const name of EXAMPLES.filter((each) => readFileSync(pathOf(each), 'utf8').includes('process.argv[2]'))) {
  test(`${name} takes a file, and ends the same on one that another run left`, (t) => {
    const file = join(folder(t), `${name}.db`);
    for (let times = 0; times < 2; times += 1) {
      const { status, stderr } = run(pathOf(name), [file]);
      assert.deepEqual([status, stderr], [0, '']);
    }
    assert.match(readFileSync(pathOf(name), 'utf8'), new RegExp(`node ${name}\\.mjs \\[FILE\\]`));
  });
}

test('what a run did is not done again by the next one on its file', (t) => {
  const file = join(folder(t), 'orders.db');
  const first = run(pathOf('order'), [file]);
  const second = run(pathOf('order'), [file]);
  assert.deepEqual([first.status, second.status, second.stderr], [0, 0, '']);
  // Nothing is reserved, charged or shipped a second time.
  assert.doesNotMatch(second.stdout, /reserved|charged|shipped:/);
});

test('one command runs them all, each under its heading, and an unknown name is refused', () => {
  const all = run(join(examples, 'run.mjs'));
  assert.equal(all.status, 0, all.stderr);
  const headings = [...all.stdout.matchAll(/^== (\w+) ==$/gm)].map(([, name]) => name);
  assert.deepEqual(headings, EXAMPLES);
  assert.match(all.stdout, /10 of 10 examples ended as expected/);
  const unknown = run(join(examples, 'run.mjs'), ['odrer']);
  assert.equal(unknown.status, 2);
  assert.match(unknown.stderr, /no such example: odrer/);
});
