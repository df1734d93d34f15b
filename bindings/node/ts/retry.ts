// Retry policies: what users write, checked, in the engine's words. Not here: retrying, which
// is the core's business, as its delays and time-outs are durable.

import { argument, checked, either, number, oneOf, texts } from './options.js';

/** Delays between attempts, in ms: `initialMs`, then `factor` times the one before, at most `maxMs`. */
export interface CustomBackoff {
  /** The delay after the first attempt, in ms, >= 0 and at most `maxMs`. */
  initialMs: number;
  /** The longest delay, in ms. */
  maxMs: number;
  /** What a delay is multiplied with to give the next one, >= 1. */
  factor: number;
  /** The share by which a delay may be shorter, from 0 (default) to 1: with 0.1, it is between 90 % and 100 %. */
  jitter?: number | undefined;
}

/**
 * How often and how long an activity is tried.
 *
 * ```ts
 * const policy: RetryPolicy = { maxAttempts: 5, timeoutMs: 10_000, nonRetryable: ['CardDeclined'] };
 * ```
 */
export interface RetryPolicy {
  /**
   * The most attempts, the first one counted; an integer >= 1. In the activity `ctx.attempt` says
   * which one it is; an attempt that is run again because its process died adds to it, not to these.
   */
  maxAttempts: number;
  /**
   * The delay after an attempt that failed. `'exponential'` (default): 100, 200, 400 … ms, at most
   * 30 s; `'linear'`: 100, 200, 300 … ms; `'fixed'`: 1 s; `'none'`: none; or one's own. Delays are
   * durable timers: they survive a restart.
   */
  backoff?: 'exponential' | 'linear' | 'fixed' | 'none' | CustomBackoff | undefined;
  /** How long one attempt may take, in ms; one that takes longer has failed, and its `signal` aborts. */
  timeoutMs?: number | undefined;
  /** How long all attempts and the delays between them may take, in ms. */
  totalTimeoutMs?: number | undefined;
  /** Names of errors that are not retried, such as `'CardDeclined'`. */
  nonRetryable?: readonly string[] | undefined;
}

/** A policy as the core reads it. @internal */
export interface Policy {
  max_attempts: number;
  backoff: string | { custom: { initial_ms: number; max_ms: number; factor: number; jitter: number } };
  timeout_ms: number | null;
  total_timeout_ms: number | null;
  non_retryable: readonly string[];
}

const WORDS = oneOf('exponential', 'linear', 'fixed', 'none');
const BACKOFF = either(WORDS, '{ initialMs, maxMs, factor, jitter }', (v) => typeof v === 'object' && v !== null);
const MOST_ATTEMPTS = 2 ** 32 - 1;

/**
 * Checks a policy: an unknown name, a wrong type or a missing field is a `TypeError`, a number
 * out of its range a `RangeError`. @internal
 */
export function policyOf(call: string, policy: RetryPolicy): Policy {
  const given = checked<RetryPolicy>(`${call}: the retry policy`, policy, {
    maxAttempts: number,
    backoff: BACKOFF,
    timeoutMs: number,
    totalTimeoutMs: number,
    nonRetryable: texts,
  });
  const { maxAttempts, timeoutMs, totalTimeoutMs } = given;
  const range = ranged(call);
  range('maxAttempts', maxAttempts, `an integer from 1 to ${MOST_ATTEMPTS}`, (n) => Number.isInteger(n) && n >= 1 && n <= MOST_ATTEMPTS);
  return {
    max_attempts: required(call, 'maxAttempts', maxAttempts),
    backoff: backoffOf(call, given.backoff ?? 'exponential'),
    timeout_ms: limit(range, 'timeoutMs', timeoutMs),
    total_timeout_ms: limit(range, 'totalTimeoutMs', totalTimeoutMs),
    non_retryable: given.nonRetryable ?? [],
  };
}

function backoffOf(call: string, backoff: NonNullable<RetryPolicy['backoff']>): Policy['backoff'] {
  if (typeof backoff === 'string') return backoff;
  const given = checked<CustomBackoff>(`${call}: the backoff`, backoff, {
    initialMs: number,
    maxMs: number,
    factor: number,
    jitter: number,
  });
  const initialMs = required(call, 'backoff.initialMs', given.initialMs);
  const maxMs = required(call, 'backoff.maxMs', given.maxMs);
  const factor = required(call, 'backoff.factor', given.factor);
  const jitter = given.jitter ?? 0;
  const range = ranged(call);
  range('backoff.maxMs', maxMs, 'finite and at least 0', (n) => Number.isFinite(n) && n >= 0);
  range('backoff.initialMs', initialMs, `from 0 to backoff.maxMs, which is ${maxMs}`, (n) => n >= 0 && n <= maxMs);
  range('backoff.factor', factor, 'finite and at least 1', (n) => Number.isFinite(n) && n >= 1);
  range('backoff.jitter', jitter, 'from 0 to 1', (n) => n >= 0 && n <= 1);
  return { custom: { initial_ms: whole(initialMs), max_ms: whole(maxMs), factor, jitter } };
}

type Range = (name: string, value: number | undefined, expected: string, holds: (value: number) => boolean) => void;

function ranged(call: string): Range {
  return (name, value, expected, holds) => {
    if (value === undefined || holds(value)) return;
    throw new RangeError(`${call}: ${name} of the retry policy must be ${expected}, not ${value}`);
  };
}

function required(call: string, name: string, value: number | undefined): number {
  argument(call, `${name} of the retry policy`, value, number);
  return value as number;
}

/** A time limit: one of nothing could never be kept. */
function limit(range: Range, name: string, value: number | undefined): number | null {
  range(name, value, 'finite and more than 0', (n) => Number.isFinite(n) && n > 0);
  return value === undefined ? null : whole(value);
}

/** The engine counts whole milliseconds. */
function whole(ms: number): number {
  return Math.min(Math.ceil(ms), Number.MAX_SAFE_INTEGER);
}
