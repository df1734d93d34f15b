// Providers: where everything durable is kept; SQLite. Not here: the store itself, PostgreSQL (postgres.ts).

// `Symbol.asyncDispose` stands in the declarations, whatever `lib` their reader has chosen.
/// <reference lib="esnext.disposable" preserve="true" />

import { type NativeStore, addon, native } from './native.js';
import { argument, checked, oneOf, text } from './options.js';

const stores = new WeakMap<Provider, NativeStore>();

/** An opened store; made by the static methods of its subclasses. */
export abstract class Provider {
  /** @internal */
  protected constructor(store: NativeStore) {
    stores.set(this, store);
  }

  /** Finishes what is under way and lets go of files and connections. */
  async close(): Promise<void> {
    await native(storeOf(this, 'provider.close').close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** The native store behind a provider; anything else is a `TypeError`. @internal */
export function storeOf(provider: Provider, call: string): NativeStore {
  const store = provider instanceof Provider ? stores.get(provider) : undefined;
  if (store === undefined) throw new TypeError(`${call}: the provider must be a SqliteProvider or a PostgresProvider`);
  return store;
}

/** How `SqliteProvider.open` keeps a file. */
export interface SqliteOptions {
  /** `'full'` (default) survives power loss; `'process'` only the end of the process, and is faster. */
  durability?: 'full' | 'process' | undefined;
}

/** Keeps everything in one SQLite file, which several Runtimes and processes may share. */
export class SqliteProvider extends Provider {
  /**
   * Opens `'sqlite:FILE'` or `'FILE'`; creates the file and its folder. A `?mode=rwc|rw|ro|memory`
   * query and `:memory:` are understood.
   */
  static async open(path: string, options?: SqliteOptions): Promise<SqliteProvider> {
    const call = 'SqliteProvider.open';
    argument(call, 'the path', path, text);
    const { durability } = checked<SqliteOptions>(call, options, { durability: oneOf('full', 'process') });
    return new SqliteProvider(await opened(path, durability ?? 'full'));
  }

  /** A store of its own in memory, gone when closed. */
  static async inMemory(): Promise<SqliteProvider> {
    return new SqliteProvider(await opened(':memory:', 'process'));
  }

  /**
   * Copies the whole store to a new file while it is in use: what is committed when the call begins is
   * in it, and nothing waits for it. The copy is opened like any other file; it is complete or not there.
   *
   * ```ts
   * await provider.backup('backups/monday.db');
   * ```
   *
   * @param path `'sqlite:FILE'` or `'FILE'`: one that does not exist, in a folder that does
   * @throws DuroxideError `INVALID` if there is such a file, or no such folder; `STORE_FULL` if there is no
   *   room; `STORE_UNUSABLE` if the provider is closed
   */
  async backup(path: string): Promise<void> {
    argument('provider.backup', 'the path', path, text);
    await native(storeOf(this, 'provider.backup').backup(path.replace(/^sqlite:(\/\/)?/, '')));
  }
}

function opened(path: string, durability: string): Promise<NativeStore> {
  return native(addon.openSqlite(path, JSON.stringify({ durability })));
}
