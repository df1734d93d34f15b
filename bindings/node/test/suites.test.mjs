// The lists of what does not run on both stores: complete, and no longer than need be. A test that reaches a
// store other than by store.mjs would run on SQLite alone without anybody noticing.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { NO_STORE, POSTGRES_ONLY, SQLITE_ONLY, STORES, filesFor, testFiles } from '../scripts/suites.mjs';

const folder = fileURLToPath(new URL('.', import.meta.url));
const read = (name) => readFileSync(join(folder, name), 'utf8');
const sources = readdirSync(folder, { recursive: true }).filter((name) => /\.[cm]js$/.test(name));

/** Helpers that name a kind of store themselves, and why. */
const NAMES_A_STORE = {
  'store.mjs': 'it is the choice',
  [join('guide', 'programs.mjs')]: "the guide's block on SQLite",
  [join('guide', 'postgres.mjs')]: "the guide's block on PostgreSQL",
  [join('chaos', 'store.mjs')]: 'its driver says which store',
};
/** Ways to a store. */
const KINDS = /\b(SqliteProvider|PostgresProvider)\b/;
const STORE = /\b(newStore|openStore|started|world|App)\(|from '\.\/guide\/(?!table)|from '\.\/blocks\/page/;

const listed = { ...SQLITE_ONLY, ...POSTGRES_ONLY, ...NO_STORE };

test('every file that is listed exists, stands in one list, and says why', () => {
  const names = [SQLITE_ONLY, POSTGRES_ONLY, NO_STORE].flatMap(Object.keys);
  assert.equal(new Set(names).size, names.length);
  assert.deepEqual(names.filter((name) => !testFiles().includes(name)), []);
  for (const [name, reason] of Object.entries(listed)) assert.ok(reason.length > 10, name);
});

test('every test file that is not listed runs on every store', () => {
  for (const store of STORES) {
    const files = filesFor(store);
    assert.deepEqual(testFiles().filter((name) => !files.includes(name) && !(name in listed)), []);
  }
  assert.deepEqual(filesFor('sqlite').filter((name) => name in POSTGRES_ONLY), []);
  assert.deepEqual(filesFor('postgres').filter((name) => name in SQLITE_ONLY || name in NO_STORE), []);
});

test('what is not listed reaches a store by store.mjs alone', () => {
  const found = sources.filter((name) => KINDS.test(read(name)));
  assert.deepEqual(found.filter((name) => !(name in listed) && !(name in NAMES_A_STORE)), []);
  assert.deepEqual(Object.keys(NAMES_A_STORE).filter((name) => !found.includes(name)), [], 'no longer');
});

test('what is listed as without a store runs nothing on one', () => {
  const without = Object.keys(NO_STORE).filter((name) => name !== 'suites.test.mjs');
  assert.deepEqual(without.filter((name) => STORE.test(read(name))), []);
  assert.ok(testFiles().filter((name) => STORE.test(read(name))).length > 30);
});

test('no test asks which store it is on', () => {
  const asks = sources.filter((name) => read(name).includes('DUROXIDE_TEST_STORE'));
  assert.deepEqual(asks.sort(), ['store.mjs', 'suites.test.mjs']);
});
