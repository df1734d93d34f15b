// The store that a process of the chaos runs on, and the files that all of them append to. Not
// here: what they run (`scenarios.mjs`).
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { PostgresProvider, SqliteProvider } from 'duroxide';

/** What the driver tells a process: `{ store: { sqlite } | { postgres, schema }, folder, … }`. */
export const config = () => JSON.parse(process.argv[2]);

/** How often a server is tried that cannot be reached; each try takes its time. */
const TRIES = 5;

/** Opens the store. Who cannot reach a server is told soon; this one will be there again. */
export async function open({ sqlite, postgres, schema }) {
  if (sqlite !== undefined) return SqliteProvider.open(sqlite);
  for (let tried = 1; ; tried++) {
    try {
      return await PostgresProvider.connectWithSchema(postgres, schema, { maxConnections: 6 });
    } catch (error) {
      if (error.code !== 'STORE_UNUSABLE' || tried === TRIES) throw error;
    }
  }
}

/** Appends one line in one write: whole, whatever other processes append, and there when it returns. */
export function append(folder, file, line) {
  appendFileSync(join(folder, file), `${JSON.stringify(line)}\n`, { flag: 'a' });
}
