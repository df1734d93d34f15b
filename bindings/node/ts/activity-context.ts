// What an activity is given. Not here: running it (`host.ts`).

import type { Client } from './client.js';
import { addon } from './native.js';

declare global {
  /** Of `lib.dom` or `@types/node`; without either it has a name and nothing in it. */
  interface AbortSignal {}
}

/** What is known of an attempt. @internal */
export interface ActivityFacts {
  instanceId: string;
  executionId: number;
  orchestrationName: string;
  orchestrationVersion: string;
  activityName: string;
  activityId: number;
  attempt: number;
  workerId: string;
  sessionId: string | null;
  tag: string | null;
}

/**
 * The first argument of every activity: who asked for it, whether its result is still wanted.
 *
 * ```ts
 * runtime.registerActivity('Fetch', async (ctx, url: string) => {
 *   const response = await fetch(url, { signal: ctx.signal });
 *   return response.text();
 * });
 * ```
 */
export class ActivityContext {
  /** The instance that scheduled it. */
  readonly instanceId: string;
  /** Number of the execution that scheduled it, from 1. */
  readonly executionId: number;
  /** The orchestration that scheduled it. */
  readonly orchestrationName: string;
  /** The version of that orchestration. */
  readonly orchestrationVersion: string;
  /** The name it is registered by. */
  readonly activityName: string;
  /** The event that scheduled it: unique within the execution. */
  readonly activityId: number;
  /** From 1: the tries of its retry policy before this one, and the deliveries of this one after a crash, are counted. */
  readonly attempt: number;
  /** The worker that it runs on. */
  readonly workerId: string;
  /** The session it runs on; null for an activity without a session. */
  readonly sessionId: string | null;
  readonly #tag: string | null;
  readonly #asksCancelled: () => boolean;
  readonly #client: () => Client;
  #controller: AbortController | undefined;
  #cancelled = false;

  /** @internal */
  constructor(facts: ActivityFacts, asksCancelled: () => boolean, client: () => Client) {
    this.instanceId = facts.instanceId;
    this.executionId = facts.executionId;
    this.orchestrationName = facts.orchestrationName;
    this.orchestrationVersion = facts.orchestrationVersion;
    this.activityName = facts.activityName;
    this.activityId = facts.activityId;
    this.attempt = facts.attempt;
    this.workerId = facts.workerId;
    this.sessionId = facts.sessionId;
    this.#tag = facts.tag;
    this.#asksCancelled = asksCancelled;
    this.#client = client;
  }

  /** The tag that routed it; null for an activity without one. */
  tag(): string | null {
    return this.#tag;
  }

  /**
   * Whether its result is no longer wanted: its orchestration was cancelled or has ended, its
   * attempt took too long, or it lost a race. Also seen by code that never lets go of the thread.
   */
  isCancelled(): boolean {
    if (!this.#cancelled && this.#asksCancelled()) this.cancel();
    return this.#cancelled;
  }

  /** Aborts within a second of when its result is no longer wanted; to be passed to `fetch` and the like. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#cancelled) this.#controller.abort();
    return this.#controller.signal;
  }

  /** A client of the store that this activity came from, to start orchestrations or raise events. */
  getClient(): Client {
    return this.#client();
  }

  /** Logs at INFO under `duroxide::activity`, with the instance, activity and worker. */
  traceInfo(message: string): void {
    this.#trace('info', message);
  }

  /** Logs at WARN under `duroxide::activity`, with the instance, activity and worker. */
  traceWarn(message: string): void {
    this.#trace('warn', message);
  }

  /** Logs at ERROR under `duroxide::activity`, with the instance, activity and worker. */
  traceError(message: string): void {
    this.#trace('error', message);
  }

  /** Logs at DEBUG under `duroxide::activity`, with the instance, activity and worker. */
  traceDebug(message: string): void {
    this.#trace('debug', message);
  }

  /** @internal */
  cancel(): void {
    this.#cancelled = true;
    this.#controller?.abort();
  }

  #trace(level: string, message: string): void {
    const fields = {
      instance_id: this.instanceId,
      execution_id: this.executionId,
      orchestration_name: this.orchestrationName,
      orchestration_version: this.orchestrationVersion,
      activity_name: this.activityName,
      activity_id: this.activityId,
      worker_id: this.workerId,
    };
    addon.trace('activity', level, JSON.stringify(fields), String(message));
  }
}
