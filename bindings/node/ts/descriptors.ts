// Descriptors: what the scheduling methods return. They act when yielded, once.
// Not here: how a tree settles, which is the core's business; only how its value looks.

import { type DuroxideError, LimitError } from './errors.js';
import { type Awaited, type Failure, errorOf } from './failures.js';
import { argument, text } from './options.js';
import type { Policy } from './retry.js';

/** What one yield waits for, in the core's words. @internal */
export type Tree = { Leaf: Leaf } | { Retry: { activity: ActivityLeaf; policy: Policy } } | { All: Tree[] } | { Race: Tree[] };

/** @internal */
export interface ActivityLeaf {
  Activity: { name: string; input: string; session: string | null; tag: string | null };
}

/** @internal */
export type Leaf =
  | 'UtcNow'
  | 'NewGuid'
  | ActivityLeaf
  | { Timer: { delay_ms: number } }
  | { Mail: { channel: 'Event' | 'Queue'; name: string } }
  | { Child: { name: string; version: string | null; instance: string | null; input: string } }
  | { Detached: { name: string; version: string | null; instance: string; input: string } }
  | { ContinueAsNew: { input: string; version: string | null } };

/** The outcome of an await, as it comes from the core. @internal */
export type Settled = { ok: unknown } | { err: Failure };

/**
 * An element of what `all` gives: the value of a task that succeeded, or the message of its
 * failure with the error itself (which is not enumerable). In a primitive context, such as a
 * template string, it reads as its value or message.
 *
 * ```ts
 * const [a, b] = yield* ctx.all([ctx.scheduleActivity(A, 1), ctx.scheduleActivity(B, 2)]);
 * if (a.err === undefined) use(a.ok); else ctx.traceWarn(a.err);
 * ```
 */
export type AllResult<T> =
  | { readonly ok: T; readonly err?: undefined; readonly error?: undefined }
  | { readonly ok?: undefined; readonly err: string; readonly error: DuroxideError };

/** What `all` gives for tasks with these results, in their order. */
export type AllResults<T extends readonly unknown[]> = { -readonly [K in keyof T]: AllResult<T[K]> };

/**
 * What `race` gives for tasks with these results: which one settled first, and its value. To
 * compare `index` narrows `value`; of a spread array only the common type is known.
 *
 * ```ts
 * const won = yield* ctx.race(ctx.waitForEvent<boolean>('approval'), ctx.scheduleTimer(60_000));
 * return won.index === 0 ? won.value : 'timed out'; // won.value: boolean
 * ```
 */
export type RaceResult<T extends readonly unknown[]> = number extends T['length']
  ? { readonly index: number; readonly value: T[number] }
  : { [K in keyof T]: { readonly index: Position<K>; readonly value: T[K] } }[number];

type Position<K> = K extends `${infer N extends number}` ? N : never;

/** Descriptors with these results: what `all` and `race` take. */
export type Tasks<T extends readonly unknown[]> = { readonly [K in keyof T]: Descriptor<T[K]> };

/** The type of a descriptor's result: `Result<ReturnType<typeof make>>`. */
export type Result<D> = D extends Descriptor<infer T> ? T : never;

/**
 * What a helper generator returns; it is called with `yield*`.
 *
 * ```ts
 * function* charge(ctx: OrchestrationContext, cents: number): Durable<string> {
 *   const { receipt } = yield* ctx.scheduleActivity(Charge, { orderId: 'o-1', cents });
 *   return receipt;
 * }
 * // in an orchestration:
 * const receipt = yield* charge(ctx, 500);
 * ```
 */
export type Durable<T> = Generator<Descriptor<unknown>, T, any>;

/** How deep `all` and `race` may stand in each other. */
const DEEPEST_NESTING = 50;

/** What a descriptor stands for. @internal */
export interface Plan {
  /** The tasks of `all` and `race`. */
  readonly branches: readonly Descriptor<unknown>[];
  /** How many groups stand in each other. */
  readonly depth: number;
  tree(): Tree;
  /** What is waited for, depth first, left to right. */
  leaves(): Awaited[];
  /** Its value as user code sees it. */
  shape(value: unknown): unknown;
  readonly endsExecution: boolean;
}

/**
 * Something durable to wait for; nothing happens until it is yielded, once. `yield d` waits for
 * it; `yield* d` does the same and gives TypeScript the exact type of the result.
 */
export class Descriptor<T> {
  /** The call that made it, for messages. */
  readonly call: string;
  readonly #ledger: Ledger;
  readonly #plan: Plan;
  #used = false;
  /** Only for the type of the result. */
  declare protected readonly result: T;

  /** @internal */
  constructor(call: string, ledger: Ledger, plan: Plan) {
    this.call = call;
    this.#ledger = ledger;
    this.#plan = plan;
    ledger.add(this);
  }

  /** Whether this is one; unlike `instanceof`, runs no code of the value's. @internal */
  static is(value: unknown): value is Descriptor<unknown> {
    return typeof value === 'object' && value !== null && #ledger in value;
  }

  /** Makes `yield* d` wait for it and give its result. */
  *[Symbol.iterator](): Generator<Descriptor<unknown>, T, any> {
    return (yield this) as T;
  }

  /** A descriptor is no value: an input or result that holds one is a forgotten yield. */
  toJSON(): never {
    throw new TypeError(`${this.call} was not yielded; did you forget yield?`);
  }

  /** Why it cannot be yielded now, if so; `seen` is what stands with it in one yield. @internal */
  refusal(ledger: Ledger, seen = new Set<unknown>()): string | undefined {
    for (const branch of this.#plan.branches) {
      const refusal = branch.refusal(ledger, seen);
      if (refusal !== undefined) return refusal;
    }
    if (seen.has(this)) return `${this.call} stands twice in what was yielded; a descriptor acts once`;
    seen.add(this);
    if (this.#ledger !== ledger) return `${this.call} belongs to another orchestration`;
    return this.#used ? `${this.call} was yielded already; a descriptor acts once` : undefined;
  }

  /** Marks it yielded. @internal */
  use(): void {
    this.#used = true;
    this.#ledger.delete(this);
    for (const branch of this.#plan.branches) branch.use();
  }

  /** @internal */
  get depth(): number {
    return this.#plan.depth;
  }

  /** @internal */
  get endsExecution(): boolean {
    return this.#plan.endsExecution;
  }

  /** @internal */
  tree(): Tree {
    return this.#plan.tree();
  }

  /** @internal */
  leaves(): Awaited[] {
    return this.#plan.leaves();
  }

  /** @internal */
  shape(value: unknown): unknown {
    return this.#plan.shape(value);
  }

  /** The error that a failure of it throws. @internal */
  error(failure: Failure): DuroxideError {
    const leaves = this.leaves();
    const [first] = leaves;
    if (first !== undefined && leaves.length === 1) return errorOf(failure, first);
    // Of several branches the failure says which kind it came from, and its name.
    const fitting = leaves.filter(({ kind }) => (kind === 'child') === (failure.instance !== undefined));
    const named = fitting.length === 1 ? fitting[0] : fitting.find(({ name }) => name !== undefined && name === failure.source);
    return errorOf(failure, named ?? { kind: fitting[0]?.kind ?? 'other' });
  }
}

/** Descriptors of one execution that were made and not yielded. @internal */
export type Ledger = Set<Descriptor<unknown>>;

/** An activity to run; its tag can be set until it is yielded. */
export class ActivityDescriptor<T> extends Descriptor<T> {
  readonly #leaf: ActivityLeaf;

  /** @internal */
  constructor(call: string, ledger: Ledger, leaf: ActivityLeaf, policy?: Policy) {
    super(call, ledger, policy === undefined ? one(leaf) : retried(leaf, policy));
    this.#leaf = leaf;
  }

  /**
   * Routes the activity to Runtimes that take this tag (`workerTagFilter`). Gives the same object.
   *
   * ```ts
   * const frame = yield* ctx.scheduleActivity(Render, { n: 1 }).withTag('gpu');
   * ```
   *
   * @throws TypeError for anything but a non-empty string
   */
  withTag(tag: string): this {
    argument('withTag', 'the tag', tag, text);
    this.#leaf.Activity.tag = tag;
    return this;
  }
}

/** One thing to wait for. @internal */
export function one(leaf: Leaf): Plan {
  return {
    branches: [],
    depth: 0,
    endsExecution: typeof leaf === 'object' && 'ContinueAsNew' in leaf,
    tree: () => ({ Leaf: leaf }),
    leaves: () => [awaitedOf(leaf)],
    shape: (value) => value,
  };
}

function retried(activity: ActivityLeaf, policy: Policy): Plan {
  return { ...one(activity), tree: () => ({ Retry: { activity, policy } }) };
}

/** Waits for every task. @internal */
export function every(call: string, given: readonly Descriptor<unknown>[]): Plan {
  const tasks = [...given];
  return {
    ...group(call, tasks),
    tree: () => ({ All: tasks.map((task) => task.tree()) }),
    shape: (value) =>
      (value as Settled[]).map((settled, index) => {
        const task = tasks[index];
        if ('ok' in settled) return readable({ ok: task ? task.shape(settled.ok) : settled.ok });
        const { err } = settled;
        return readable({ err: err.message }, task ? task.error(err) : errorOf(err));
      }),
  };
}

/** Waits for the first task; the others are cancelled. @internal */
export function firstOf(call: string, tasks: readonly Descriptor<unknown>[]): Plan {
  return {
    ...group(call, tasks),
    tree: () => ({ Race: tasks.map((task) => task.tree()) }),
    shape: (value) => {
      const { index, value: won } = value as { index: number; value: unknown };
      const task = tasks[index];
      return { index, value: task ? task.shape(won) : won };
    },
  };
}

function group(call: string, branches: readonly Descriptor<unknown>[]): Pick<Plan, 'branches' | 'depth' | 'endsExecution' | 'leaves'> {
  let depth = 1;
  for (const branch of branches) {
    if (!Descriptor.is(branch)) {
      throw new TypeError(`${call}: every task must be a descriptor of ctx`);
    }
    if (branch.endsExecution) {
      throw new TypeError(`${call}: ctx.continueAsNew ends the execution, it cannot be one of several tasks`);
    }
    depth = Math.max(depth, branch.depth + 1);
  }
  if (depth > DEEPEST_NESTING) {
    throw new LimitError(`${call}: all and race stand ${depth} deep in each other, at most ${DEEPEST_NESTING} are allowed`);
  }
  return { branches, depth, endsExecution: false, leaves: () => branches.flatMap((branch) => branch.leaves()) };
}

function awaitedOf(leaf: Leaf): Awaited {
  if (typeof leaf === 'string') return { kind: 'other' };
  if ('Activity' in leaf) return { kind: 'activity', name: leaf.Activity.name };
  if ('Child' in leaf) return { kind: 'child', name: leaf.Child.name };
  return { kind: 'other' };
}

/** Makes an element of `all` read as its value in a template string; invisible otherwise. */
function readable(element: { ok: unknown } | { err: string }, error?: Error): object {
  const primitive = (): unknown => {
    if ('err' in element) return element.err;
    const { ok } = element;
    return typeof ok === 'object' && ok !== null ? JSON.stringify(ok) : ok;
  };
  Object.defineProperty(element, Symbol.toPrimitive, { value: primitive });
  Object.defineProperty(element, 'toString', { value: () => String(primitive()) });
  if (error !== undefined) Object.defineProperty(element, 'error', { value: error });
  return element;
}
