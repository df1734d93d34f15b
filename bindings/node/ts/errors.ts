// The error classes, and how a failure of the engine becomes one and back.
// Not here: errors of the store, which `native.ts` translates.

/** A failure as history records it; the engine's own form. @internal */
export interface Failure {
  kind: FailureKind;
  message: string;
  name?: string;
  source?: string;
  attempt?: number;
  cause?: Failure;
  details?: { stack?: string; worker?: string };
}

/** @internal */
export type FailureKind =
  | 'Application'
  | 'Cancelled'
  | 'Timeout'
  | 'Nondeterminism'
  | 'Limit'
  | 'Invalid'
  | 'Poison'
  | 'Unregistered'
  | 'Terminated'
  | 'Corrupt';

/** What was awaited; decides the class of the error that is thrown. @internal */
export interface Awaited {
  kind: 'activity' | 'child' | 'other';
  /** Name of the activity or child. */
  name?: string | undefined;
}

const failures = new WeakMap<object, Failure>();

/** Base of every error that this package throws on its own account. */
export class DuroxideError extends Error {
  /** Stable, for programs to compare. */
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** An activity failed. `message` and `name` are those of the error it threw. */
export class ActivityError extends DuroxideError {
  readonly activityName: string | undefined;
  /** Which attempt failed, from 1. */
  readonly attempt: number | undefined;

  /** @internal */
  constructor(code: string, message: string, activityName?: string, attempt?: number) {
    super(code, message);
    this.activityName = activityName;
    this.attempt = attempt;
  }
}

/** A child orchestration failed. `message` and `name` are those of the error it threw. */
export class SubOrchestrationError extends DuroxideError {
  readonly orchestrationName: string | undefined;

  /** @internal */
  constructor(code: string, message: string, orchestrationName?: string) {
    super(code, message);
    this.orchestrationName = orchestrationName;
  }
}

/** `waitForOrchestrationTyped` found that the orchestration did not complete. */
export class OrchestrationError extends DuroxideError {}

/** A time limit passed. */
export class TimeoutError extends DuroxideError {
  constructor(message = 'Operation timed out') {
    super('TIMEOUT', message);
  }
}

/** The orchestration was cancelled. */
export class CancelledError extends DuroxideError {
  constructor(message: string) {
    super('CANCELLED', message);
  }
}

/** The code does not ask for what its history recorded. */
export class NondeterminismError extends DuroxideError {
  constructor(message: string) {
    super('NONDETERMINISM', message);
  }
}

/** A limit of the engine was broken by the call; nothing was written. */
export class LimitError extends DuroxideError {
  constructor(message: string) {
    super('LIMIT', message);
  }
}

/** `startOrchestration` with `ifExists: 'error'` met an instance of that id. */
export class InstanceExistsError extends DuroxideError {
  readonly instanceId: string;

  constructor(instanceId: string) {
    super('INSTANCE_EXISTS', `instance '${instanceId}' exists already`);
    this.instanceId = instanceId;
  }
}

/** There is no instance of that id. */
export class InstanceNotFoundError extends DuroxideError {
  readonly instanceId: string;

  constructor(instanceId: string) {
    super('INSTANCE_NOT_FOUND', `instance '${instanceId}' does not exist`);
    this.instanceId = instanceId;
  }
}

/** The call is part of the API, but this build does not support it. */
export class NotSupportedError extends DuroxideError {
  constructor(call: string) {
    super('NOT_SUPPORTED', `${call} is not supported in this build yet`);
  }
}

const CODES: Record<FailureKind, string> = {
  Application: 'APPLICATION',
  Cancelled: 'CANCELLED',
  Timeout: 'TIMEOUT',
  Nondeterminism: 'NONDETERMINISM',
  Limit: 'LIMIT',
  Invalid: 'INVALID',
  Poison: 'POISON',
  Unregistered: 'UNREGISTERED',
  Terminated: 'TERMINATED',
  Corrupt: 'CORRUPT',
};

/** The stable code of a kind of failure. @internal */
export function codeOf(kind: FailureKind): string {
  return CODES[kind];
}

function classed(failure: Failure, { kind: awaited, name }: Awaited): DuroxideError {
  const { kind, message, source, attempt } = failure;
  if (kind === 'Timeout') return new TimeoutError(message);
  // What names its source came from the activity or child; the rest is about the call itself.
  const theirs = source !== undefined || kind === 'Application';
  if (awaited === 'activity' && theirs) {
    const code = kind === 'Application' ? 'ACTIVITY_FAILED' : codeOf(kind);
    return new ActivityError(code, message, name ?? source, attempt);
  }
  if (awaited === 'child' && theirs) {
    const code = kind === 'Application' ? 'SUB_ORCHESTRATION_FAILED' : codeOf(kind);
    return new SubOrchestrationError(code, message, name ?? source);
  }
  if (kind === 'Cancelled') return new CancelledError(message);
  if (kind === 'Nondeterminism') return new NondeterminismError(message);
  if (kind === 'Limit') return new LimitError(message);
  return new DuroxideError(codeOf(kind), message);
}

/**
 * The error that user code catches. It carries no stack of ours: a path must not become
 * a replayed value. @internal
 */
export function errorOf(failure: Failure, awaited: Awaited = { kind: 'other' }): DuroxideError {
  const error = classed(failure, awaited);
  if (failure.name !== undefined) hidden(error, 'name', failure.name);
  if (failure.cause !== undefined) hidden(error, 'cause', errorOf(failure.cause));
  hidden(error, 'stack', `${error.name}: ${error.message}`);
  failures.set(error, failure);
  return error;
}

function hidden(error: Error, property: string, value: unknown): void {
  Object.defineProperty(error, property, {
    value,
    configurable: true,
    writable: true,
    enumerable: false,
  });
}

const DEEPEST_CAUSE = 5;

/** The failure to record for whatever user code threw; never throws itself. @internal */
export function failureOf(thrown: unknown): Failure {
  try {
    return described(thrown, DEEPEST_CAUSE);
  } catch {
    // To read it is to run user code: getters, conversions, proxies.
    return { kind: 'Application', message: 'something was thrown that cannot be read' };
  }
}

/**
 * A failure as JSON text. A message is not to be refused, so half of a surrogate pair, which
 * no UTF-8 has, is replaced. @internal
 */
export function encodeFailure(failure: Failure): string {
  return JSON.stringify(failure, (_, value: unknown) => (typeof value === 'string' ? value.toWellFormed() : value));
}

function described(thrown: unknown, depth: number): Failure {
  if (!(thrown instanceof Error)) return { kind: 'Application', message: textOf(thrown) };
  const known = failures.get(thrown);
  // Nothing keeps user code from setting a message that is no string.
  const message = String(thrown.message);
  const failure: Failure = known
    ? { ...known, message }
    : { kind: kindOf(thrown), message, name: String(thrown.name) };
  if (!known && thrown.cause !== undefined && depth > 0) {
    failure.cause = withoutDetails(described(thrown.cause, depth - 1));
  }
  if (!known && typeof thrown.stack === 'string') failure.details = { stack: thrown.stack };
  return failure;
}

function withoutDetails(failure: Failure): Failure {
  const { details: _, ...rest } = failure;
  return rest;
}

function kindOf(error: Error): FailureKind {
  if (error instanceof CancelledError) return 'Cancelled';
  if (error instanceof TimeoutError) return 'Timeout';
  if (error instanceof LimitError) return 'Limit';
  return 'Application';
}

function textOf(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown;
  if (typeof thrown === 'object' && thrown !== null) {
    const { message } = thrown as { message?: unknown };
    if (typeof message === 'string') return message;
    try {
      return JSON.stringify(thrown) ?? String(thrown);
    } catch {
      return Object.prototype.toString.call(thrown);
    }
  }
  return String(thrown);
}
