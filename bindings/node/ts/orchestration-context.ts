// What an orchestration is given: who it is, and the calls that act at once.
// Not here: the calls that return descriptors (`scheduling.ts`), and stepping the generator (`coroutine.ts`).

import type { Ledger } from './descriptors.js';
import type { NativeExecution } from './native.js';
import { anyText, argument, moment } from './options.js';
import { SchedulingContext } from './scheduling.js';
import { type TypedTwins, addTwins } from './typed-twins.js';

/** What the context asks of the execution it belongs to. @internal */
export interface Core {
  readonly ledger: Ledger;
  /** The answer of the state machine; a refusal is thrown. */
  ask(call: string, question: (native: NativeExecution) => string): unknown;
  read<T>(call: string, question: (native: NativeExecution) => T): T;
  trace(level: TraceLevel, message: string): void;
}

/** @internal */
export type TraceLevel = 'info' | 'warn' | 'error' | 'debug';

/** @internal */
export interface Identity {
  instanceId: string;
  executionId: number;
  orchestrationName: string;
  orchestrationVersion: string;
}

/** What the log shows beside a message. @internal */
export function traceFields(identity: Identity): object {
  return {
    instance_id: identity.instanceId,
    execution_id: identity.executionId,
    orchestration_name: identity.orchestrationName,
    orchestration_version: identity.orchestrationVersion,
  };
}

/**
 * The first argument of every orchestration. Calls that return descriptors act when yielded, the
 * others at once. `In` is the input that `continueAsNew` takes. An ordinary object: callers may
 * hang helpers on it.
 */
export class OrchestrationContext<In = unknown> extends SchedulingContext<In> {
  /** The id of this instance. */
  readonly instanceId: string;
  /** Number of this execution, from 1; continue-as-new starts the next. */
  readonly executionId: number;
  /** The name it is registered by. */
  readonly orchestrationName: string;
  /** The version of the code that runs, which holds until the end or continue-as-new. */
  readonly orchestrationVersion: string;
  readonly #core: Core;

  /** @internal */
  constructor(identity: Identity, core: Core) {
    super(core.ledger);
    this.instanceId = identity.instanceId;
    this.executionId = identity.executionId;
    this.orchestrationName = identity.orchestrationName;
    this.orchestrationVersion = identity.orchestrationVersion;
    this.#core = core;
  }

  /** Whether what runs now was recorded before; for logging only, never to decide what to do. */
  get isReplaying(): boolean {
    return this.#core.read('ctx.isReplaying', (native) => native.isReplaying());
  }

  /**
   * Shows progress to clients (`customStatus`, `waitForStatusChange`). Kept across continue-as-new.
   *
   * ```ts
   * ctx.setCustomStatus('step 2: processing');
   * ```
   *
   * @param status a string of at most 256 KiB; a longer one throws a `LimitError`
   */
  setCustomStatus(status: string): void {
    argument('ctx.setCustomStatus', 'the status', status, anyText);
    this.#core.ask('ctx.setCustomStatus', (native) => native.setStatus(status));
  }

  /** Takes the status back; clients see none, and a higher `customStatusVersion`. */
  resetCustomStatus(): void {
    this.#core.ask('ctx.resetCustomStatus', (native) => native.setStatus(null));
  }

  /** The status as it was set last, or null. */
  getCustomStatus(): string | null {
    return this.#core.read('ctx.getCustomStatus', (native) => native.status());
  }

  /**
   * Keeps a string under a key of this instance, durably: readable at once, by clients from the
   * end of this turn, across continue-as-new and after the end.
   *
   * @param value at most `MAX_KV_VALUE_BYTES` bytes; more, or more than `MAX_KV_KEYS` keys, throws a `LimitError`
   */
  setValue(key: string, value: string): void {
    argument('ctx.setValue', 'the key', key, anyText);
    argument('ctx.setValue', 'the value', value, anyText);
    this.#core.ask('ctx.setValue', (native) => native.kvSet(key, value));
  }

  /** The value under a key, or null. */
  getValue(key: string): string | null {
    argument('ctx.getValue', 'the key', key, anyText);
    return this.#core.ask('ctx.getValue', (native) => native.kvGet(key)) as string | null;
  }

  /** Removes a key; no error if there is none. */
  clearValue(key: string): void {
    argument('ctx.clearValue', 'the key', key, anyText);
    this.#core.ask('ctx.clearValue', (native) => native.kvClear(key));
  }

  /** Removes every key. */
  clearAllValues(): void {
    this.#core.ask('ctx.clearAllValues', (native) => native.kvClear(null));
  }

  /** All keys and values, as a plain object that does not change. */
  getKvAllValues(): Record<string, string> {
    return Object.fromEntries(this.#pairs('ctx.getKvAllValues'));
  }

  /** All keys, sorted. */
  getKvAllKeys(): string[] {
    return this.#pairs('ctx.getKvAllKeys').map(([key]) => key);
  }

  /** How many keys there are. */
  getKvLength(): number {
    return this.#pairs('ctx.getKvLength').length;
  }

  /**
   * Removes the keys last written at or before a time, except those written in this turn.
   *
   * @param ms a time in ms since 1970
   * @returns how many were removed
   */
  pruneKvValuesUpdatedBefore(ms: number): number {
    const call = 'ctx.pruneKvValuesUpdatedBefore';
    argument(call, 'the time', ms, moment);
    return this.#core.ask(call, (native) => native.kvPrune(Math.floor(ms))) as number;
  }

  /** Logs at INFO under `duroxide::orchestration`; silent in replay. */
  traceInfo(message: string): void {
    this.#core.trace('info', message);
  }

  /** Logs at WARN under `duroxide::orchestration`; silent in replay. */
  traceWarn(message: string): void {
    this.#core.trace('warn', message);
  }

  /** Logs at ERROR under `duroxide::orchestration`; silent in replay. */
  traceError(message: string): void {
    this.#core.trace('error', message);
  }

  /** Logs at DEBUG under `duroxide::orchestration`; silent in replay. */
  traceDebug(message: string): void {
    this.#core.trace('debug', message);
  }

  #pairs(call: string): [string, string][] {
    return this.#core.ask(call, (native) => native.kvAll()) as [string, string][];
  }
}

/** The `…Typed` twins. */
export interface OrchestrationContext<In = unknown> extends Readonly<TypedTwins<In>> {}

addTwins(OrchestrationContext.prototype);
