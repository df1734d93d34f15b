// The provider on PostgreSQL: what JavaScript says of a connection, and what the addon is told. Not here: the store
// itself, which reads the connection string.

import { NotSupportedError } from './errors.js';
import { addon, native } from './native.js';
import { argument, checked, either, flag, oneOf, positive, rule, text, within } from './options.js';
import { Provider } from './provider.js';

/** The most connections that a pool may be given. */
const MOST_CONNECTIONS = 10_000;

/** How much a connection is encrypted, and what the server must prove; as libpq's `sslmode`. */
export type PostgresSslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

/** TLS of a `PostgresProvider`. */
export interface PostgresSslOptions {
  /**
   * As `sslmode` in a connection string. Default `'verify-full'`: encrypted, with a certificate that is signed by an
   * authority this machine (or `ca`) trusts, for the host that was asked for.
   */
  mode?: PostgresSslMode | undefined;
  /** Certificates (PEM text, not a path) that are trusted besides those of this machine. */
  ca?: string | Uint8Array | undefined;
  /** `false`: encrypted, and any certificate will do; the same as `mode: 'require'`. */
  rejectUnauthorized?: boolean | undefined;
}

/** How `PostgresProvider` connects. */
export interface PostgresOptions {
  /** Most connections at once, from 1; one more is kept to hear of news. Default 10. */
  maxConnections?: number | undefined;
  /**
   * How long a call waits for a connection, and goes on trying while the server cannot be reached. Default 10 000 ms.
   */
  acquireTimeoutMs?: number | undefined;
  /**
   * TLS, whatever the connection string says: `true` as `{}`, `false` as `{ mode: 'disable' }`. Without it the
   * string's `sslmode` holds, by default `prefer`.
   */
  ssl?: boolean | PostgresSslOptions | undefined;
}

/**
 * Keeps everything in one schema of a PostgreSQL database (14 or later), which Runtimes in any number of processes on
 * any number of machines may share.
 *
 * ```ts
 * const provider = await PostgresProvider.connect('postgresql://user:pass@host:5432/mydb');
 * ```
 */
export class PostgresProvider extends Provider {
  /**
   * Connects to the schema `public`, and makes or upgrades the tables there. Any number of processes may do so at
   * once.
   *
   * @param url `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…`
   * @throws TypeError for a wrong argument or option
   * @throws DuroxideError `STORE_UNUSABLE` if the string cannot be read, or the server refuses or cannot be reached;
   *   `STORE_NEWER_SCHEMA` if the store was written by a newer version. No message has the password.
   */
  static async connect(url: string, options?: PostgresOptions): Promise<PostgresProvider> {
    return connected('PostgresProvider.connect', url, undefined, options, (store) => new PostgresProvider(store));
  }

  /**
   * Connects to a schema, which is created if need be. Stores in two schemas know nothing of each other.
   *
   * @param schema its name as it is, upper case and all: at most 63 bytes, not one of PostgreSQL's own
   * @throws as `connect`
   */
  static async connectWithSchema(url: string, schema: string, options?: PostgresOptions): Promise<PostgresProvider> {
    const call = 'PostgresProvider.connectWithSchema';
    argument(call, 'the schema', schema, text);
    return connected(call, url, schema, options, (store) => new PostgresProvider(store));
  }

  /**
   * A server is not copied to a file by its clients: use `pg_dump`, or the backups of whoever runs it.
   *
   * @throws NotSupportedError always
   */
  async backup(_path?: string): Promise<never> {
    throw new NotSupportedError('PostgresProvider.backup', 'use pg_dump: pg_dump --schema=SCHEMA --file=FILE DATABASE_URL');
  }
}

type Store = Awaited<ReturnType<typeof addon.connectPostgres>>;

async function connected<T>(
  call: string,
  url: string,
  schema: string | undefined,
  options: PostgresOptions | undefined,
  made: (store: Store) => T,
): Promise<T> {
  checkUrl(call, url);
  const { ssl, ...given } = checked<PostgresOptions>(call, options, {
    maxConnections: within(1, MOST_CONNECTIONS),
    acquireTimeoutMs: positive,
    ssl: either(flag, 'an object', isObject),
  });
  const settings = { ...given, schema, ssl: ssl === undefined ? undefined : tls(call, ssl) };
  return made(await native(addon.connectPostgres(url, JSON.stringify(settings)), call));
}

/** Says nothing of the value: it may have a password in it. */
function checkUrl(call: string, url: unknown): void {
  if (typeof url === 'string' && url !== '' && url.isWellFormed()) return;
  const found = typeof url === 'string' ? (url === '' ? 'an empty one' : 'one with half of a surrogate pair') : `of type ${typeof url}`;
  throw new TypeError(`${call}: the url must be a string such as 'postgres://USER:PASSWORD@HOST:PORT/DATABASE', not ${found}`);
}

const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);

const PEM = rule(
  'certificates as PEM text (-----BEGIN CERTIFICATE-----)',
  (value) => (typeof value === 'string' || value instanceof Uint8Array) && pemOf(value).includes('-----BEGIN CERTIFICATE-----'),
);

function pemOf(ca: string | Uint8Array): string {
  return typeof ca === 'string' ? ca : Buffer.from(ca).toString('utf8');
}

/** What the addon is told: a mode and certificates. */
function tls(call: string, ssl: boolean | PostgresSslOptions): { mode: PostgresSslMode; ca?: string | undefined } {
  if (ssl === false) return { mode: 'disable' };
  const { mode, ca, rejectUnauthorized } = checked<PostgresSslOptions>(`${call}: option 'ssl'`, ssl === true ? {} : ssl, {
    mode: oneOf('disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'),
    ca: PEM,
    rejectUnauthorized: flag,
  });
  if (rejectUnauthorized !== undefined && mode !== undefined) {
    throw new TypeError(`${call}: option 'ssl' has both 'mode' and 'rejectUnauthorized', which say the same thing`);
  }
  if (rejectUnauthorized === false && ca !== undefined) {
    throw new TypeError(`${call}: option 'ssl' has a 'ca' that nobody would look at: 'rejectUnauthorized' is false`);
  }
  const chosen = mode ?? (rejectUnauthorized === false ? 'require' : 'verify-full');
  return { mode: chosen, ca: ca === undefined ? undefined : pemOf(ca) };
}
