// What an orchestration is given: calls that return descriptors, and calls that act at once.
// Not here: stepping the generator (`coroutine.ts`) and settling (the core).

import {
  ActivityDescriptor,
  AllDescriptor,
  type AllResult,
  Descriptor,
  type Leaf,
  type Ledger,
  LeafDescriptor,
  RaceDescriptor,
  type RaceResult,
} from './descriptors.js';
import { NotSupportedError } from './errors.js';
import { encode } from './json.js';
import type { NativeExecution } from './native.js';
import { anyText, argument, checked, moment, text } from './options.js';

/** Where an activity runs. */
export interface ActivityOptions {
  /** All activities of one session run on one Runtime. */
  sessionId?: string | undefined;
  /** Routes the activity to workers that take this tag. */
  tag?: string | undefined;
}

/** How often and how long an activity is tried. */
export interface RetryPolicy {
  maxAttempts: number;
  backoff?:
    | 'exponential'
    | 'linear'
    | 'fixed'
    | 'none'
    | { initialMs: number; maxMs: number; factor: number; jitter: number };
  timeoutMs?: number;
  totalTimeoutMs?: number;
  nonRetryable?: string[];
}

/** The type of a descriptor's result. */
export type Result<D> = D extends Descriptor<infer T> ? T : never;

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

const LONGEST_TIMER = Number.MAX_SAFE_INTEGER;

/** The first argument of every orchestration. */
export class OrchestrationContext {
  readonly instanceId: string;
  /** Number of this execution, from 1; continue-as-new starts the next. */
  readonly executionId: number;
  readonly orchestrationName: string;
  readonly orchestrationVersion: string;
  readonly #core: Core;

  /** @internal */
  constructor(identity: Identity, core: Core) {
    this.instanceId = identity.instanceId;
    this.executionId = identity.executionId;
    this.orchestrationName = identity.orchestrationName;
    this.orchestrationVersion = identity.orchestrationVersion;
    this.#core = core;
  }

  /** Whether what runs now was recorded before. */
  get isReplaying(): boolean {
    return this.#core.read('ctx.isReplaying', (native) => native.isReplaying());
  }

  /** Runs an activity; its failure is thrown. */
  scheduleActivity<T = unknown>(name: string, input?: unknown, options?: ActivityOptions): ActivityDescriptor<T> {
    return this.#activity('ctx.scheduleActivity', name, input, options);
  }

  /** Runs an activity on the Runtime that owns the session. */
  scheduleActivityOnSession<T = unknown>(name: string, input: unknown, sessionId: string): ActivityDescriptor<T> {
    const call = 'ctx.scheduleActivityOnSession';
    argument(call, 'sessionId', sessionId, text);
    return this.#activity(call, name, input, { sessionId });
  }

  /** Not in this build yet: throws. */
  scheduleActivityWithRetry<T = unknown>(_name: string, _input: unknown, _policy: RetryPolicy): ActivityDescriptor<T> {
    throw new NotSupportedError('ctx.scheduleActivityWithRetry');
  }

  /** Not in this build yet: throws. */
  scheduleActivityWithRetryOnSession<T = unknown>(
    _name: string,
    _input: unknown,
    _policy: RetryPolicy,
    _sessionId: string,
  ): ActivityDescriptor<T> {
    throw new NotSupportedError('ctx.scheduleActivityWithRetryOnSession');
  }

  /** Waits, across restarts. */
  scheduleTimer(ms: number): Descriptor<null> {
    if (typeof ms !== 'number' || !Number.isFinite(ms) || ms < 0) {
      throw new RangeError(`ctx.scheduleTimer: the delay must be a finite number of milliseconds >= 0, not ${String(ms)}`);
    }
    return this.#leaf('ctx.scheduleTimer', { Timer: { delay_ms: Math.min(Math.ceil(ms), LONGEST_TIMER) } });
  }

  /** Waits for an event raised for this instance, before or after this call. */
  waitForEvent<T = unknown>(name: string): Descriptor<T> {
    argument('ctx.waitForEvent', 'the event name', name, text);
    return this.#leaf('ctx.waitForEvent', { Mail: { channel: 'Event', name } });
  }

  /** Waits for the next message of a queue. */
  dequeueEvent<T = unknown>(queue: string): Descriptor<T> {
    argument('ctx.dequeueEvent', 'the queue name', queue, text);
    return this.#leaf('ctx.dequeueEvent', { Mail: { channel: 'Queue', name: queue } });
  }

  /** Runs a child and waits for its output; its failure is thrown. */
  scheduleSubOrchestration<T = unknown>(name: string, input?: unknown): Descriptor<T> {
    return this.#child('ctx.scheduleSubOrchestration', name, null, null, input);
  }

  /** The same with an id for the child. */
  scheduleSubOrchestrationWithId<T = unknown>(name: string, instanceId: string, input?: unknown): Descriptor<T> {
    const call = 'ctx.scheduleSubOrchestrationWithId';
    argument(call, 'the instance id', instanceId, text);
    return this.#child(call, name, null, instanceId, input);
  }

  /** The same with a version of the child's code. */
  scheduleSubOrchestrationVersioned<T = unknown>(name: string, version: string, input?: unknown): Descriptor<T> {
    const call = 'ctx.scheduleSubOrchestrationVersioned';
    argument(call, 'the version', version, text);
    return this.#child(call, name, version, null, input);
  }

  /** The same with both. */
  scheduleSubOrchestrationVersionedWithId<T = unknown>(
    name: string,
    version: string,
    instanceId: string,
    input?: unknown,
  ): Descriptor<T> {
    const call = 'ctx.scheduleSubOrchestrationVersionedWithId';
    argument(call, 'the version', version, text);
    argument(call, 'the instance id', instanceId, text);
    return this.#child(call, name, version, instanceId, input);
  }

  /** Starts an orchestration nobody waits for; an existing id is left alone. */
  startOrchestration(name: string, instanceId: string, input?: unknown): Descriptor<null> {
    return this.#detached('ctx.startOrchestration', name, null, instanceId, input);
  }

  /** The same with a version. */
  startOrchestrationVersioned(name: string, version: string, instanceId: string, input?: unknown): Descriptor<null> {
    argument('ctx.startOrchestrationVersioned', 'the version', version, text);
    return this.#detached('ctx.startOrchestrationVersioned', name, version, instanceId, input);
  }

  /** Ends this execution and goes on as a new one. Never resumes. */
  continueAsNew(input?: unknown): Descriptor<never> {
    const encoded = encode(input, 'ctx.continueAsNew');
    return this.#leaf('ctx.continueAsNew', { ContinueAsNew: { input: encoded, version: null } });
  }

  /** The same with the version to go on with. */
  continueAsNewVersioned(input: unknown, version: string): Descriptor<never> {
    const call = 'ctx.continueAsNewVersioned';
    argument(call, 'the version', version, text);
    return this.#leaf(call, { ContinueAsNew: { input: encode(input, call), version } });
  }

  /** Waits for every task; never throws. */
  all<const T extends readonly Descriptor<unknown>[]>(
    tasks: T,
  ): Descriptor<{ -readonly [K in keyof T]: AllResult<Result<T[K]>> }> {
    if (!Array.isArray(tasks)) throw new TypeError('ctx.all: the tasks must be an array of descriptors');
    return new AllDescriptor('ctx.all', this.#core.ledger, tasks);
  }

  /** Waits for the first task to settle and cancels the others; throws if that one failed. */
  race<const T extends readonly Descriptor<unknown>[]>(...tasks: T): Descriptor<RaceResult<Result<T[number]>>> {
    if (tasks.length === 0) throw new TypeError('ctx.race: at least one task is needed');
    return new RaceDescriptor('ctx.race', this.#core.ledger, tasks);
  }

  /** A new guid, the same on every replay. */
  newGuid(): Descriptor<string> {
    return this.#leaf('ctx.newGuid', 'NewGuid');
  }

  /** The time, in ms, of what is processed now; the same on every replay. */
  utcNow(): Descriptor<number> {
    return this.#leaf('ctx.utcNow', 'UtcNow');
  }

  /** Reads a value of another instance. */
  getValueFromInstance(instanceId: string, key: string): Descriptor<string | null> {
    const call = 'ctx.getValueFromInstance';
    argument(call, 'the instance id', instanceId, text);
    argument(call, 'the key', key, anyText);
    const input = JSON.stringify([instanceId, key]);
    return this.#leaf(call, {
      Activity: { name: 'duroxide::value-from-instance', input, session: null, tag: null },
    });
  }

  /** Shows progress to clients. */
  setCustomStatus(status: string): void {
    argument('ctx.setCustomStatus', 'the status', status, anyText);
    this.#core.ask('ctx.setCustomStatus', (native) => native.setStatus(status));
  }

  resetCustomStatus(): void {
    this.#core.ask('ctx.resetCustomStatus', (native) => native.setStatus(null));
  }

  getCustomStatus(): string | null {
    return this.#core.read('ctx.getCustomStatus', (native) => native.status());
  }

  /** Keeps a string under a key of this instance, durably. */
  setValue(key: string, value: string): void {
    argument('ctx.setValue', 'the key', key, anyText);
    argument('ctx.setValue', 'the value', value, anyText);
    this.#core.ask('ctx.setValue', (native) => native.kvSet(key, value));
  }

  getValue(key: string): string | null {
    argument('ctx.getValue', 'the key', key, anyText);
    return this.#core.ask('ctx.getValue', (native) => native.kvGet(key)) as string | null;
  }

  clearValue(key: string): void {
    argument('ctx.clearValue', 'the key', key, anyText);
    this.#core.ask('ctx.clearValue', (native) => native.kvClear(key));
  }

  clearAllValues(): void {
    this.#core.ask('ctx.clearAllValues', (native) => native.kvClear(null));
  }

  getKvAllValues(): Record<string, string> {
    return Object.fromEntries(this.#pairs('ctx.getKvAllValues'));
  }

  getKvAllKeys(): string[] {
    return this.#pairs('ctx.getKvAllKeys').map(([key]) => key);
  }

  getKvLength(): number {
    return this.#pairs('ctx.getKvLength').length;
  }

  /** Removes keys last written at or before a time, and says how many. */
  pruneKvValuesUpdatedBefore(ms: number): number {
    const call = 'ctx.pruneKvValuesUpdatedBefore';
    argument(call, 'the time', ms, moment);
    return this.#core.ask(call, (native) => native.kvPrune(Math.floor(ms))) as number;
  }

  traceInfo(message: string): void {
    this.#core.trace('info', message);
  }

  traceWarn(message: string): void {
    this.#core.trace('warn', message);
  }

  traceError(message: string): void {
    this.#core.trace('error', message);
  }

  traceDebug(message: string): void {
    this.#core.trace('debug', message);
  }

  #pairs(call: string): [string, string][] {
    return this.#core.ask(call, (native) => native.kvAll()) as [string, string][];
  }

  #leaf<T>(call: string, leaf: Leaf): Descriptor<T> {
    return new LeafDescriptor<T>(call, this.#core.ledger, leaf);
  }

  #activity<T>(call: string, name: string, input: unknown, options?: ActivityOptions): ActivityDescriptor<T> {
    argument(call, 'the activity name', name, text);
    const { sessionId, tag } = checked<ActivityOptions>(call, options, { sessionId: text, tag: text });
    return new ActivityDescriptor<T>(call, this.#core.ledger, {
      Activity: {
        name,
        input: encode(input, `${call}('${name}')`),
        session: sessionId ?? null,
        tag: tag ?? null,
      },
    });
  }

  #child<T>(
    call: string,
    name: string,
    version: string | null,
    instance: string | null,
    input: unknown,
  ): Descriptor<T> {
    argument(call, 'the orchestration name', name, text);
    return this.#leaf(call, { Child: { name, version, instance, input: encode(input, `${call}('${name}')`) } });
  }

  #detached(
    call: string,
    name: string,
    version: string | null,
    instance: string,
    input: unknown,
  ): Descriptor<null> {
    argument(call, 'the orchestration name', name, text);
    argument(call, 'the instance id', instance, text);
    return this.#leaf(call, { Detached: { name, version, instance, input: encode(input, `${call}('${name}')`) } });
  }
}

const TWINS = [
  'scheduleActivity',
  'scheduleActivityOnSession',
  'scheduleActivityWithRetry',
  'scheduleActivityWithRetryOnSession',
  'scheduleTimer',
  'waitForEvent',
  'dequeueEvent',
  'scheduleSubOrchestration',
  'scheduleSubOrchestrationWithId',
  'scheduleSubOrchestrationVersioned',
  'scheduleSubOrchestrationVersionedWithId',
  'startOrchestration',
  'startOrchestrationVersioned',
  'continueAsNew',
  'continueAsNewVersioned',
  'all',
  'race',
  'newGuid',
  'utcNow',
  'getValueFromInstance',
] as const;

type Twin = (typeof TWINS)[number];

/** Every method that gives a descriptor has a twin of the same behaviour. */
export interface OrchestrationContext extends Readonly<TypedTwins> {}

/** The twins: `scheduleActivityTyped` and so on. */
export type TypedTwins = { [K in Twin as `${K}Typed`]: OrchestrationContext[K] };

for (const name of TWINS) {
  Object.defineProperty(OrchestrationContext.prototype, `${name}Typed`, {
    value: OrchestrationContext.prototype[name],
    configurable: true,
    writable: true,
  });
}
