// Which test files run on which store. A file runs on both, unless it stands here with the reason.
// Held against the files themselves by test/suites.test.mjs.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const STORES = ['sqlite', 'postgres'];

/** What there is to test on SQLite alone. */
export const SQLITE_ONLY = {
  'sqlite.test.mjs': 'database files, how they are opened, what can be wrong with them; stores in memory',
  'backup.test.mjs': 'the copy of a database file; PostgreSQL has pg_dump, and its refusal is in postgres.test.mjs',
  'minimal.test.mjs': "the guide's first example, as printed: it opens a SQLite store itself",
  'examples.test.mjs': 'programs for readers, which open SQLite stores themselves',
};

/** What there is to test on PostgreSQL alone. */
export const POSTGRES_ONLY = {
  'postgres.test.mjs': 'connection strings, passwords, schemas, TLS; a server that goes away',
};

/** What runs nothing on any store: once is enough. */
export const NO_STORE = {
  'addon.test.mjs': 'which native addon is loaded',
  'api-table.test.mjs': 'the table of tests',
  'docs-pages.test.mjs': 'links and completeness of the documentation',
  'host.test.mjs': 'the host against an addon that is played',
  'package.test.mjs': 'what the package exports',
  'suites.test.mjs': 'these lists',
  'types.test.mjs': 'the compiler',
};

const folder = fileURLToPath(new URL('../test/', import.meta.url));

/** Every test file. */
export function testFiles() {
  return readdirSync(folder).filter((name) => /\.test\.[cm]js$/.test(name)).sort();
}

/** The test files for a store. */
export function filesFor(store) {
  const others = store === 'sqlite' ? POSTGRES_ONLY : { ...SQLITE_ONLY, ...NO_STORE };
  return testFiles().filter((name) => !(name in others));
}
