// The error classes, each with its code. Not here: how a failure that was recorded becomes
// one of them and back (`failures.ts`), errors of the store (`native.ts`).

import type { ErrorDetails } from './answers.js';

/**
 * Base of every error of this package. Compare `code`, which is stable; messages may change.
 *
 * Without a class of their own are these codes:
 * - `APPLICATION`: an orchestration threw an error of its own (in `errorDetails` and causes)
 * - `INVALID`: an argument that only the engine could check, such as an id with a reserved marker. Mend the call
 * - `DESCRIPTOR`: a descriptor was yielded twice, or in another orchestration. Make one for each yield
 * - `OUTSIDE_TURN`: `ctx` was used by code that ran later than the orchestration itself, in a callback
 * - `POISON`: a turn or activity died (`maxAttempts`) too often without an outcome. Look for what kills the process
 * - `UNREGISTERED`: no node had registered the name in time (`unregisteredTimeoutMs`). Register it, or mend the name
 * - `TERMINATED`: the instance was stopped by `terminateOrchestration`
 * - `CORRUPT`: what is stored cannot be decoded here, being damaged or written by a codec that is missing
 * - `MALFORMED_HISTORY`: what `replay` was given is no history
 * - `RUNTIME_STATE`: the Runtime was started already, or is stopped. Make a new one
 * - `DUPLICATE_REGISTRATION`: the name, or name and version, is registered already
 * - `STORE_BUSY`, `STORE_FULL`, `STORE_NO_ANSWER`: the store could not serve the call in spite of all retries; the
 *   same call may be made again. `STORE_CORRUPT`, `STORE_NEWER_SCHEMA`, `STORE_UNUSABLE`: it will not serve it
 * - `TRACING`: `initTracing` failed
 * - `NATIVE_ADDON`: the addon for this platform is missing or does not load
 * - `INTERNAL`: a fault of this package. Please report it
 */
export class DuroxideError extends Error {
  /** Stable, for programs to compare. */
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/**
 * Thrown by the yield of an activity that failed: it threw, or ran and died too often, or nobody knows it.
 * `message`, `name` and `cause` are those of the error that it threw; stack and worker are in the
 * `errorDetails` of the status. Catch it to compensate, or retry with `ctx.scheduleActivityWithRetry`.
 *
 * `code`: `ACTIVITY_FAILED` if it threw, else `POISON`, `UNREGISTERED`, `CORRUPT`, `LIMIT` or `INVALID`.
 */
export class ActivityError extends DuroxideError {
  /** The activity that failed. */
  readonly activityName: string | undefined;
  /** Which attempt failed, from 1, as its `ctx.attempt` counted. */
  readonly attempt: number | undefined;

  /** @internal */
  constructor(code: string, message: string, activityName?: string, attempt?: number) {
    super(code, message);
    this.activityName = activityName;
    this.attempt = attempt;
  }
}

/**
 * Thrown by the yield of a child orchestration that failed, was cancelled or terminated, or could not
 * be started because its id is in use. `message`, `name` and `cause` are those of the error it ended with.
 *
 * `code`: `SUB_ORCHESTRATION_FAILED` if its code threw, else the code of what ended it: `CANCELLED`, `TERMINATED`,
 * `TIMEOUT`, `NONDETERMINISM`, `UNREGISTERED`, `POISON`, `LIMIT`, `INVALID`.
 */
export class SubOrchestrationError extends DuroxideError {
  /** The name of the child's orchestration. */
  readonly orchestrationName: string | undefined;
  /** The child's id: its own failure is read with `client.getOrchestrationStatus(instanceId)`. */
  readonly instanceId: string | undefined;

  /** @internal */
  constructor(code: string, message: string, orchestrationName?: string, instanceId?: string) {
    super(code, message);
    this.orchestrationName = orchestrationName;
    this.instanceId = instanceId;
  }
}

/**
 * Thrown by `waitForOrchestrationTyped` when the orchestration did not complete. `message`, `name` and `cause` are
 * those of what it failed with.
 *
 * `code`: that of its `errorDetails`, such as `ACTIVITY_FAILED` or `APPLICATION`; `TERMINATED` if it was terminated.
 */
export class OrchestrationError extends DuroxideError {
  readonly instanceId: string;
  /** What is known of the failure; undefined if the instance was terminated. */
  readonly errorDetails: ErrorDetails | undefined;

  /** @internal */
  constructor(code: string, message: string, instanceId: string, errorDetails?: ErrorDetails) {
    super(code, message);
    this.instanceId = instanceId;
    this.errorDetails = errorDetails;
  }
}

/**
 * A time limit passed: thrown by the Client's `waitFor…` calls, where what is waited for may still happen, and by
 * the yield of a retried activity whose last attempt took longer than `timeoutMs` or `totalTimeoutMs` allows.
 *
 * `code`: `TIMEOUT`.
 */
export class TimeoutError extends DuroxideError {
  /** The activity that took too long, if it was one. */
  readonly activityName: string | undefined;
  /** The last try of its policy, from 1. */
  readonly attempt: number | undefined;

  constructor(message = 'Operation timed out', activityName?: string, attempt?: number) {
    super('TIMEOUT', message);
    this.activityName = activityName;
    this.attempt = attempt;
  }
}

/**
 * Thrown once by the pending yield of an orchestration that is cancelled, and by `ctx.continueAsNew` afterwards.
 * Clean up in `catch` or `finally`, where `ctx` works as usual, then throw: the run ends `Failed` with
 * `canceled: <reason>`. To return instead ends it `Completed`.
 *
 * `code`: `CANCELLED`.
 */
export class CancelledError extends DuroxideError {
  constructor(message: string) {
    super('CANCELLED', message);
  }
}

/**
 * The code asks for something else than its history recorded: the message says at which event, and shows both.
 * No orchestration catches it, its run ends; a parent may see it as the cause. Register changed code under a new
 * version, and check deployments with `replay` of `duroxide/testing`.
 *
 * `code`: `NONDETERMINISM`.
 */
export class NondeterminismError extends DuroxideError {
  constructor(message: string) {
    super('NONDETERMINISM', message);
  }
}

/**
 * Orchestration code called what is not deterministic, such as `Date.now()`, in a Runtime with `determinism: 'throw'`.
 * The message names what to use instead. With `'warn'`, the default, it is a line in the log.
 *
 * `code`: `DETERMINISM`.
 */
export class DeterminismError extends DuroxideError {
  constructor(message: string) {
    super('DETERMINISM', message);
  }
}

/**
 * A limit of the engine was broken by the call, which the message names with the limit; nothing was written.
 * Pass less, or keep large values elsewhere and pass a reference.
 *
 * `code`: `LIMIT`.
 */
export class LimitError extends DuroxideError {
  constructor(message: string) {
    super('LIMIT', message);
  }
}

/**
 * `startOrchestration` with `ifExists: 'error'` met an instance of that id, whatever its state. Use another id, or
 * delete the old instance.
 *
 * `code`: `INSTANCE_EXISTS`.
 */
export class InstanceExistsError extends DuroxideError {
  readonly instanceId: string;

  constructor(instanceId: string) {
    super('INSTANCE_EXISTS', `instance '${instanceId}' exists already`);
    this.instanceId = instanceId;
  }
}

/**
 * An event, message, cancel or terminate was sent to an id that no instance has. Start the instance first; it exists
 * from the moment its start resolves.
 *
 * `code`: `INSTANCE_NOT_FOUND`.
 */
export class InstanceNotFoundError extends DuroxideError {
  readonly instanceId: string;

  constructor(instanceId: string) {
    super('INSTANCE_NOT_FOUND', `instance '${instanceId}' does not exist`);
    this.instanceId = instanceId;
  }
}

/**
 * The call is part of the API, but this kind of store does not support it. The message says what to use instead.
 *
 * `code`: `NOT_SUPPORTED`.
 */
export class NotSupportedError extends DuroxideError {
  constructor(call: string, instead: string) {
    super('NOT_SUPPORTED', `${call} is not supported here; ${instead}`);
  }
}
