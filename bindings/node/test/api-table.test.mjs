// The table of the API's rows and their tests (`api/TABLE.md`), held against the page and the test files.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { knownTests, readTable, rowsOf } from './api/table.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const TABLE = readTable(readFileSync(here('api/TABLE.md'), 'utf8'));
const path = process.env.DUROXIDE_API ?? here('../../../../shared/spec/api.md');
const page = existsSync(path) ? rowsOf(readFileSync(path, 'utf8')) : undefined;
const NOTE = /^\(.+\)$/;

const named = ({ section, row }) => `${section}: ${row}`;

if (page === undefined) {
  test('the page of the API is not compared here; the table is held against the test files', (t) => {
    t.diagnostic(`the page of the API is not at hand (${path}): its rows are not compared with the table`);
    assert.equal(existsSync(path), false);
  });
} else {
  test('the table has every row of the page, in its order, and no other', (t) => {
    t.diagnostic(`${page.length} rows in ${new Set(page.map(({ section }) => section)).size} sections`);
    const [listed, rows] = [TABLE.map(named), page.map(named)];
    assert.deepEqual(rows.filter((row) => !listed.includes(row)), [], 'not in the table');
    assert.deepEqual(listed.filter((row) => !rows.includes(row)), [], 'not on the page');
    assert.ok(listed.join('\n') === rows.join('\n'), 'the order, or a row that stands twice');
  });

  test('every point marked better has a test named after it', () => {
    const better = page.filter((row) => row.better);
    assert.ok(better.length >= 10, `${better.length} points`);
    const without = better.filter((row) => {
      const { promise } = TABLE.find((each) => named(each) === named(row));
      return !promise.some((name) => name.startsWith('better: '));
    });
    assert.deepEqual(without.map(named), []);
  });
}

test('every row has a promise and a refusal, and every test named there exists', (t) => {
  const known = knownTests();
  const wrong = [];
  let notes = 0;
  for (const { section, row, promise, refusal } of TABLE) {
    for (const name of [...promise, ...refusal]) {
      if (NOTE.test(name)) notes += 1;
      else if (!known.has(name)) wrong.push(`${section}: ${row}: '${name}'`);
    }
  }
  t.diagnostic(`${TABLE.length} rows, ${new Set(TABLE.flatMap(({ promise, refusal }) => [...promise, ...refusal])).size} tests, ${notes} cells say why there is none`);
  assert.deepEqual(wrong, []);
});

test('every test whose name begins with better stands in the table', () => {
  const listed = new Set(TABLE.flatMap(({ promise, refusal }) => [...promise, ...refusal]));
  const better = [...knownTests().literals].filter((name) => name.startsWith('better: '));
  assert.deepEqual(better.filter((name) => !listed.has(name)), []);
});

test('a row, a promise or a test that is missing is found', () => {
  const rows = rowsOf('# x\n## A\n| call | result |\n|---|---|\n| `one(a, { b?: 1 | 2 })`, `…Two()` (alias `three`) | **better** |\n\nA sentence `with` code. **Other** one (**better**).\n');
  assert.deepEqual(rows, [
    { section: 'A', row: 'one', better: true },
    { section: 'A', row: 'oneTwo', better: true },
    { section: 'A', row: 'three', better: true },
    { section: 'A', row: 'A sentence with code.', better: false },
    { section: 'A', row: 'Other one (better).', better: true },
  ]);
  assert.deepEqual(readTable('## A\n| Row | Promise | Refusal |\n|---|---|---|\n| one | p \\| q<br>r | (none) |\n'), [
    { section: 'A', row: 'one', promise: ['p | q', 'r'], refusal: ['(none)'] },
  ]);
  assert.equal(knownTests().has('a test that nobody has written'), false);
  assert.equal(knownTests().has('a wrong workerConcurrency is refused by name'), true);
  assert.equal(knownTests().has(`a wrong ${'worker'}Node is refused by name`), false);
});
