// The Client: requests and reads on a store, whether or not a Runtime runs.

import type {
  DeleteResult,
  ExecutionInfo,
  HistoryEvent,
  InstanceFilter,
  InstanceInfo,
  InstanceTree,
  OrchestrationStats,
  OrchestrationStatus,
  PruneOptions,
  PruneResult,
  QueueDepths,
  StartOptions,
  Status,
  SystemMetrics,
} from './answers.js';
import { type InputArguments, OrchestrationDefinition, orchestrationName } from './define.js';
import { InstanceExistsError } from './errors.js';
import { orchestrationError } from './failures.js';
import { encode } from './json.js';
import type { Jsonify } from './jsonify.js';
import { type NativeClient, addon, native } from './native.js';
import { anyText, argument, checked, count, either, flag, millis, moment, oneOf, positive, semver, text, texts } from './options.js';
import { type Provider, storeOf } from './provider.js';

const DEFAULT_WAIT = 30_000;
type AnOrchestration = OrchestrationDefinition<never, unknown>;
type GivenOrchestration = string | AnOrchestration;

const FILTER = { instanceIds: texts, completedBefore: moment, limit: positive };
const PRUNE = { keepLast: count, completedBefore: moment };

/**
 * Talks to the instances of one store, from any process, whether or not a Runtime runs.
 *
 * ```ts
 * const client = new Client(provider);
 * await client.startOrchestration('hello-1', 'HelloWorkflow', { name: 'World' });
 * const { output } = await client.waitForOrchestration<string>('hello-1');
 * ```
 *
 * Every call that takes an id throws a `TypeError` for one that is no non-empty string.
 */
export class Client {
  readonly #native: NativeClient;

  constructor(provider: Provider);
  /** @internal */
  constructor(provider: Provider, ofRuntime: NativeClient | null);
  constructor(provider: Provider, ofRuntime?: NativeClient | null) {
    this.#native = ofRuntime ?? new addon.NativeClient(storeOf(provider, 'new Client'));
  }

  /**
   * Starts an orchestration, in its latest version; durable when it resolves. Needs no Runtime: the
   * instance waits for one.
   *
   * @param id the instance id, at most 1 024 bytes; ids that begin with `sub::` or hold `::sub::` are reserved
   * @param name what the orchestration is registered by
   * @param input stored as JSON; what JSON cannot hold throws a `TypeError`
   * @throws InstanceExistsError for an id that exists, with `{ ifExists: 'error' }`
   */
  startOrchestration<I = unknown>(id: string, name: string, input?: I, options?: StartOptions): Promise<void>;
  /** The same with its types checked; in the latest version, whatever that of the definition. */
  startOrchestration<I, O>(
    id: string,
    orchestration: OrchestrationDefinition<I, O>,
    ...input: InputArguments<I, [options?: StartOptions]>
  ): Promise<void>;
  async startOrchestration(id: string, orchestration: GivenOrchestration, input?: unknown, options?: StartOptions): Promise<void> {
    const call = 'client.startOrchestration';
    const { ifExists } = checked<StartOptions>(call, options, { ifExists: oneOf('ignore', 'error') });
    const created = await this.#start(call, id, orchestrationName(call, orchestration), null, input);
    if (!created && ifExists === 'error') throw new InstanceExistsError(id);
  }

  /** Starts an orchestration in the given version; an existing id is left alone. */
  startOrchestrationVersioned<I = unknown>(id: string, name: string, input: I, version: string): Promise<void>;
  /** The same with its types checked; for that of the definition, pass its `version`. */
  startOrchestrationVersioned<I, O>(
    id: string,
    orchestration: OrchestrationDefinition<I, O>,
    input: NoInfer<I>,
    version: string,
  ): Promise<void>;
  async startOrchestrationVersioned(id: string, orchestration: GivenOrchestration, input: unknown, version: string): Promise<void> {
    const call = 'client.startOrchestrationVersioned';
    argument(call, 'the version', version, semver);
    await this.#start(call, id, orchestrationName(call, orchestration), version, input);
  }

  async #start(call: string, id: string, name: string, version: string | null, input: unknown): Promise<boolean> {
    argument(call, 'the instance id', id, text);
    return native(this.#native.start(id, name, version, encode(input, `${call}('${id}')`)), call);
  }

  /**
   * Sends an event; kept until `ctx.waitForEvent` takes it. Without effect on an ended instance.
   *
   * @throws InstanceNotFoundError for an unknown id
   */
  async raiseEvent<T = unknown>(id: string, name: string, data?: T): Promise<void> {
    await this.#mail('client.raiseEvent', id, 'Event', name, data);
  }

  /**
   * Puts a message into a queue of an instance, for `ctx.dequeueEvent`; first in, first out.
   * Without effect on an ended instance.
   *
   * @throws InstanceNotFoundError for an unknown id
   */
  async enqueueEvent<T = unknown>(id: string, queue: string, data?: T): Promise<void> {
    await this.#mail('client.enqueueEvent', id, 'Queue', queue, data);
  }

  async #mail(call: string, id: string, channel: 'Event' | 'Queue', name: string, data: unknown): Promise<void> {
    argument(call, 'the instance id', id, text);
    argument(call, `the ${channel.toLowerCase()} name`, name, text);
    await native(this.#native.raise(id, channel, name, encode(data, `${call}('${id}', '${name}')`)), call);
  }

  /**
   * Asks an instance to stop: its pending yield throws `CancelledError`, its `catch` and `finally`
   * may clean up, its children are cancelled too. A second call stops it without running its code.
   * Without effect on an ended instance.
   *
   * @throws InstanceNotFoundError for an unknown id
   */
  async cancelOrchestration(id: string, reason = 'cancelled by client'): Promise<void> {
    argument('client.cancelOrchestration', 'the instance id', id, text);
    argument('client.cancelOrchestration', 'the reason', reason, anyText);
    await native(this.#native.cancel(id, reason));
  }

  /** `cancelOrchestration` by another name. */
  async cancelInstance(id: string, reason?: string): Promise<void> {
    await this.cancelOrchestration(id, reason);
  }

  /**
   * Stops an instance and its children without running their code: they are `Terminated`. Without
   * effect on an ended instance.
   *
   * @throws InstanceNotFoundError for an unknown id
   */
  async terminateOrchestration(id: string, reason = 'terminated by client'): Promise<void> {
    argument('client.terminateOrchestration', 'the instance id', id, text);
    argument('client.terminateOrchestration', 'the reason', reason, anyText);
    await native(this.#native.terminate(id, reason));
  }

  /** How an instance stands now; an unknown id has the status `NotFound`. */
  getOrchestrationStatus<O = unknown>(id: string): Promise<OrchestrationStatus<O>>;
  /** The same; the definition gives the type of the output. */
  getOrchestrationStatus<I, O>(id: string, orchestration: OrchestrationDefinition<I, O>): Promise<OrchestrationStatus<Jsonify<O>>>;
  async getOrchestrationStatus(id: string): Promise<OrchestrationStatus> {
    argument('client.getOrchestrationStatus', 'the instance id', id, text);
    return parse(await native(this.#native.status(id)));
  }

  /**
   * Waits for the end, also of an instance that does not exist yet, and gives the status.
   *
   * @param timeoutMs how long to wait, in ms; 30 000 unless given
   * @throws TimeoutError (`Operation timed out`) when the end does not come in time
   */
  waitForOrchestration<O = unknown>(id: string, timeoutMs?: number): Promise<OrchestrationStatus<O>>;
  /**
   * The same; the definition gives the type of the output.
   *
   * ```ts
   * const { output } = await client.waitForOrchestration('order-1', Order);
   * ```
   */
  waitForOrchestration<I, O>(
    id: string,
    orchestration: OrchestrationDefinition<I, O>,
    timeoutMs?: number,
  ): Promise<OrchestrationStatus<Jsonify<O>>>;
  async waitForOrchestration(id: string, given?: number | AnOrchestration, timeoutMs?: number): Promise<OrchestrationStatus> {
    return this.#ended('client.waitForOrchestration', id, given, timeoutMs);
  }

  /**
   * Waits for the output.
   *
   * @param timeoutMs how long to wait, in ms; 30 000 unless given
   * @throws OrchestrationError when the instance failed or was terminated, TimeoutError when the
   *   end does not come in time
   */
  waitForOrchestrationTyped<O = unknown>(id: string, timeoutMs?: number): Promise<O>;
  /** The same; the definition gives the type. */
  waitForOrchestrationTyped<I, O>(
    id: string,
    orchestration: OrchestrationDefinition<I, O>,
    timeoutMs?: number,
  ): Promise<Jsonify<O>>;
  async waitForOrchestrationTyped(id: string, given?: number | AnOrchestration, timeoutMs?: number): Promise<unknown> {
    const ended = await this.#ended('client.waitForOrchestrationTyped', id, given, timeoutMs);
    if (ended.status === 'Completed') return ended.output;
    throw orchestrationError(id, ended);
  }

  async #ended(
    call: string,
    id: string,
    given: number | AnOrchestration | undefined,
    timeoutMs: number | undefined,
  ): Promise<OrchestrationStatus> {
    const limit = (OrchestrationDefinition.is(given) ? timeoutMs : given) ?? DEFAULT_WAIT;
    argument(call, 'the instance id', id, text);
    argument(call, 'the time-out', limit, millis);
    return parse(await native(this.#native.waitFor(id, limit as number)));
  }

  /**
   * The status as soon as its `customStatusVersion` is above `lastVersion`; null on time-out, or
   * when the instance has ended and nothing newer can come. `pollMs` is accepted for
   * compatibility: the wait is woken, not polled. Waits at most `timeoutMs`, 30 000 unless given.
   *
   * ```ts
   * for (let last = 0; ; ) {
   *   const change = await client.waitForStatusChange('order-1', last);
   *   if (change === null) break;
   *   console.log(change.customStatus);
   *   last = change.customStatusVersion;
   * }
   * ```
   */
  async waitForStatusChange(
    id: string,
    lastVersion: number,
    pollMs?: number,
    timeoutMs = DEFAULT_WAIT,
  ): Promise<OrchestrationStatus | null> {
    const call = 'client.waitForStatusChange';
    argument(call, 'the instance id', id, text);
    argument(call, 'the last version', lastVersion, count);
    if (pollMs !== undefined) argument(call, 'the polling interval', pollMs, millis);
    argument(call, 'the time-out', timeoutMs, millis);
    const changed = await native(this.#native.waitForStatusChange(id, lastVersion, timeoutMs));
    return changed === null ? null : parse(changed);
  }

  /** The value under a key of an instance, also of an ended one; null if there is none. */
  async getValue(id: string, key: string): Promise<string | null> {
    argument('client.getValue', 'the key', key, anyText);
    const values = await this.getKvAllValues(id);
    return Object.hasOwn(values, key) ? (values[key] ?? null) : null;
  }

  /** All keys and values of an instance. */
  async getKvAllValues(id: string): Promise<Record<string, string>> {
    argument('client.getKvAllValues', 'the instance id', id, text);
    return Object.fromEntries(parse<[string, string][]>(await native(this.#native.kv(id))));
  }

  /**
   * Waits until a key of an instance has a value, also of an instance that does not exist yet.
   *
   * @param timeoutMs how long to wait, in ms; 30 000 unless given
   * @throws TimeoutError when there is none in time
   */
  async waitForValue(id: string, key: string, timeoutMs = DEFAULT_WAIT): Promise<string> {
    argument('client.waitForValue', 'the instance id', id, text);
    argument('client.waitForValue', 'the key', key, anyText);
    argument('client.waitForValue', 'the time-out', timeoutMs, millis);
    return native(this.#native.waitForValue(id, key, timeoutMs));
  }

  /** Counts over the whole store. */
  async getSystemMetrics(): Promise<SystemMetrics> {
    return parse(await native(this.#native.metrics()));
  }

  /** What waits in the store to be taken. */
  async getQueueDepths(): Promise<QueueDepths> {
    return parse(await native(this.#native.depths()));
  }

  /** What an instance takes up; null for an unknown id. */
  async getOrchestrationStats(id: string): Promise<OrchestrationStats | null> {
    argument('client.getOrchestrationStats', 'the instance id', id, text);
    return parse(await native(this.#native.stats(id)));
  }

  /** The ids of all instances. */
  async listAllInstances(): Promise<string[]> {
    return parse(await native(this.#native.list(null)));
  }

  /** The ids of the instances that stand so. */
  async listInstancesByStatus(status: Exclude<Status, 'NotFound'>): Promise<string[]> {
    argument('client.listInstancesByStatus', 'the status', status, oneOf('Running', 'Completed', 'Failed', 'Terminated'));
    return parse(await native(this.#native.list(status)));
  }

  /** The numbers of the executions of an instance, from 1; none for an unknown id. */
  async listExecutions(id: string): Promise<number[]> {
    argument('client.listExecutions', 'the instance id', id, text);
    return parse(await native(this.#native.executions(id)));
  }

  /** What is known of an instance; null for an unknown id. */
  async getInstanceInfo(id: string): Promise<InstanceInfo | null> {
    argument('client.getInstanceInfo', 'the instance id', id, text);
    return parse(await native(this.#native.info(id)));
  }

  /** What is known of an execution; null if there is none. */
  async getExecutionInfo(id: string, execution: number): Promise<ExecutionInfo | null> {
    argument('client.getExecutionInfo', 'the instance id', id, text);
    argument('client.getExecutionInfo', 'the execution', execution, count);
    return parse(await native(this.#native.executionInfo(id, execution)));
  }

  /** An instance and everything below it; null for an unknown id. */
  async getInstanceTree(id: string): Promise<InstanceTree | null> {
    argument('client.getInstanceTree', 'the instance id', id, text);
    return parse(await native(this.#native.tree(id)));
  }

  /** The events of an execution, in order; none for an unknown id. */
  async readExecutionHistory(id: string, execution: number): Promise<HistoryEvent[]> {
    argument('client.readExecutionHistory', 'the instance id', id, text);
    argument('client.readExecutionHistory', 'the execution', execution, count);
    return parse(await native(this.#native.history(id, execution)));
  }

  /**
   * Deletes a root and everything below it. A child goes only with its root.
   *
   * @param force deletes a running one too; `true` or `{ force: true }`
   * @throws DuroxideError for a running instance without force, and for a child;
   *   InstanceNotFoundError for an unknown id
   */
  async deleteInstance(id: string, force: boolean | { force?: boolean | undefined } = false): Promise<DeleteResult> {
    const call = 'client.deleteInstance';
    argument(call, 'the instance id', id, text);
    argument(call, 'force', force, either(flag, '{ force }', (v) => typeof v === 'object' && v !== null));
    const forced = typeof force === 'object' ? (checked<{ force?: boolean | undefined }>(call, force, { force: flag }).force ?? false) : force;
    return parse(await native(this.#native.delete(id, forced)));
  }

  /** Deletes the ended roots that the filter selects, and everything below them. */
  async deleteInstanceBulk(filter: InstanceFilter = {}): Promise<DeleteResult> {
    const selection = checked<InstanceFilter>('client.deleteInstanceBulk', filter, FILTER);
    return parse(await native(this.#native.deleteMany(JSON.stringify(selection))));
  }

  /** Removes old executions of an instance that continued as new. */
  async pruneExecutions(id: string, options: PruneOptions = {}): Promise<PruneResult> {
    argument('client.pruneExecutions', 'the instance id', id, text);
    const rule = checked<PruneOptions>('client.pruneExecutions', options, PRUNE);
    return parse(await native(this.#native.prune(JSON.stringify({ instanceIds: [id] }), JSON.stringify(rule))));
  }

  /** `pruneExecutions` on the instances that the filter selects. */
  async pruneExecutionsBulk(filter: InstanceFilter = {}, options: PruneOptions = {}): Promise<PruneResult> {
    const selection = checked<InstanceFilter>('client.pruneExecutionsBulk', filter, FILTER);
    const rule = checked<PruneOptions>('client.pruneExecutionsBulk', options, PRUNE);
    return parse(await native(this.#native.prune(JSON.stringify(selection), JSON.stringify(rule))));
  }
}

/** Other names of the same calls, for code that was written with them. */
export interface Client {
  /** `getOrchestrationStatus`. */
  readonly getStatus: Client['getOrchestrationStatus'];
  /** `startOrchestration`. */
  readonly startOrchestrationTyped: Client['startOrchestration'];
  /** `startOrchestrationVersioned`. */
  readonly startOrchestrationVersionedTyped: Client['startOrchestrationVersioned'];
  /** `raiseEvent`. */
  readonly raiseEventTyped: Client['raiseEvent'];
  /** `enqueueEvent`. */
  readonly enqueueEventTyped: Client['enqueueEvent'];
}

for (const [alias, name] of [
  ['getStatus', 'getOrchestrationStatus'],
  ['startOrchestrationTyped', 'startOrchestration'],
  ['startOrchestrationVersionedTyped', 'startOrchestrationVersioned'],
  ['raiseEventTyped', 'raiseEvent'],
  ['enqueueEventTyped', 'enqueueEvent'],
] as const) {
  Object.defineProperty(Client.prototype, alias, { value: Client.prototype[name], configurable: true, writable: true });
}

function parse<T>(text: string): T {
  return JSON.parse(text) as T;
}
