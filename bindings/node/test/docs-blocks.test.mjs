// Every code block of docs/ and of the package's README is executed; how it is told what to
// expect stands in blocks/README.md.
import './blocks/log.mjs';
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, describe, test } from 'node:test';
import { Page } from './blocks/docs.mjs';
import { runsOf } from './blocks/page.mjs';
import { registry } from './blocks/registry.mjs';
import { folder } from './helpers.mjs';

const repository = fileURLToPath(new URL('../../..', import.meta.url));

function pages() {
  const docs = readdirSync(join(repository, 'docs'), { recursive: true })
    // The reference is generated: its blocks are signatures.
    .filter((name) => name.endsWith('.md') && !name.startsWith('api'));
  return [...docs.map((name) => join('docs', name)), 'bindings/node/README.md'].sort();
}

// Packed once, and only if a page asks for npm.
let npm;
const packing = mkdtempSync(join(tmpdir(), 'duroxide-npm-'));
const closing = [];
after(async () => {
  for (const close of closing) await close();
  rmSync(packing, { recursive: true, force: true });
});
const environment = () => (npm ??= registry({ after: (close) => closing.push(close) }, packing));

describe('the documentation', { concurrency: 4 }, () => {
  for (const path of pages()) {
    test(path, { timeout: 300_000 }, async (t) => {
      const runs = runsOf(readFileSync(join(repository, path), 'utf8'));
      const page = new Page(folder(t), runs, environment);
      for (const run of runs) await t.test(run.name, (each) => page.execute(each, run));
    });
  }
});

const block = (language, text, comment = '') => `# H\n${comment}\n\`\`\`${language}\n${text}\n\`\`\`\n`;

test('a page whose block cannot be executed or expects nothing is refused, with its heading and number', () => {
  assert.throws(() => runsOf(block('', 'x')), /'H' block 1 \(line 3\): '' is no language/);
  assert.throws(() => runsOf(block('rust', 'x')), /'rust' is no language/);
  assert.throws(() => runsOf(block('js', '1')), /'H 1': nothing is expected of it/);
  assert.throws(() => runsOf(block('js', '1', '<!-- run: skip -->')), /'skip' is no attribute/);
  assert.throws(() => runsOf(block('js', '1', '<!-- run: file=a.mjs -->')), /no block below runs 'a.mjs'/);
  assert.throws(() => runsOf(block('js', '1', '<!-- run: continues -->')), /that it continues/);
  assert.throws(() => runsOf(block('text', '1', '<!-- run: expect=1 -->')), /is not run/);
});

const program = (text, comment) => runsOf(block('js', text, comment));
const REFUSED = {
  'prints something else': [program("console.log('a')", '<!-- run: expect=b -->'), /no 'b' in/],
  'ends with an error': [program("throw new Error('no')", '<!-- run: expect=b -->'), /Error: no/],
  'logs what it must not': [program("console.error('b')", '<!-- run: silent=b -->'), /'b' is logged/],
  'should fail and does not': [program('1', '<!-- run: throws=x -->'), /it should fail/],
  'prints more than the output below it': [runsOf(`${block('js', "console.log('a\\nb')")}<!-- output -->\n\`\`\`text\na\n\`\`\`\n`), /printed:\na\nb\n\nbut the page shows:\na\n/],
  'has a type error': [runsOf(block('ts', "const n: number = 'x'; console.log(n)", '<!-- run: expect=x -->')), /TS2322/],
  'is a fragment with another output': [
    runsOf(block('js', "console.log('a')", '<!-- run: setup=app expect=b -->')), /no 'b' in/],
  'is an orchestration with another output': [
    runsOf(block('js', 'const n = yield ctx.utcNow();', '<!-- run: setup=app expect=x -->')), /no 'x' in: \{"n":\d+\}/],
};

for (const [what, [[run], message]] of Object.entries(REFUSED)) {
  test(`a block that ${what} fails`, async (t) => {
    await assert.rejects(new Page(folder(t), [run], environment).execute(t, run), message);
  });
}
