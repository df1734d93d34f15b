// Every block of the user guide, run as printed, and the table of its headings.
// The cases stand in `guide/`, the harness in `blocks/`.
import './blocks/log.mjs';
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'node:test';
import { readPage } from './blocks/markdown.mjs';
import activities from './guide/activities.mjs';
import { failing, label, withoutBlock, withoutCase } from './guide/case.mjs';
import messages from './guide/messages.mjs';
import orchestrations from './guide/orchestrations.mjs';
import postgres from './guide/postgres.mjs';
import programs from './guide/programs.mjs';
import running from './guide/running.mjs';
import { readTable } from './guide/table.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const CASES = [...orchestrations, ...messages, ...activities, ...running, ...postgres, ...programs];
const TABLE = readTable(readFileSync(here('guide/TABLE.md'), 'utf8'));
const guide = process.env.DUROXIDE_GUIDE ?? here('../../../../shared/spec/user-guide.md');
const page = existsSync(guide) ? readPage(readFileSync(guide, 'utf8')) : undefined;

function blockOf(heading, number) {
  const found = page.blocks.find((block) => block.heading === heading && block.number === number);
  assert.ok(found, `the guide has no block ${number} under '${heading}'`);
  return found;
}

const textOf = (heading, number) => blockOf(heading, number).text;

function run(cases) {
  describe('the guide', { concurrency: 8 }, () => {
    for (const each of cases) {
      test(`${each.heading} ${label(each)}`, { timeout: 60_000 }, (t) => {
        return each.run(t, each.number && textOf(each.heading, each.number), textOf);
      });
    }
  });
}

if (page === undefined) {
  test('the blocks of the guide are not run here; those of the docs are', (t) => {
    t.diagnostic(`the guide is not at hand (${guide}): its blocks are not run, see docs-blocks.test.mjs`);
    assert.equal(existsSync(guide), false);
  });
  run(CASES.filter(({ number }) => number === undefined));
} else {
  test('every block of the guide has a case, and every case its block', () => {
    assert.deepEqual(withoutCase(page.blocks, CASES), []);
    assert.deepEqual(withoutBlock(page.blocks, CASES), []);
  });

  test('the table has the headings of the guide, in their order', () => {
    const titles = page.headings.map(({ title }) => title);
    assert.equal(new Set(titles).size, titles.length, 'a heading stands twice');
    assert.deepEqual(TABLE.map(({ heading }) => heading), titles);
  });

  test('a heading whose tests are those of its sections has sections', () => {
    for (const { heading, tests } of TABLE) {
      if (tests.length > 0) continue;
      const at = page.headings.findIndex(({ title }) => title === heading);
      assert.ok(page.headings[at + 1].level > page.headings[at].level, heading);
    }
  });

  run(CASES);

  describe('a case executes its block: it fails when the block begins with a failure', { concurrency: 8 }, () => {
    for (const each of CASES.filter(({ number }) => number !== undefined)) {
      test(`${each.heading} ${label(each)}`, { timeout: 60_000 }, async (t) => {
        await assert.rejects(async () => each.run(t, failing(blockOf(each.heading, each.number)), textOf));
      });
    }
  });
}

test('the table has every case under its heading, and no other', () => {
  const listed = TABLE.flatMap(({ heading, tests }) => tests.map((name) => `${heading} ${name}`));
  assert.deepEqual(listed.sort(), CASES.map((each) => `${each.heading} ${label(each)}`).sort());
});

test('a block without a case is named by heading and number', () => {
  const { blocks } = readPage('# A\n```bash\nls\n```\n## B\n```javascript\n1\n```\n```typescript\n2\n```\n');
  const cases = [{ heading: 'A', number: 1 }, { heading: 'B', number: 1 }, { heading: 'B', number: 3, observes: 'gone' }];
  assert.deepEqual(withoutCase(blocks, cases), ['B 2']);
  assert.deepEqual(withoutBlock(blocks, cases), ['B 3: gone']);
});
