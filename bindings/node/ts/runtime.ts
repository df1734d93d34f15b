// The Runtime: registrations, start, shutdown. Not here: running anything (`host.ts`).

import type { ActivityContext } from './activity-context.js';
import { Client } from './client.js';
import type { OrchestrationCode } from './coroutine.js';
import { DuroxideError } from './errors.js';
import { type ActivityCode, Host, type Registrations } from './host.js';
import { MAX_WORKER_TAGS } from './limits.js';
import { type NativeRuntime, addon, native, nativeSync } from './native.js';
import { type Rule, argument, checked, count, either, flag, oneOf, positive, text, texts, within } from './options.js';
import type { OrchestrationContext } from './orchestration-context.js';
import { type Provider, storeOf } from './provider.js';

/** Which tagged activities a Runtime takes. */
export type WorkerTagFilter = 'defaultOnly' | 'any' | 'none' | { tags: string[] } | { defaultAnd: string[] };

/** How a Runtime works. */
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
  logLevel?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'off' | undefined;
  logFormat?: 'pretty' | 'json' | 'compact' | undefined;
  serviceName?: string | undefined;
  serviceVersion?: string | undefined;
  maxSessionsPerRuntime?: number | undefined;
  sessionIdleTimeoutMs?: number | undefined;
  /** Stable identity of this worker. Default: random. */
  workerNodeId?: string | undefined;
  workerTagFilter?: WorkerTagFilter | undefined;
  /** Runs of an activity or turn that died before it is poison. Default 10. */
  maxAttempts?: number | undefined;
  /** How long work may wait for a name that nobody has registered; 0 = for ever. */
  unregisteredTimeoutMs?: number | undefined;
  /** Live instances kept in memory. Default 1 000. */
  residentInstances?: number | undefined;
  metrics?: boolean | undefined;
  /** What happens when a command is replayed with another input. Default 'warn'. */
  determinism?: 'throw' | 'warn' | 'off' | undefined;
}

/** Counters of a Runtime. */
export interface MetricsSnapshot {
  orchStarts: number;
  orchCompletions: number;
  orchFailures: number;
  orchApplicationErrors: number;
  orchInfrastructureErrors: number;
  orchConfigurationErrors: number;
  orchPoison: number;
  activitySuccess: number;
  activityAppErrors: number;
  activityInfraErrors: number;
  activityConfigErrors: number;
  activityPoison: number;
  orchDispatcherItemsFetched: number;
  workerDispatcherItemsFetched: number;
  orchContinueAsNew: number;
  suborchestrationCalls: number;
  providerErrors: number;
}

/** An activity: sync or async, with any side effects. */
export type ActivityFunction<I = unknown, O = unknown> = (ctx: ActivityContext, input: I) => O | PromiseLike<O>;

/** An orchestration: a generator function, or one that returns an iterator. */
export type OrchestrationFunction<I = unknown, O = unknown> = (
  ctx: OrchestrationContext,
  input: I,
) => Iterator<unknown, O, unknown>;

const TAG_WORDS = ['defaultOnly', 'any', 'none'];
const MOST_AT_ONCE = 2 ** 16;

function isTagFilter(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const [[kind, tags] = [], ...more] = Object.entries(value);
  const known = kind === 'tags' || kind === 'defaultAnd';
  return known && more.length === 0 && texts.holds(tags) && (tags as string[]).length <= MAX_WORKER_TAGS;
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
  workerTagFilter: either(oneOf(...TAG_WORDS), `{ tags } or { defaultAnd } with at most ${MAX_WORKER_TAGS} names`, isTagFilter),
  maxAttempts: within(1, 2 ** 32 - 1),
  unregisteredTimeoutMs: count,
  residentInstances: positive,
  metrics: flag,
  determinism: oneOf('throw', 'warn', 'off'),
};

// The grammar of semver.org.
const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?$/;

const FIRST_VERSION = '1.0.0';
const MAX_NAME_BYTES = 256;
const FAR = 2 ** 31 - 1;

/** Runs orchestrations and activities on a provider. */
export class Runtime {
  readonly #provider: Provider;
  readonly #options: Partial<RuntimeOptions>;
  readonly #registrations: Registrations = { orchestrations: new Map(), activities: new Map() };
  #state: 'new' | 'started' | 'stopped' = 'new';
  #native: NativeRuntime | undefined;
  #host: Host | undefined;
  #starting: Promise<void> | undefined;
  #keepsAlive: NodeJS.Timeout | undefined;

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

  registerActivity<I = unknown, O = unknown>(name: string, code: ActivityFunction<I, O>): void {
    const call = 'registerActivity';
    this.#mayRegister(call, 'activity', name, code);
    if (this.#registrations.activities.has(name)) throw duplicate(call, `activity '${name}'`);
    this.#registrations.activities.set(name, code as ActivityCode);
  }

  registerActivityTyped<I = unknown, O = unknown>(name: string, code: ActivityFunction<I, O>): void {
    this.registerActivity(name, code);
  }

  /** Registers version 1.0.0. */
  registerOrchestration<I = unknown, O = unknown>(name: string, code: OrchestrationFunction<I, O>): void {
    this.#orchestration('registerOrchestration', name, FIRST_VERSION, code);
  }

  registerOrchestrationTyped<I = unknown, O = unknown>(name: string, code: OrchestrationFunction<I, O>): void {
    this.registerOrchestration(name, code);
  }

  registerOrchestrationVersioned<I = unknown, O = unknown>(
    name: string,
    version: string,
    code: OrchestrationFunction<I, O>,
  ): void {
    this.#orchestration('registerOrchestrationVersioned', name, version, code);
  }

  registerOrchestrationVersionedTyped<I = unknown, O = unknown>(
    name: string,
    version: string,
    code: OrchestrationFunction<I, O>,
  ): void {
    this.registerOrchestrationVersioned(name, version, code);
  }

  /** Resolves when work is being taken. */
  async start(): Promise<void> {
    if (this.#state !== 'new') {
      throw new DuroxideError('RUNTIME_STATE', `runtime.start: this Runtime was ${this.#state} already; make a new one`);
    }
    this.#state = 'started';
    const host = new Host(this.#registrations, () => this.#client());
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

  /** Stops taking work, lets what runs finish for at most this long, and hands leases back. */
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

  #orchestration<I, O>(call: string, name: string, version: string, code: OrchestrationFunction<I, O>): void {
    this.#mayRegister(call, 'orchestration', name, code);
    if (typeof version !== 'string' || !SEMVER.test(version)) {
      throw new TypeError(`${call}: the version of orchestration '${name}' must be a semver such as '1.0.0', not '${version}'`);
    }
    const kind = Object.prototype.toString.call(code);
    if (kind === '[object AsyncFunction]' || kind === '[object AsyncGeneratorFunction]') {
      throw new TypeError(`${call}: orchestration '${name}' must be a generator function (function*), not an async one`);
    }
    const versions = this.#registrations.orchestrations.get(name) ?? new Map<string, OrchestrationCode>();
    if (versions.has(version)) throw duplicate(call, `orchestration '${name}' version ${version}`);
    versions.set(version, code as OrchestrationCode);
    this.#registrations.orchestrations.set(name, versions);
  }

  #mayRegister(call: string, what: string, name: string, code: unknown): void {
    if (this.#state !== 'new') {
      throw new DuroxideError('RUNTIME_STATE', `${call}: ${what} '${name}' must be registered before start()`);
    }
    argument(call, `the name of the ${what}`, name, text);
    if (Buffer.byteLength(name) > MAX_NAME_BYTES) {
      throw new TypeError(`${call}: the name of the ${what} is longer than ${MAX_NAME_BYTES} bytes: '${name.slice(0, 40)}…'`);
    }
    if (typeof code !== 'function') {
      throw new TypeError(`${call}: ${what} '${name}' must be a function, not ${code === null ? 'null' : typeof code}`);
    }
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
