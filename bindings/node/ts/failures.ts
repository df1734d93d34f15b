// Failures as history records them: how one becomes the error that user code catches, and what
// user code throws becomes one. Not here: the classes (`errors.ts`).

import { types } from 'node:util';
import type { ErrorCause, OrchestrationStatus } from './answers.js';
import {
  ActivityError,
  CancelledError,
  DeterminismError,
  DuroxideError,
  LimitError,
  NondeterminismError,
  OrchestrationError,
  SubOrchestrationError,
  TimeoutError,
} from './errors.js';

/** A failure in the engine's own form. @internal */
export interface Failure {
  kind: FailureKind;
  message: string;
  /** Name of the error that was thrown. */
  name?: string;
  /** Name of the activity or child that failed. */
  source?: string;
  /** Id of the child that failed. */
  instance?: string;
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

/** What was thrown into user code, by the error that it became: it may be thrown again. */
const failures = new WeakMap<object, Failure>();

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

function classed(failure: Failure, { kind: awaited, name }: Awaited): DuroxideError {
  const { kind, message, source, instance, attempt } = failure;
  // What names its source came from the activity or child; the rest is about the call itself.
  const theirs = source !== undefined || kind === 'Application';
  if (instance !== undefined || (awaited === 'child' && theirs)) {
    const code = kind === 'Application' ? 'SUB_ORCHESTRATION_FAILED' : codeOf(failure);
    // In a failure from further down, `source` is what failed there.
    const child = awaited === 'child' && name !== undefined ? name : attempt === undefined ? source : undefined;
    return new SubOrchestrationError(code, message, child, instance);
  }
  if (kind === 'Timeout') return new TimeoutError(message, source, attempt);
  if (theirs && (awaited === 'activity' || attempt !== undefined)) {
    const code = kind === 'Application' ? 'ACTIVITY_FAILED' : codeOf(failure);
    return new ActivityError(code, message, source ?? name, attempt);
  }
  if (kind === 'Cancelled') return new CancelledError(message);
  if (kind === 'Nondeterminism') return isOfGuard(failure) ? new DeterminismError(message) : new NondeterminismError(message);
  if (kind === 'Limit') return new LimitError(message);
  return new DuroxideError(codeOf(failure), message);
}

/** What the determinism guard threw has its own code. */
function codeOf(failure: Failure): string {
  return isOfGuard(failure) ? 'DETERMINISM' : failure.kind.toUpperCase();
}

function isOfGuard({ kind, name }: Failure): boolean {
  return kind === 'Nondeterminism' && name === 'DeterminismError';
}

/** The error for whoever waits for the output of an instance that gave none. @internal */
export function orchestrationError(id: string, { status, error, errorDetails: details }: OrchestrationStatus): OrchestrationError {
  const message = error ?? `orchestration '${id}' is ${status}`;
  const code = details?.code ?? (status === 'Terminated' ? 'TERMINATED' : 'ORCHESTRATION_FAILED');
  const told = new OrchestrationError(code, message, id, details);
  if (details?.name !== undefined) hidden(told, 'name', details.name);
  if (details?.cause !== undefined) hidden(told, 'cause', causeError(details.cause));
  return told;
}

function causeError({ name, message, cause }: ErrorCause): Error {
  const error = new Error(message);
  if (name !== undefined) hidden(error, 'name', name);
  if (cause !== undefined) hidden(error, 'cause', causeError(cause));
  hidden(error, 'stack', `${error.name}: ${error.message}`);
  return error;
}

function hidden(error: Error, property: string, value: unknown): void {
  Object.defineProperty(error, property, { value, configurable: true, writable: true, enumerable: false });
}

const DEEPEST_CAUSE = 32;
/** Errors of an `AggregateError` that its message tells. */
const MOST_TOLD = 10;

/** The failure to record for whatever user code threw; never throws itself. @internal */
export function failureOf(thrown: unknown): Failure {
  try {
    return described(thrown, []);
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

/** `above` is what it is the cause of: a chain of causes may be endless, or a ring. */
function described(thrown: unknown, above: unknown[]): Failure {
  if (!isError(thrown)) return { kind: 'Application', message: textOf(thrown) };
  const known = failures.get(thrown);
  // Nothing keeps user code from setting a message that is no string.
  if (known) return { ...named(known, thrown), message: String(thrown.message) };
  const failure: Failure = { kind: kindOf(thrown), message: messageOf(thrown), name: String(thrown.name) };
  const cause = unlessItThrows(() => causeOf(thrown));
  const chain = [...above, thrown];
  if (cause !== undefined && !chain.includes(cause) && chain.length <= DEEPEST_CAUSE) {
    const { details: _, ...rest } = described(cause, chain);
    failure.cause = rest;
  }
  const stack = unlessItThrows(() => thrown.stack);
  if (typeof stack === 'string') failure.details = { stack };
  return failure;
}

/** What is only of interest is not to cost the message. */
function unlessItThrows<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** What the engine made has no name of an error; its class has. */
function named(known: Failure, thrown: Error): Failure {
  return known.name === undefined && known.kind !== 'Application' ? { ...known, name: String(thrown.name) } : known;
}

/** Also an error of another realm, such as Node's own within a test runner's. */
function isError(thrown: unknown): thrown is Error {
  return thrown instanceof Error || types.isNativeError(thrown);
}

function isAggregate(error: Error): error is AggregateError {
  return error.name === 'AggregateError' && Array.isArray((error as { errors?: unknown }).errors);
}

/** Its message; that of an `AggregateError` with those that it stands for. */
function messageOf(error: Error): string {
  const message = String(error.message);
  if (!isAggregate(error)) return message;
  const told = error.errors.slice(0, MOST_TOLD).map((one: unknown) => (isError(one) ? `${one.name}: ${one.message}` : textOf(one)));
  const more = error.errors.length - told.length;
  return `${message} [${told.join('; ')}${more > 0 ? `; and ${more} more` : ''}]`;
}

function causeOf(error: Error): unknown {
  return error.cause ?? (isAggregate(error) ? error.errors[0] : undefined);
}

function kindOf(error: Error): FailureKind {
  if (error instanceof CancelledError) return 'Cancelled';
  if (error instanceof TimeoutError) return 'Timeout';
  if (error instanceof DeterminismError) return 'Nondeterminism';
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
