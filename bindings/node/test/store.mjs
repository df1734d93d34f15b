// The store that the tests run on: SQLite, or with DUROXIDE_TEST_STORE=postgres a schema of its own
// for each test on the server of DATABASE_URL. Not here: which test files run on which
// (scripts/suites.mjs), where the server comes from (scripts/postgres.mjs).
import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { PostgresProvider, SqliteProvider } from 'duroxide';

const { DUROXIDE_TEST_STORE: kind = 'sqlite', DATABASE_URL: url } = process.env;
if (kind !== 'sqlite' && kind !== 'postgres') throw new Error(`DUROXIDE_TEST_STORE is '${kind}', not sqlite or postgres`);
if (kind === 'postgres' && !url) throw new Error('DUROXIDE_TEST_STORE=postgres without DATABASE_URL');

const SCHEMA = 'postgres:';

/** A provider on an empty store that nobody else has. */
export function newStore() {
  return kind === 'sqlite' ? SqliteProvider.inMemory() : openStore(`${SCHEMA}${schemaFor(randomUUID())}`);
}

/** The name of a store that belongs to a test's folder; other processes open the same by it. */
export function storeIn(folder, name = 'store') {
  const file = join(folder, `${name}.db`);
  return kind === 'sqlite' ? file : `${SCHEMA}${schemaFor(file)}`;
}

/** A provider on the store of this name. */
export function openStore(name) {
  if (kind === 'sqlite') return SqliteProvider.open(name);
  return PostgresProvider.connectWithSchema(url, name.slice(SCHEMA.length), { maxConnections: 5 });
}

function schemaFor(text) {
  return `test_${createHash('sha256').update(text).digest('hex').slice(0, 24)}`;
}
