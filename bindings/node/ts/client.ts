// The Client: requests and reads on a store, whether or not a Runtime runs.

import { InstanceExistsError, OrchestrationError } from './errors.js';
import { encode } from './json.js';
import { type NativeClient, addon, native } from './native.js';
import { anyText, argument, checked, count, either, flag, millis, moment, oneOf, positive, text, texts } from './options.js';
import { type Provider, storeOf } from './provider.js';

/** How an instance stands. */
export type Status = 'Running' | 'Completed' | 'Failed' | 'Terminated' | 'NotFound';

/** What is known of a failure. */
export interface ErrorDetails {
  name?: string;
  code: string;
  message: string;
  activityName?: string;
  attempt?: number;
  workerId?: string;
  stack?: string;
}

/** How an orchestration stands, with its output or error. */
export interface OrchestrationStatus<O = unknown> {
  status: Status;
  output?: O;
  error?: string;
  errorDetails?: ErrorDetails;
  customStatus?: string;
  customStatusVersion: number;
  /** What a running instance waits on, in a phrase. */
  waitingFor?: string;
}

export interface InstanceInfo {
  instanceId: string;
  orchestrationName: string;
  orchestrationVersion: string | null;
  currentExecutionId: number;
  status: Status;
  output?: unknown;
  error?: string;
  createdAt: number;
  updatedAt: number;
  parentInstanceId?: string;
}

export interface ExecutionInfo {
  executionId: number;
  status: Status | 'ContinuedAsNew';
  output?: unknown;
  error?: string;
  startedAt: number;
  completedAt?: number;
  eventCount: number;
}

export interface InstanceTree {
  rootId: string;
  allIds: string[];
  size: number;
}

/** One event of a history; `data` is JSON text. */
export interface HistoryEvent {
  eventId: number;
  kind: string;
  sourceEventId?: number;
  timestampMs: number;
  data?: string;
}

export interface SystemMetrics {
  totalInstances: number;
  totalExecutions: number;
  runningInstances: number;
  completedInstances: number;
  failedInstances: number;
  terminatedInstances: number;
  totalEvents: number;
}

export interface QueueDepths {
  orchestratorQueue: number;
  workerQueue: number;
  timerQueue: number;
}

export interface OrchestrationStats {
  historyEventCount: number;
  historySizeBytes: number;
  queuePendingCount: number;
  kvUserKeyCount: number;
  kvTotalValueBytes: number;
}

export interface DeleteResult {
  instancesDeleted: number;
  executionsDeleted: number;
  eventsDeleted: number;
  queueMessagesDeleted: number;
}

export interface PruneResult {
  instancesProcessed: number;
  executionsDeleted: number;
  eventsDeleted: number;
}

/** Which instances a bulk call is for; everything given must hold. */
export interface InstanceFilter {
  instanceIds?: string[] | undefined;
  completedBefore?: number | undefined;
  limit?: number | undefined;
}

/** Which executions to prune; the current one never is. */
export interface PruneOptions {
  keepLast?: number | undefined;
  completedBefore?: number | undefined;
}

export interface StartOptions {
  /** `'ignore'` (default) leaves an existing id alone; `'error'` throws `InstanceExistsError`. */
  ifExists?: 'ignore' | 'error' | undefined;
}

const DEFAULT_WAIT = 30_000;
const FILTER = { instanceIds: texts, completedBefore: moment, limit: positive };
const PRUNE = { keepLast: count, completedBefore: moment };

/** Talks to the instances of one store. */
export class Client {
  readonly #native: NativeClient;

  constructor(provider: Provider);
  /** @internal */
  constructor(provider: Provider, ofRuntime: NativeClient | null);
  constructor(provider: Provider, ofRuntime?: NativeClient | null) {
    this.#native = ofRuntime ?? new addon.NativeClient(storeOf(provider, 'new Client'));
  }

  /** Starts an orchestration; durable when it resolves. */
  async startOrchestration(id: string, name: string, input?: unknown, options?: StartOptions): Promise<void> {
    const call = 'client.startOrchestration';
    const { ifExists } = checked<StartOptions>(call, options, { ifExists: oneOf('ignore', 'error') });
    await this.#start(call, id, name, null, input, ifExists === 'error');
  }

  async startOrchestrationVersioned(id: string, name: string, input: unknown, version: string): Promise<void> {
    const call = 'client.startOrchestrationVersioned';
    argument(call, 'the version', version, text);
    await this.#start(call, id, name, version, input, false);
  }

  async startOrchestrationTyped<I = unknown>(id: string, name: string, input?: I, options?: StartOptions): Promise<void> {
    await this.startOrchestration(id, name, input, options);
  }

  async startOrchestrationVersionedTyped<I = unknown>(id: string, name: string, input: I, version: string): Promise<void> {
    await this.startOrchestrationVersioned(id, name, input, version);
  }

  async #start(
    call: string,
    id: string,
    name: string,
    version: string | null,
    input: unknown,
    mustBeNew: boolean,
  ): Promise<void> {
    argument(call, 'the instance id', id, text);
    argument(call, 'the orchestration name', name, text);
    const created = await native(this.#native.start(id, name, version, encode(input, `${call}('${id}')`)));
    if (!created && mustBeNew) throw new InstanceExistsError(id);
  }

  /** Sends an event; kept until it is waited for. */
  async raiseEvent(id: string, name: string, data?: unknown): Promise<void> {
    await this.#mail('client.raiseEvent', id, 'Event', name, data);
  }

  async raiseEventTyped<T = unknown>(id: string, name: string, data?: T): Promise<void> {
    await this.raiseEvent(id, name, data);
  }

  /** Puts a message into a queue of an instance. */
  async enqueueEvent(id: string, queue: string, data?: unknown): Promise<void> {
    await this.#mail('client.enqueueEvent', id, 'Queue', queue, data);
  }

  async enqueueEventTyped<T = unknown>(id: string, queue: string, data?: T): Promise<void> {
    await this.enqueueEvent(id, queue, data);
  }

  async #mail(call: string, id: string, channel: 'Event' | 'Queue', name: string, data: unknown): Promise<void> {
    argument(call, 'the instance id', id, text);
    argument(call, `the ${channel.toLowerCase()} name`, name, text);
    await native(this.#native.raise(id, channel, name, encode(data, `${call}('${id}', '${name}')`)));
  }

  /** Asks an instance to stop: its pending yield throws `CancelledError`. */
  async cancelOrchestration(id: string, reason = 'cancelled by client'): Promise<void> {
    argument('client.cancelOrchestration', 'the instance id', id, text);
    argument('client.cancelOrchestration', 'the reason', reason, anyText);
    await native(this.#native.cancel(id, reason));
  }

  async cancelInstance(id: string, reason?: string): Promise<void> {
    await this.cancelOrchestration(id, reason);
  }

  /** Stops an instance and its children without running their code. */
  async terminateOrchestration(id: string, reason = 'terminated by client'): Promise<void> {
    argument('client.terminateOrchestration', 'the instance id', id, text);
    argument('client.terminateOrchestration', 'the reason', reason, anyText);
    await native(this.#native.terminate(id, reason));
  }

  async getOrchestrationStatus<O = unknown>(id: string): Promise<OrchestrationStatus<O>> {
    argument('client.getOrchestrationStatus', 'the instance id', id, text);
    return parse(await native(this.#native.status(id)));
  }

  async getStatus<O = unknown>(id: string): Promise<OrchestrationStatus<O>> {
    return this.getOrchestrationStatus(id);
  }

  /** Waits for the end; throws `TimeoutError` when it does not come in time. */
  async waitForOrchestration<O = unknown>(id: string, timeoutMs = DEFAULT_WAIT): Promise<OrchestrationStatus<O>> {
    argument('client.waitForOrchestration', 'the instance id', id, text);
    argument('client.waitForOrchestration', 'the time-out', timeoutMs, millis);
    return parse(await native(this.#native.waitFor(id, timeoutMs)));
  }

  /** Waits for the output; a failure throws `OrchestrationError`. */
  async waitForOrchestrationTyped<O = unknown>(id: string, timeoutMs = DEFAULT_WAIT): Promise<O> {
    const ended = await this.waitForOrchestration<O>(id, timeoutMs);
    if (ended.status === 'Completed') return ended.output as O;
    const code = ended.errorDetails?.code ?? 'ORCHESTRATION_FAILED';
    throw new OrchestrationError(code, ended.error ?? `orchestration '${id}' is ${ended.status}`);
  }

  /**
   * The status as soon as its `customStatusVersion` is above `lastVersion`; null on time-out, or
   * when the instance has ended and nothing newer can come. `pollMs` is accepted for
   * compatibility: the wait is woken, not polled.
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

  async getValue(id: string, key: string): Promise<string | null> {
    argument('client.getValue', 'the key', key, anyText);
    const values = await this.getKvAllValues(id);
    return Object.hasOwn(values, key) ? (values[key] ?? null) : null;
  }

  async getKvAllValues(id: string): Promise<Record<string, string>> {
    argument('client.getKvAllValues', 'the instance id', id, text);
    return Object.fromEntries(parse<[string, string][]>(await native(this.#native.kv(id))));
  }

  /** Waits until a key has a value. */
  async waitForValue(id: string, key: string, timeoutMs = DEFAULT_WAIT): Promise<string> {
    argument('client.waitForValue', 'the instance id', id, text);
    argument('client.waitForValue', 'the key', key, anyText);
    argument('client.waitForValue', 'the time-out', timeoutMs, millis);
    return native(this.#native.waitForValue(id, key, timeoutMs));
  }

  async getSystemMetrics(): Promise<SystemMetrics> {
    return parse(await native(this.#native.metrics()));
  }

  async getQueueDepths(): Promise<QueueDepths> {
    return parse(await native(this.#native.depths()));
  }

  async getOrchestrationStats(id: string): Promise<OrchestrationStats | null> {
    argument('client.getOrchestrationStats', 'the instance id', id, text);
    return parse(await native(this.#native.stats(id)));
  }

  async listAllInstances(): Promise<string[]> {
    return parse(await native(this.#native.list(null)));
  }

  async listInstancesByStatus(status: Exclude<Status, 'NotFound'>): Promise<string[]> {
    argument('client.listInstancesByStatus', 'the status', status, oneOf('Running', 'Completed', 'Failed', 'Terminated'));
    return parse(await native(this.#native.list(status)));
  }

  async listExecutions(id: string): Promise<number[]> {
    argument('client.listExecutions', 'the instance id', id, text);
    return parse(await native(this.#native.executions(id)));
  }

  async getInstanceInfo(id: string): Promise<InstanceInfo | null> {
    argument('client.getInstanceInfo', 'the instance id', id, text);
    return parse(await native(this.#native.info(id)));
  }

  async getExecutionInfo(id: string, execution: number): Promise<ExecutionInfo | null> {
    argument('client.getExecutionInfo', 'the instance id', id, text);
    argument('client.getExecutionInfo', 'the execution', execution, count);
    return parse(await native(this.#native.executionInfo(id, execution)));
  }

  async getInstanceTree(id: string): Promise<InstanceTree | null> {
    argument('client.getInstanceTree', 'the instance id', id, text);
    return parse(await native(this.#native.tree(id)));
  }

  async readExecutionHistory(id: string, execution: number): Promise<HistoryEvent[]> {
    argument('client.readExecutionHistory', 'the instance id', id, text);
    argument('client.readExecutionHistory', 'the execution', execution, count);
    return parse(await native(this.#native.history(id, execution)));
  }

  /** Deletes a root and everything below it; a running one only with force. */
  async deleteInstance(id: string, force: boolean | { force?: boolean } = false): Promise<DeleteResult> {
    const call = 'client.deleteInstance';
    argument(call, 'the instance id', id, text);
    argument(call, 'force', force, either(flag, '{ force }', (v) => typeof v === 'object' && v !== null));
    const forced = typeof force === 'object' ? (checked<{ force?: boolean }>(call, force, { force: flag }).force ?? false) : force;
    return parse(await native(this.#native.delete(id, forced)));
  }

  async deleteInstanceBulk(filter: InstanceFilter = {}): Promise<DeleteResult> {
    const selection = checked<InstanceFilter>('client.deleteInstanceBulk', filter, FILTER);
    return parse(await native(this.#native.deleteMany(JSON.stringify(selection))));
  }

  async pruneExecutions(id: string, options: PruneOptions = {}): Promise<PruneResult> {
    argument('client.pruneExecutions', 'the instance id', id, text);
    const rule = checked<PruneOptions>('client.pruneExecutions', options, PRUNE);
    return parse(await native(this.#native.prune(JSON.stringify({ instanceIds: [id] }), JSON.stringify(rule))));
  }

  async pruneExecutionsBulk(filter: InstanceFilter = {}, options: PruneOptions = {}): Promise<PruneResult> {
    const selection = checked<InstanceFilter>('client.pruneExecutionsBulk', filter, FILTER);
    const rule = checked<PruneOptions>('client.pruneExecutionsBulk', options, PRUNE);
    return parse(await native(this.#native.prune(JSON.stringify(selection), JSON.stringify(rule))));
  }
}

function parse<T>(text: string): T {
  return JSON.parse(text) as T;
}
