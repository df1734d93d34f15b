// The Runtime: registrations, start, shutdown. Not here: running anything (`host.ts`).

import { Client } from './client.js';
import type { OrchestrationCode } from './coroutine.js';
import {
  ActivityDefinition,
  type ActivityFunction,
  type DefinedOrchestrationFunction,
  OrchestrationDefinition,
  type OrchestrationFunction,
} from './define.js';
import { DuroxideError } from './errors.js';
import { type ActivityCode, Host, type Registrations } from './host.js';
import { MAX_TAG_NAME_BYTES, MAX_WORKER_TAGS } from './limits.js';
import { type NativeRuntime, addon, native, nativeSync } from './native.js';
import { type Rule, argument, checked, count, either, flag, oneOf, positive, semver, text, texts, within } from './options.js';
import { type Provider, storeOf } from './provider.js';

/**
 * Which activities a Runtime takes: those without a tag (`'defaultOnly'`, the default), every one,
 * none, those with one of these tags, or those without a tag and these. At most `MAX_WORKER_TAGS`
 * tags of at most `MAX_TAG_NAME_BYTES` bytes.
 */
export type WorkerTagFilter = 'defaultOnly' | 'any' | 'none' | { tags: string[] } | { defaultAnd: string[] };

/**
 * How a Runtime works. `undefined` is the same as absent.
 *
 * ```ts
 * const runtime = new Runtime(provider, { workerConcurrency: 32, logLevel: 'warn' });
 * ```
 */
export interface RuntimeOptions {
  /** Turns at once; 0 turns this role off. Default 4. */
  orchestrationConcurrency?: number | undefined;
  /** Activities at once; 0 turns this role off. Default 8. */
  workerConcurrency?: number | undefined;
  /** Fallback polling in ms; announced work never waits for it. Default 100. */
  dispatcherPollInterval?: number | undefined;
  /** The same option. */
  dispatcherPollIntervalMs?: number | undefined;
  /** How long a lease holds without being renewed, in ms. Default 30 000. */
  workerLockTimeoutMs?: number | undefined;
  /** The least level that is logged. Default `'info'`. `RUST_LOG` beats it; the first Runtime's log settings hold for the process. */
  logLevel?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'off' | undefined;
  /** How a line of the log looks. Default `'pretty'`. */
  logFormat?: 'pretty' | 'json' | 'compact' | undefined;
  /** A name that the log says once, when the Runtime starts. */
  serviceName?: string | undefined;
  /** A version that the log says once, when the Runtime starts. */
  serviceVersion?: string | undefined;
  /** Sessions owned at once. Default 10. */
  maxSessionsPerRuntime?: number | undefined;
  /** How long a session without an activity stays owned, in ms. Default 300 000. */
  sessionIdleTimeoutMs?: number | undefined;
  /** Stable identity of this worker, such as the name of its pod; owns sessions. Default: random. */
  workerNodeId?: string | undefined;
  /** Which activities it takes. Default `'defaultOnly'`. */
  workerTagFilter?: WorkerTagFilter | undefined;
  /** Runs of an activity or turn that died (crash, lost lease) before it fails as poison. Default 10. */
  maxAttempts?: number | undefined;
  /** How long work may wait for a name that nobody has registered, in ms; 0 = for ever. Default 300 000. */
  unregisteredTimeoutMs?: number | undefined;
  /** Live instances kept in memory. Default 1 000. */
  residentInstances?: number | undefined;
  /** Whether `metricsSnapshot` counts. Default true. */
  metrics?: boolean | undefined;
  /**
   * What happens when orchestration code calls what is not deterministic (`Date.now`, `Math.random`, `fetch` …), and
   * when a command is replayed with another input: `'throw'` an error, `'warn'` (default) in the log, or `'off'`.
   */
  determinism?: 'throw' | 'warn' | 'off' | undefined;
}

/** Counters of a Runtime since its start, each event counted once. */
export interface MetricsSnapshot {
  /** Instances whose first turn became durable here. */
  orchStarts: number;
  /** Instances that completed. */
  orchCompletions: number;
  /** Instances that failed, for whatever reason. */
  orchFailures: number;
  /** Of these: their code failed, was cancelled, or broke a limit. A terminated instance is none of these. */
  orchApplicationErrors: number;
  /** Of these: what is stored cannot be used. */
  orchInfrastructureErrors: number;
  /** Of these: code and history disagree, or nobody has registered the name. */
  orchConfigurationErrors: number;
  /** Of these: turns died too often. */
  orchPoison: number;
  /** Activities that returned a value. */
  activitySuccess: number;
  /** Activities that failed in their code. */
  activityAppErrors: number;
  /** Activities that failed because of the store. */
  activityInfraErrors: number;
  /** Activities that failed because nobody has registered the name, or a call was wrong. */
  activityConfigErrors: number;
  /** Activities whose attempts died too often. */
  activityPoison: number;
  /** Instances leased. */
  orchDispatcherItemsFetched: number;
  /** Activities leased; those that a commit claimed are not fetched. */
  workerDispatcherItemsFetched: number;
  /** Executions that went on as a new one. */
  orchContinueAsNew: number;
  /** Children scheduled. */
  suborchestrationCalls: number;
  /** Calls of the store that failed. */
  providerErrors: number;
}

const TAG_WORDS = ['defaultOnly', 'any', 'none'];
const MOST_AT_ONCE = 2 ** 16;

function isTagFilter(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const [[kind, tags] = [], ...more] = Object.entries(value);
  const known = kind === 'tags' || kind === 'defaultAnd';
  return known && more.length === 0 && texts.holds(tags) && (tags as string[]).length <= MAX_WORKER_TAGS && (tags as string[]).every(isTag);
}

function isTag(tag: string): boolean {
  return tag !== '' && Buffer.byteLength(tag) <= MAX_TAG_NAME_BYTES;
}

const RULES: { [K in keyof RuntimeOptions]-?: Rule } = {
  orchestrationConcurrency: within(0, MOST_AT_ONCE),
  workerConcurrency: within(0, MOST_AT_ONCE),
  dispatcherPollInterval: positive,
  dispatcherPollIntervalMs: positive,
  workerLockTimeoutMs: positive,
  logLevel: oneOf('trace', 'debug', 'info', 'warn', 'error', 'off'),
  logFormat: oneOf('pretty', 'json', 'compact'),
  serviceName: text,
  serviceVersion: text,
  maxSessionsPerRuntime: count,
  sessionIdleTimeoutMs: positive,
  workerNodeId: text,
  workerTagFilter: either(oneOf(...TAG_WORDS), `{ tags } or { defaultAnd } with at most ${MAX_WORKER_TAGS} names of 1 to ${MAX_TAG_NAME_BYTES} bytes`, isTagFilter),
  maxAttempts: within(1, 2 ** 32 - 1),
  unregisteredTimeoutMs: count,
  residentInstances: positive,
  metrics: flag,
  determinism: oneOf('throw', 'warn', 'off'),
};

const FAR = 2 ** 31 - 1;

/**
 * Runs orchestrations and activities on a provider: register, `start()`, and `shutdown()` at the
 * end. Several Runtimes, in one process or many, may share a store. Only a started Runtime that
 * has not been shut down keeps Node alive.
 *
 * ```ts
 * const runtime = new Runtime(provider);
 * runtime.registerActivity(SayHello);
 * runtime.registerOrchestration(HelloWorkflow);
 * await runtime.start();
 * ```
 */
export class Runtime {
  readonly #provider: Provider;
  readonly #options: Partial<RuntimeOptions>;
  readonly #registrations: Registrations = { orchestrations: new Map(), activities: new Map() };
  #state: 'new' | 'started' | 'stopped' = 'new';
  #native: NativeRuntime | undefined;
  #host: Host | undefined;
  #starting: Promise<void> | undefined;
  #keepsAlive: NodeJS.Timeout | undefined;

  /**
   * @param provider an opened store; the Runtime does not close it
   * @throws TypeError for an unknown option or a wrong value, naming it and the nearest known option
   */
  constructor(provider: Provider, options?: RuntimeOptions) {
    storeOf(provider, 'new Runtime');
    this.#provider = provider;
    this.#options = checked<RuntimeOptions>('new Runtime', options, RULES);
    const { dispatcherPollInterval: a, dispatcherPollIntervalMs: b } = this.#options;
    if (a !== undefined && b !== undefined && a !== b) {
      throw new TypeError(
        `new Runtime: options 'dispatcherPollInterval' (${a}) and 'dispatcherPollIntervalMs' (${b}) are the same option and differ`,
      );
    }
  }

  /**
   * Registers an activity under a name, before `start()`.
   *
   * ```ts
   * runtime.registerActivity('SayHello', async (ctx, name: string) => `Hello, ${name}!`);
   * ```
   *
   * @param name non-empty, at most 256 bytes; activities and orchestrations do not share names
   * @throws TypeError for a wrong name or a `code` that is no function; DuroxideError with code
   *   `DUPLICATE_REGISTRATION` for a name that is taken, `RUNTIME_STATE` after `start()`
   */
  registerActivity<I = unknown, O = unknown>(name: string, code: ActivityFunction<I, O>): void;
  /** Registers what `defineActivity` gave. */
  registerActivity(activity: ActivityDefinition<never, unknown>): void;
  registerActivity(given: string | ActivityDefinition<never, unknown>, code?: ActivityFunction<never>): void {
    const call = 'registerActivity';
    this.#mayRegister(call, 'activity', given);
    const { name, code: run } = ActivityDefinition.is(given)
      ? given
      : new ActivityDefinition(call, given as string, code as ActivityFunction);
    if (this.#registrations.activities.has(name)) throw duplicate(call, `activity '${name}'`);
    this.#registrations.activities.set(name, run as ActivityCode);
  }

  /**
   * Registers version 1.0.0 of an orchestration under a name, before `start()`.
   *
   * ```ts
   * runtime.registerOrchestration('HelloWorkflow', function* (ctx, input) {
   *   return yield ctx.scheduleActivity('SayHello', input.name);
   * });
   * ```
   *
   * @param code a generator function, or a function that returns an iterator; never an async one
   * @throws as `registerActivity` does
   */
  registerOrchestration<I = any, O = unknown>(name: string, code: OrchestrationFunction<I, O>): void;
  /** Registers what `defineOrchestration` gave, under its version. */
  registerOrchestration(orchestration: OrchestrationDefinition<never, unknown>): void;
  registerOrchestration(
    given: string | OrchestrationDefinition<never, unknown>,
    code?: OrchestrationFunction<never>,
  ): void {
    const call = 'registerOrchestration';
    this.#mayRegister(call, 'orchestration', given);
    this.#orchestration(call, OrchestrationDefinition.is(given) ? given : defined(call, given as string, undefined, code));
  }

  /**
   * Registers a version of an orchestration. New instances run the highest version; running ones
   * keep theirs until they end or continue as new.
   *
   * @param version a semver such as `'1.0.1'`; each name and version at most once
   * @throws as `registerActivity` does, and TypeError for a version that is no semver
   */
  registerOrchestrationVersioned<I = any, O = unknown>(name: string, version: string, code: OrchestrationFunction<I, O>): void {
    const call = 'registerOrchestrationVersioned';
    this.#mayRegister(call, 'orchestration', name);
    argument(call, `the version of orchestration '${name}'`, version, semver);
    this.#orchestration(call, defined(call, name, version, code));
  }

  /**
   * Starts to take work, also what other processes left behind; resolves when it does. A Runtime
   * is started once.
   */
  async start(): Promise<void> {
    if (this.#state !== 'new') {
      throw new DuroxideError('RUNTIME_STATE', `runtime.start: this Runtime was ${this.#state} already; make a new one`);
    }
    this.#state = 'started';
    const host = new Host(this.#registrations, () => this.#client(), this.#options.determinism);
    const store = storeOf(this.#provider, 'runtime.start');
    const engine = nativeSync(() => new addon.NativeRuntime(store, this.#config(), () => host.drain()));
    host.attach(engine);
    this.#host = host;
    this.#native = engine;
    this.#keepsAlive = setInterval(() => undefined, FAR);
    this.#starting = native(engine.start());
    try {
      await this.#starting;
    } catch (error) {
      this.#stopped();
      throw error;
    }
  }

  /**
   * Stops taking work, lets what runs finish for at most this long, and hands leases back, so that
   * another process can take over at once. Returns as soon as nothing runs.
   *
   * @param timeoutMs in ms, an integer >= 0
   */
  async shutdown(timeoutMs = 1000): Promise<void> {
    argument('runtime.shutdown', 'the time-out', timeoutMs, count);
    if (this.#state !== 'started') {
      this.#state = 'stopped';
      return;
    }
    try {
      // A start under way ends first, or what it starts would outlive this; its failure is told by `start`.
      await this.#starting?.catch(() => undefined);
      if (this.#native !== undefined) await native(this.#native.shutdown(timeoutMs));
    } finally {
      this.#stopped();
    }
  }

  /** `shutdown()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  /** Counters since the start; null with `{ metrics: false }`. */
  metricsSnapshot(): MetricsSnapshot | null {
    if (this.#options.metrics === false) return null;
    const counters = this.#native?.metrics();
    return counters === undefined || counters === null ? { ...NO_METRICS } : (JSON.parse(counters) as MetricsSnapshot);
  }

  #client(): Client {
    return new Client(this.#provider, this.#native?.client() ?? null);
  }

  #stopped(): void {
    this.#state = 'stopped';
    clearInterval(this.#keepsAlive);
    this.#host?.clear();
  }

  #orchestration(call: string, { name, version, code }: OrchestrationDefinition<unknown, unknown>): void {
    const versions = this.#registrations.orchestrations.get(name) ?? new Map<string, OrchestrationCode>();
    if (versions.has(version)) throw duplicate(call, `orchestration '${name}' version ${version}`);
    versions.set(version, code as OrchestrationCode);
    this.#registrations.orchestrations.set(name, versions);
  }

  #mayRegister(call: string, what: string, given: unknown): void {
    if (this.#state === 'new') return;
    const name = ActivityDefinition.is(given) || OrchestrationDefinition.is(given) ? given.name : String(given);
    throw new DuroxideError('RUNTIME_STATE', `${call}: ${what} '${name}' must be registered before start()`);
  }

  /** Options and registrations in the engine's words. */
  #config(): string {
    const { dispatcherPollInterval, dispatcherPollIntervalMs, ...options } = this.#options;
    const orchestrations = [...this.#registrations.orchestrations].map(([name, versions]) => [name, [...versions.keys()]]);
    return JSON.stringify({
      options: { ...options, dispatcherPollIntervalMs: dispatcherPollIntervalMs ?? dispatcherPollInterval },
      orchestrations,
      activities: [...this.#registrations.activities.keys()],
    });
  }
}

/** The `…Typed` twins: the same, for code that was written with them. */
export interface Runtime {
  /** `registerActivity`. */
  readonly registerActivityTyped: Runtime['registerActivity'];
  /** `registerOrchestration`. */
  readonly registerOrchestrationTyped: Runtime['registerOrchestration'];
  /** `registerOrchestrationVersioned`. */
  readonly registerOrchestrationVersionedTyped: Runtime['registerOrchestrationVersioned'];
}

for (const name of ['registerActivity', 'registerOrchestration', 'registerOrchestrationVersioned'] as const) {
  Object.defineProperty(Runtime.prototype, `${name}Typed`, {
    value: Runtime.prototype[name],
    configurable: true,
    writable: true,
  });
}

function defined(call: string, name: string, version: string | undefined, code: unknown): OrchestrationDefinition<unknown, unknown> {
  return new OrchestrationDefinition(call, name, version, code as DefinedOrchestrationFunction);
}

function duplicate(call: string, what: string): DuroxideError {
  return new DuroxideError('DUPLICATE_REGISTRATION', `${call}: ${what} is registered already`);
}

const NO_METRICS: Readonly<MetricsSnapshot> = {
  orchStarts: 0,
  orchCompletions: 0,
  orchFailures: 0,
  orchApplicationErrors: 0,
  orchInfrastructureErrors: 0,
  orchConfigurationErrors: 0,
  orchPoison: 0,
  activitySuccess: 0,
  activityAppErrors: 0,
  activityInfraErrors: 0,
  activityConfigErrors: 0,
  activityPoison: 0,
  orchDispatcherItemsFetched: 0,
  workerDispatcherItemsFetched: 0,
  orchContinueAsNew: 0,
  suborchestrationCalls: 0,
  providerErrors: 0,
};
