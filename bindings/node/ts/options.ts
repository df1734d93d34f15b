// Checks of arguments and option bags: what is wrong is named, with the nearest known name.
// Not here: what any option does.

/** What an option must be: a phrase for the message, and the test. @internal */
export interface Rule {
  expected: string;
  holds(value: unknown): boolean;
}

/** @internal */
export const rule = (expected: string, holds: (value: unknown) => boolean): Rule => ({ expected, holds });

// The grammar of semver.org.
const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?$/;

// The latest time of a `Date`.
const LATEST = 8.64e15;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** @internal */
export const text = rule('a non-empty string', (v) => typeof v === 'string' && v.length > 0);
/** @internal */
export const semver = rule("a semver such as '1.0.0'", (v) => typeof v === 'string' && SEMVER.test(v));
/** @internal */
export const anyText = rule('a string', (v) => typeof v === 'string');
/** @internal */
export const count = rule('an integer >= 0', isCount);
/** @internal */
export const positive = rule('an integer >= 1', (v) => isCount(v) && v >= 1);
/** @internal */
export const moment = rule('a time in milliseconds from 0 to 8.64e15', (v) => typeof v === 'number' && v >= 0 && v <= LATEST);
/** @internal */
export const flag = rule('a boolean', (v) => typeof v === 'boolean');
/** @internal */
export const millis = rule('a number of milliseconds >= 0', (v) => typeof v === 'number' && Number.isFinite(v) && v >= 0);
/** @internal */
export const number = rule('a number', (v) => typeof v === 'number');
/** @internal */
export const texts = rule('an array of strings', (v) => Array.isArray(v) && v.every((e) => typeof e === 'string' && e.isWellFormed()));

/** A whole number in these bounds. @internal */
export function within(least: number, most: number): Rule {
  return rule(`an integer from ${least} to ${most}`, (v) => isCount(v) && v >= least && v <= most);
}

/** One of these words. @internal */
export function oneOf(...words: string[]): Rule {
  return rule(`one of ${words.map((w) => `'${w}'`).join(', ')}`, (v) => words.includes(v as string));
}

/** This rule, or an own one with its phrase. @internal */
export function either(first: Rule, expected: string, holds: (value: unknown) => boolean): Rule {
  return rule(`${first.expected} or ${expected}`, (v) => first.holds(v) || holds(v));
}

/**
 * The given options without those that are undefined. An unknown name or a value that breaks
 * its rule is a `TypeError`. @internal
 */
export function checked<T extends object>(
  call: string,
  options: T | undefined,
  rules: { [K in keyof T]-?: Rule },
): Partial<T> {
  if (options === undefined) return {};
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`${call}: the options must be an object, not ${shown(options)}`);
  }
  const known = Object.keys(rules);
  const given: Partial<T> = {};
  for (const name of Object.keys(options) as (keyof T & string)[]) {
    if (!Object.hasOwn(rules, name)) {
      throw new TypeError(`${call}: unknown option '${name}'; did you mean '${nearest(name, known)}'?`);
    }
    const value = options[name];
    if (value === undefined) continue;
    argument(call, `option '${name}'`, value, rules[name]);
    given[name] = value;
  }
  return given;
}

/**
 * Throws a `TypeError` that names the call, the argument and its value. No string may hold half
 * of a surrogate pair: it has no UTF-8, so it would be stored as something else. @internal
 */
export function argument(call: string, what: string, value: unknown, must: Rule): void {
  if (!must.holds(value)) {
    throw new TypeError(`${call}: ${what} must be ${must.expected}, not ${shown(value)}`);
  }
  if (typeof value === 'string' && !value.isWellFormed()) {
    throw new TypeError(`${call}: ${what} holds half of a surrogate pair: ${JSON.stringify(value.slice(0, 80))}`);
  }
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 80 ? `${value.slice(0, 80)}…` : value}'`;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'bigint') return `${value}n`;
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** The known name that takes the fewest edits. @internal */
export function nearest(name: string, known: string[]): string {
  let best = known[0] ?? '';
  let least = Infinity;
  for (const candidate of known) {
    const edits = distance(name.toLowerCase(), candidate.toLowerCase());
    if (edits < least) [best, least] = [candidate, edits];
  }
  return best;
}

/** Levenshtein's distance, one row at a time. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
