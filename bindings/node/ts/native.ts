// Says what the native addon offers, and translates its errors. addon.ts loads it.
// Not here: anything the user sees.

import { loadAddon } from './addon.js';
import { DuroxideError, InstanceExistsError, InstanceNotFoundError, LimitError, TimeoutError } from './errors.js';

/** A store, opened. */
export interface NativeStore {
  close(): Promise<void>;
  backup(path: string): Promise<void>;
}

/** One execution: the core's state machine. Its methods answer in JSON text. */
export interface NativeExecution {
  /** Takes over a turn that was drained. */
  begin(turn: number): void;
  /** What to do next: `{"start":…}`, `{"ok":…}`, `{"err":…}`; null when the turn is over. */
  next(): string | null;
  /** Gives the turn's commit to the runtime; true when the execution has ended. */
  finish(): boolean;
  await(tree: string): string;
  complete(output: string): void;
  fail(failure: string): void;
  setStatus(status: string | null): string;
  status(): string | null;
  kvSet(key: string, value: string): string;
  kvClear(key: string | null): string;
  kvPrune(before: number): string;
  kvGet(key: string): string;
  kvAll(): string;
  isReplaying(): boolean;
  /** What the replay of a recorded history came to. */
  verdict(): string;
  /** Drops everything without any effect. */
  release(): void;
}

/** The hosts of one Runtime, and its engine. */
export interface NativeRuntime {
  start(): Promise<void>;
  shutdown(timeoutMs: number): Promise<void>;
  /** Everything that waits for this thread, as a JSON array of jobs. */
  drain(): string;
  /** The state machine for a turn that brings its history. */
  open(turn: number): NativeExecution;
  /** There is no resident copy for this turn: ask again with the history. */
  notResident(turn: number): void;
  /** This turn cannot be run here. */
  refuse(turn: number, reason: string): void;
  completeActivity(id: number, output: string): void;
  failActivity(id: number, failure: string): void;
  isCancelled(id: number): boolean;
  metrics(): string | null;
  /** A client whose mail an activity's result never overtakes; null before the start. */
  client(): NativeClient | null;
}

/** Reads and requests on a store. Answers are JSON text. */
export interface NativeClient {
  start(id: string, name: string, version: string | null, input: string): Promise<boolean>;
  raise(id: string, channel: 'Event' | 'Queue', name: string, data: string): Promise<void>;
  cancel(id: string, reason: string): Promise<void>;
  terminate(id: string, reason: string): Promise<void>;
  status(id: string): Promise<string>;
  waitFor(id: string, timeoutMs: number): Promise<string>;
  waitForStatusChange(id: string, lastVersion: number, timeoutMs: number): Promise<string | null>;
  waitForValue(id: string, key: string, timeoutMs: number): Promise<string>;
  kv(id: string): Promise<string>;
  metrics(): Promise<string>;
  depths(): Promise<string>;
  stats(id: string): Promise<string>;
  list(status: string | null): Promise<string>;
  executions(id: string): Promise<string>;
  info(id: string): Promise<string>;
  executionInfo(id: string, execution: number): Promise<string>;
  tree(id: string): Promise<string>;
  history(id: string, execution: number): Promise<string>;
  delete(id: string, force: boolean): Promise<string>;
  deleteMany(selection: string): Promise<string>;
  prune(selection: string, rule: string): Promise<string>;
}

/** The addon. */
export interface Addon {
  openSqlite(path: string, options: string): Promise<NativeStore>;
  connectPostgres(url: string, options: string): Promise<NativeStore>;
  NativeRuntime: new (store: NativeStore, config: string, wake: () => void) => NativeRuntime;
  NativeClient: new (store: NativeStore) => NativeClient;
  /** A state machine that replays recorded rows, and what they say was inherited. */
  openRecorded(rows: string, inherited: string): NativeExecution;
  trace(target: 'orchestration' | 'activity', level: string, fields: string, message: string): void;
  initTracing(config: string): void;
}

export const addon = loadAddon() as Addon;

/** The result of a native call, or its error as a class of ours. */
export async function native<T>(answer: Promise<T>, call?: string): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw translated(error, call);
  }
}

/** The same for calls that answer at once. */
export function nativeSync<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw translated(error);
  }
}

interface Told {
  code: string;
  message: string;
  instance?: string;
}

function translated(error: unknown, call?: string): unknown {
  const told = error instanceof Error ? parsed(error.message) : undefined;
  if (told === undefined) return error;
  if (told.code === 'INSTANCE_NOT_FOUND') return new InstanceNotFoundError(told.instance ?? '');
  if (told.code === 'INSTANCE_EXISTS') return new InstanceExistsError(told.instance ?? '');
  if (told.code === 'TIMEOUT') return new TimeoutError();
  const message = call === undefined ? told.message : `${call}: ${told.message}`;
  return told.code === 'LIMIT' ? new LimitError(message) : new DuroxideError(told.code, message);
}

function parsed(message: string): Told | undefined {
  try {
    const told = JSON.parse(message) as Told;
    return typeof told === 'object' && told !== null && 'code' in told ? told : undefined;
  } catch {
    return undefined;
  }
}
