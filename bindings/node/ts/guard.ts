// The determinism guard: what must not be called while an orchestration's code runs, because
// it gives another value on replay or acts again, says so. Running that code is synchronous:
// the guards stand only while it runs, so nothing outside of it ever meets one. They are
// properties: a function that was captured before (`const { now } = Date`) is not caught.
// Not here: comparing what the code asks for with its history, which is the core's.

import crypto = require('node:crypto');
import { DeterminismError } from './errors.js';
import { addon } from './native.js';
import { type Identity, traceFields } from './orchestration-context.js';

/**
 * What happens when orchestration code calls what is not deterministic, and when a command is
 * replayed with another input than recorded: `'throw'` raises `DeterminismError` at the call and
 * fails the run for the input, `'warn'` logs both, once for each place of a call, `'off'` neither.
 */
export type Determinism = 'throw' | 'warn' | 'off';

/** Who is told of the calls that the code under way makes; may throw. @internal */
export interface Watcher {
  /** `message` says what was called and what to do instead; `place` where: file, line and column. */
  met(message: string, place: () => string): void;
}

/** The places of calls that were told already; a Runtime has one. @internal */
export class Places {
  readonly #told = new Set<string>();

  isNew(message: string, place: string): boolean {
    return this.#told.size < this.#told.add(`${message} ${place}`).size;
  }
}

/** To find a place costs microseconds: of an execution that calls on and on, no more are looked at. */
const MOST_LOOKED_AT = 1_000;

/** Says each place once, of one execution's calls. @internal */
export function eachPlaceOnce(places: Places, say: (message: string, place: string) => void): Watcher {
  let left = MOST_LOOKED_AT;
  return {
    met(message, place): void {
      if (left === 0) return;
      left -= 1;
      const at = place();
      if (places.isNew(message, at)) say(message, at);
    },
  };
}

/** What a Runtime does about the calls of one execution; nothing is watched when off. @internal */
export function watcher(mode: Determinism, places: Places, identity: Identity): Watcher | undefined {
  if (mode === 'off') return undefined;
  if (mode === 'warn') {
    return eachPlaceOnce(places, (message, place) => {
      addon.trace('orchestration', 'warn', JSON.stringify(traceFields(identity)), `${message} (at ${place})`);
    });
  }
  return {
    met(message): void {
      throw new DeterminismError(message);
    },
  };
}

let current: Watcher | undefined;
let standing = false;
const SILENT: Watcher = { met: () => undefined };

/**
 * Code that is watched begins to run. Gives what `leave` needs: code of one Runtime may
 * run inside that of another. @internal
 */
export function enter(watched: Watcher | undefined): Watcher | undefined {
  const outer = current;
  if (outer === undefined && watched !== undefined) stand();
  current = outer === undefined ? watched : (watched ?? SILENT);
  return outer;
}

/** It has stopped running. @internal */
export function leave(outer: Watcher | undefined): void {
  current = outer;
  if (outer === undefined && standing) fall();
}

type Function = (...args: never[]) => unknown;

/** The objects whose properties are guarded. */
const world = globalThis as unknown as {
  Date: DateConstructor;
  setTimeout: Function;
  setInterval: Function;
  setImmediate: Function;
  fetch: Function;
};
const web = Object.getPrototypeOf(globalThis.crypto) as { randomUUID: Function; getRandomValues: Function };
const node = crypto as unknown as { randomUUID: Function };
const clock = Object.getPrototypeOf(performance) as { now: Function };
const math = Math as { random: Function };

/** What stands there while nothing is watched; looked up anew each time, it may be a test's mock. */
const found = {
  Date: world.Date,
  now: Date.now as Function,
  random: math.random,
  webUuid: web.randomUUID,
  nodeUuid: node.randomUUID,
  values: web.getRandomValues,
  clock: clock.now,
  setTimeout: world.setTimeout,
  setInterval: world.setInterval,
  setImmediate: world.setImmediate,
  fetch: world.fetch,
};

const AGAIN = 'gives another value on replay';
const ASIDE = 'acts outside of the orchestration, and again on replay';
const DRAWN = 'what derives from `yield ctx.newGuid()`, or an activity';

/** Made once: a step that calls none of them makes nothing. */
const guards: typeof found = {
  Date: guardOfDate(found.Date),
  now: guard('now', 'Date.now()', AGAIN, '`yield ctx.utcNow()`'),
  random: guard('random', 'Math.random()', AGAIN, DRAWN),
  webUuid: guard('webUuid', 'crypto.randomUUID()', AGAIN, '`yield ctx.newGuid()`'),
  nodeUuid: guard('nodeUuid', 'crypto.randomUUID()', AGAIN, '`yield ctx.newGuid()`'),
  values: guard('values', 'crypto.getRandomValues()', AGAIN, DRAWN),
  clock: guard('clock', 'performance.now()', AGAIN, '`yield ctx.utcNow()`'),
  setTimeout: guard('setTimeout', 'setTimeout()', ASIDE, '`yield ctx.scheduleTimer(ms)`'),
  setInterval: guard('setInterval', 'setInterval()', ASIDE, '`yield ctx.scheduleTimer(ms)` in a loop'),
  setImmediate: guard('setImmediate', 'setImmediate()', ASIDE, '`yield ctx.scheduleTimer(0)`'),
  fetch: guard('fetch', 'fetch()', ASIDE, 'an activity: `yield ctx.scheduleActivity(name, input)`'),
};

/** Whether every guard can be put up: not where intrinsics are frozen, which may also happen later. */
let usable = [
  [Date, 'now'],
  [math, 'random'],
  [web, 'randomUUID'],
  [node, 'randomUUID'],
  [web, 'getRandomValues'],
  [clock, 'now'],
  ...['Date', 'setTimeout', 'setInterval', 'setImmediate', 'fetch'].map((name) => [globalThis, name] as const),
].every(([owner, name]) => Object.getOwnPropertyDescriptor(owner, name as string)?.writable === true);

// One property after the other: a loop over them costs fifty times as much.
function stand(): void {
  if (!usable) return;
  const date = world.Date;
  if (date !== found.Date) guards.Date = guardOfDate(date);
  found.Date = date;
  found.now = date.now;
  found.random = math.random;
  found.webUuid = web.randomUUID;
  found.nodeUuid = node.randomUUID;
  found.values = web.getRandomValues;
  found.clock = clock.now;
  found.setTimeout = world.setTimeout;
  found.setInterval = world.setInterval;
  found.setImmediate = world.setImmediate;
  found.fetch = world.fetch;
  put(guards);
  standing = true;
}

function fall(): void {
  standing = false;
  put(found);
}

/** In one order: where something was frozen in the meantime, what was put before it is put back. */
function put(all: typeof found): void {
  try {
    world.Date = all.Date;
    (found.Date as { now: Function }).now = all.now;
    math.random = all.random;
    web.randomUUID = all.webUuid;
    node.randomUUID = all.nodeUuid;
    web.getRandomValues = all.values;
    clock.now = all.clock;
    world.setTimeout = all.setTimeout;
    world.setInterval = all.setInterval;
    world.setImmediate = all.setImmediate;
    world.fetch = all.fetch;
  } catch {
    usable = false;
    if (all === guards) put(found);
  }
}

function guard(name: Exclude<keyof typeof found, 'Date'>, call: string, harm: string, instead: string): Function {
  return new Proxy(found[name], {
    apply: function met(_, self, args): unknown {
      tell(call, harm, instead, met);
      return Reflect.apply(found[name], self, args);
    },
  });
}

/** `new Date(ms)` and whatever stands on `Date` are let through. */
function guardOfDate(date: DateConstructor): DateConstructor {
  const instead = '`new Date(yield ctx.utcNow())`';
  const guarded: DateConstructor = new Proxy(date, {
    apply: function met(): unknown {
      tell('Date()', AGAIN, instead, met);
      return date();
    },
    construct: function met(_, args, made): object {
      if (args.length === 0) tell('new Date()', AGAIN, instead, met);
      return Reflect.construct(date, args, made === guarded ? date : made) as object;
    },
  });
  return guarded;
}

function tell(call: string, harm: string, instead: string, guarding: Function): void {
  if (current === undefined) return;
  const message = `${call} is nondeterministic in an orchestration (it ${harm}); use ${instead} instead`;
  current.met(message, () => placeOf(guarding));
}

/** Where the guard was called: the innermost place that is in no package and not in Node. */
function placeOf(guarding: Function): string {
  const holder: { stack?: string } = {};
  Error.captureStackTrace(holder, guarding);
  const places = String(holder.stack).split('\n').slice(1).map(place);
  return places.find((at) => !/[\\/]node_modules[\\/]|^node:/.test(at)) ?? places[0] ?? 'an unknown place';
}

function place(frame: string): string {
  const text = frame.trim().replace(/^at /, '');
  return text.endsWith(')') ? text.slice(text.lastIndexOf('(') + 1, -1) : text;
}
