// What an activity is given. Not here: running it (`host.ts`).

import type { Client } from './client.js';
import { addon } from './native.js';

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

/** The first argument of every activity. */
export class ActivityContext {
  readonly instanceId: string;
  readonly executionId: number;
  readonly orchestrationName: string;
  readonly orchestrationVersion: string;
  readonly activityName: string;
  /** The event that scheduled it: unique within the execution. */
  readonly activityId: number;
  /** From 1; redeliveries after a crash are counted. */
  readonly attempt: number;
  readonly workerId: string;
  /** null for an activity without a session. */
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

  /** The tag that routed it, or null. */
  tag(): string | null {
    return this.#tag;
  }

  /** Whether its result is no longer wanted; also seen by code that never lets go of the thread. */
  isCancelled(): boolean {
    if (!this.#cancelled && this.#asksCancelled()) this.cancel();
    return this.#cancelled;
  }

  /** Aborts when its result is no longer wanted. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#cancelled) this.#controller.abort();
    return this.#controller.signal;
  }

  /** A client of the store that this activity came from. */
  getClient(): Client {
    return this.#client();
  }

  traceInfo(message: string): void {
    this.#trace('info', message);
  }

  traceWarn(message: string): void {
    this.#trace('warn', message);
  }

  traceError(message: string): void {
    this.#trace('error', message);
  }

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
