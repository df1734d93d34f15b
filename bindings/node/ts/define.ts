// Activities and orchestrations declared once, with their types. Not here: registering and
// scheduling them (`runtime.ts`, `scheduling.ts`, `client.ts`), which take what is made here.

import type { ActivityContext } from './activity-context.js';
import type { Descriptor } from './descriptors.js';
import { anyText, argument, checked, rule, semver, text } from './options.js';
import type { OrchestrationContext } from './orchestration-context.js';

/**
 * An activity: a function, sync or async, with any side effects. Its input is what JSON made of
 * what was passed; what it returns is stored as JSON, what it throws fails the activity.
 */
export type ActivityFunction<In = unknown, Out = unknown> = (ctx: ActivityContext, input: In) => Out | PromiseLike<Out>;

/**
 * An orchestration known by its name only: a generator function, or a function that returns an
 * iterator. What its yields give is untyped, so that `const x = yield …` compiles.
 */
export type OrchestrationFunction<In = unknown, Out = unknown> = (
  ctx: OrchestrationContext,
  input: In,
) => Iterator<unknown, Out, any>;

/** The same for a definition: it may yield nothing but descriptors, and `ctx` knows its input. */
export type DefinedOrchestrationFunction<In = unknown, Out = unknown> = (
  ctx: OrchestrationContext<In>,
  input: In,
) => Iterator<Descriptor<unknown>, Out, any>;

/** The arguments after a definition: the input, which may be left out where it may be undefined, and what follows it. */
export type InputArguments<In, More extends unknown[] = []> =
  | [input: NoInfer<In>, ...more: More]
  | (undefined extends In ? [] : never);

/** What {@link defineActivity} gives: an activity's name, code and types. */
export class ActivityDefinition<In, Out> {
  /** The name it is registered and scheduled by. */
  readonly name: string;
  /** The function, to be called directly in a test. */
  readonly code: ActivityFunction<In, Out>;
  readonly #made = true;

  /** @internal */
  constructor(call: string, name: string, code: ActivityFunction<In, Out>) {
    nameable(call, 'activity', name);
    callable(call, `activity '${name}'`, code);
    this.name = name;
    this.code = code;
  }

  /** @internal */
  static is(value: unknown): value is ActivityDefinition<unknown, unknown> {
    return typeof value === 'object' && value !== null && #made in value;
  }
}

/** What {@link defineOrchestration} gives: an orchestration's name, version, code and types. */
export class OrchestrationDefinition<In, Out> {
  /** The name it is registered and started by. */
  readonly name: string;
  /**
   * The version that it is registered under: the one it was defined with, or else `'1.0.0'`. Calls
   * by the definition run the latest version that is registered; a `…Versioned` call that is given
   * this one runs it.
   */
  readonly version: string;
  /** The generator function. */
  readonly code: DefinedOrchestrationFunction<In, Out>;
  readonly #made = true;

  /** @internal */
  constructor(call: string, name: string, version: string | undefined, code: DefinedOrchestrationFunction<In, Out>) {
    nameable(call, 'orchestration', name);
    generating(call, name, version, code);
    this.name = name;
    this.version = version ?? FIRST_VERSION;
    this.code = code;
  }

  /** @internal */
  static is(value: unknown): value is OrchestrationDefinition<unknown, unknown> {
    return typeof value === 'object' && value !== null && #made in value;
  }
}

/** Options of {@link defineOrchestration}. */
export interface OrchestrationDefinitionOptions {
  /**
   * A semver, which the definition is registered under; 1.0.0 unless given. What is started or
   * scheduled by the definition runs the latest registered version all the same, as by its name:
   * else raising the version here would change what running parents ask for, and fail them.
   */
  version?: string | undefined;
}

/**
 * Declares an activity once, so that everything that registers or schedules it is checked: a
 * wrong input or a misspelt field is a compile error, and `yield*` gives what JSON makes of `Out`.
 * The types follow from the function, or are given: `defineActivity<In, Out>(name, fn)`.
 *
 * ```ts
 * const Charge = defineActivity('Charge', async (ctx, input: { orderId: string; cents: number }) => {
 *   return { receipt: await pay(input.orderId, input.cents), at: new Date() };
 * });
 * runtime.registerActivity(Charge);
 * // in an orchestration:
 * const { receipt, at } = yield* ctx.scheduleActivity(Charge, { orderId: 'o-1', cents: 500 }); // at: string
 * ```
 *
 * @param name non-empty, at most 256 bytes, unique among the activities of a Runtime
 * @param code sync or async; declare `input` as what arrives, so a `Date` that is passed as a string
 * @throws TypeError for a wrong name, or a `code` that is no function
 */
export function defineActivity<In = unknown, Out = unknown>(
  name: string,
  code: ActivityFunction<In, Out>,
): ActivityDefinition<In, Out> {
  return new ActivityDefinition('defineActivity', name, code);
}

/**
 * Declares an orchestration once, for `registerOrchestration`, the Client, and other orchestrations.
 *
 * ```ts
 * const Order = defineOrchestration('Order', function* (ctx, input: { orderId: string }) {
 *   const { receipt } = yield* ctx.scheduleActivity(Charge, { orderId: input.orderId, cents: 500 });
 *   return { receipt };
 * }, { version: '1.1.0' });
 * runtime.registerOrchestration(Order);
 * await client.startOrchestration('order-1', Order, { orderId: 'o-1' });
 * const { receipt } = await client.waitForOrchestrationTyped('order-1', Order);
 * ```
 *
 * @param name non-empty, at most 256 bytes
 * @param code a generator function, or a function that returns an iterator; never an async one
 * @throws TypeError for a wrong name, version or option, or a `code` that cannot be an orchestration
 */
export function defineOrchestration<In = unknown, Out = unknown>(
  name: string,
  code: DefinedOrchestrationFunction<In, Out>,
  options?: OrchestrationDefinitionOptions,
): OrchestrationDefinition<In, Out> {
  const call = 'defineOrchestration';
  const { version } = checked<OrchestrationDefinitionOptions>(call, options, { version: anyText });
  return new OrchestrationDefinition(call, name, version, code);
}

/** The name of the activity that a call was given. @internal */
export function activityName(call: string, given: unknown): string {
  if (ActivityDefinition.is(given)) return given.name;
  if (OrchestrationDefinition.is(given)) {
    throw new TypeError(`${call}: '${given.name}' is the definition of an orchestration, not of an activity`);
  }
  argument(call, 'the activity name', given, named);
  return given as string;
}

/** The name of the orchestration that a call was given. @internal */
export function orchestrationName(call: string, given: unknown): string {
  if (OrchestrationDefinition.is(given)) return given.name;
  if (ActivityDefinition.is(given)) {
    throw new TypeError(`${call}: '${given.name}' is the definition of an activity, not of an orchestration`);
  }
  argument(call, 'the orchestration name', given, named);
  return given as string;
}

const named = rule('a non-empty string, or a definition', text.holds);

/** The version of what is registered without one. */
const FIRST_VERSION = '1.0.0';
const MAX_NAME_BYTES = 256;

function nameable(call: string, what: string, name: unknown): void {
  argument(call, `the name of the ${what}`, name, text);
  const given = name as string;
  if (Buffer.byteLength(given) > MAX_NAME_BYTES) {
    throw new TypeError(`${call}: the name of the ${what} is longer than ${MAX_NAME_BYTES} bytes: '${given.slice(0, 40)}…'`);
  }
}

function callable(call: string, what: string, code: unknown): void {
  if (typeof code !== 'function') {
    throw new TypeError(`${call}: ${what} must be a function, not ${code === null ? 'null' : typeof code}`);
  }
}

function generating(call: string, name: string, version: unknown, code: unknown): void {
  callable(call, `orchestration '${name}'`, code);
  if (version !== undefined) argument(call, `the version of orchestration '${name}'`, version, semver);
  const kind = Object.prototype.toString.call(code);
  if (kind === '[object AsyncFunction]' || kind === '[object AsyncGeneratorFunction]') {
    throw new TypeError(`${call}: orchestration '${name}' must be a generator function (function*), not an async one`);
  }
}
