// Runs the tests: on SQLite, then on PostgreSQL, or with DUROXIDE_TEST_STORE on one of them. More arguments go to
// node. Not here: which files (suites.mjs), and what is published (package-test.mjs).
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDatabase } from './postgres.mjs';
import { STORES, filesFor } from './suites.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

function run(store, url) {
  const tests = ['--test', '--test-reporter=spec', ...process.argv.slice(2), ...filesFor(store).map((name) => join('test', name))];
  console.log(`\nOn ${store}:`);
  const { status, error } = spawnSync(process.execPath, tests, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, DATABASE_URL: url, DUROXIDE_TEST_STORE: store, DUROXIDE_TEST_PACKAGES: join(folder, 'packages') },
  });
  if (error) throw error;
  if (status !== 0) process.exitCode = status ?? 1;
}

const { DUROXIDE_TEST_STORE: only } = process.env;
if (only && !STORES.includes(only)) throw new Error(`DUROXIDE_TEST_STORE is '${only}', not one of ${STORES.join(', ')}`);
// The guide and the documentation have blocks on PostgreSQL, whatever the other tests run on.
const database = await startDatabase();
const folder = mkdtempSync(join(tmpdir(), 'duroxide-tests-'));
try {
  for (const store of STORES) if (!only || only === store) run(store, database.url);
} finally {
  rmSync(folder, { recursive: true });
  await database.drop();
}
