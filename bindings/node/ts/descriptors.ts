// Descriptors: what the scheduling methods return. They act when yielded, once.
// Not here: how a tree settles, which is the core's business; only how its value looks.

import { type Awaited, type Failure, LimitError, errorOf } from './errors.js';
import { argument, text } from './options.js';

/** A leaf, `all` or `race`, in the core's words. @internal */
export type Tree = { Leaf: Leaf } | { All: Tree[] } | { Race: Tree[] };

/** @internal */
export type Leaf =
  | 'UtcNow'
  | 'NewGuid'
  | { Activity: { name: string; input: string; session: string | null; tag: string | null } }
  | { Timer: { delay_ms: number } }
  | { Mail: { channel: 'Event' | 'Queue'; name: string } }
  | { Child: { name: string; version: string | null; instance: string | null; input: string } }
  | { Detached: { name: string; version: string | null; instance: string; input: string } }
  | { ContinueAsNew: { input: string; version: string | null } };

/** The outcome of an await, as it comes from the core. @internal */
export type Settled = { ok: unknown } | { err: Failure };

/** An element of what `all` gives. In a primitive context it reads as its value. */
export type AllResult<T> =
  | { readonly ok: T; readonly err?: undefined; readonly error?: undefined }
  | { readonly ok?: undefined; readonly err: string; readonly error?: Error };

/** What `race` gives: which task settled first, and its value. */
export interface RaceResult<T> {
  readonly index: number;
  readonly value: T;
}

/** What a helper generator returns: `function* helper(ctx): Durable<string> { … }`. */
export type Durable<T> = Generator<Descriptor<unknown>, T, unknown>;

/** How deep `all` and `race` may stand in each other. */
const DEEPEST_NESTING = 50;

/**
 * Something durable to wait for. `yield d` waits for it; `yield* d` does the same and
 * gives TypeScript the exact type of the result.
 */
export abstract class Descriptor<T> {
  /** The call that made it, for messages. */
  readonly call: string;
  readonly #ledger: Ledger;
  #used = false;
  /** Only for the type of the result. */
  declare protected readonly result: T;

  /** @internal */
  constructor(call: string, ledger: Ledger) {
    this.call = call;
    this.#ledger = ledger;
    ledger.add(this);
  }

  /** Whether this is one; unlike `instanceof`, runs no code of the value's. @internal */
  static is(value: unknown): value is Descriptor<unknown> {
    return typeof value === 'object' && value !== null && #ledger in value;
  }

  *[Symbol.iterator](): Generator<Descriptor<unknown>, T, unknown> {
    return (yield this) as T;
  }

  /** A descriptor is no value: an input or result that holds one is a forgotten yield. */
  toJSON(): never {
    throw new TypeError(`${this.call} was not yielded; did you forget yield?`);
  }

  /** Why it cannot be yielded now, if so; `seen` is what stands with it in one yield. @internal */
  refusal(ledger: Ledger, seen = new Set<unknown>()): string | undefined {
    if (seen.has(this)) return `${this.call} stands twice in what was yielded; a descriptor acts once`;
    seen.add(this);
    if (this.#ledger !== ledger) return `${this.call} belongs to another orchestration`;
    return this.#used ? `${this.call} was yielded already; a descriptor acts once` : undefined;
  }

  /** Marks it yielded. @internal */
  use(): void {
    this.#used = true;
    this.#ledger.delete(this);
  }

  /** How many groups stand in each other. @internal */
  abstract readonly depth: number;
  /** @internal */
  abstract tree(): Tree;
  /** The leaves, depth first, left to right. @internal */
  abstract leaves(): LeafDescriptor<unknown>[];
  /** Its value as user code sees it. @internal */
  abstract shape(value: unknown): unknown;

  /** The error that a failure of it throws. @internal */
  error(failure: Failure): Error {
    const leaves = this.leaves();
    const [first] = leaves;
    if (first !== undefined && leaves.length === 1) return errorOf(failure, first.awaited);
    // Of several branches the failure names the one it came from, if any.
    const named = leaves.find(({ awaited: { name } }) => name !== undefined && name === failure.source);
    return errorOf(failure, named?.awaited ?? { kind: first?.awaited.kind ?? 'other' });
  }
}

/** Descriptors of one execution that were made and not yielded. @internal */
export type Ledger = Set<Descriptor<unknown>>;

/** A descriptor of one thing. @internal */
export class LeafDescriptor<T> extends Descriptor<T> {
  readonly depth = 0;
  protected leaf: Leaf;

  constructor(call: string, ledger: Ledger, leaf: Leaf) {
    super(call, ledger);
    this.leaf = leaf;
  }

  get awaited(): Awaited {
    if (typeof this.leaf === 'string') return { kind: 'other' };
    if ('Activity' in this.leaf) return { kind: 'activity', name: this.leaf.Activity.name };
    if ('Child' in this.leaf) return { kind: 'child', name: this.leaf.Child.name };
    return { kind: 'other' };
  }

  get endsExecution(): boolean {
    return typeof this.leaf === 'object' && 'ContinueAsNew' in this.leaf;
  }

  tree(): Tree {
    return { Leaf: this.leaf };
  }

  leaves(): LeafDescriptor<unknown>[] {
    return [this];
  }

  shape(value: unknown): unknown {
    return value;
  }
}

/** An activity; its tag can be set until it is yielded. */
export class ActivityDescriptor<T> extends LeafDescriptor<T> {
  /** Routes the activity to workers that take this tag. Gives the same object. */
  withTag(tag: string): this {
    argument('withTag', 'the tag', tag, text);
    if (typeof this.leaf === 'object' && 'Activity' in this.leaf) this.leaf.Activity.tag = tag;
    return this;
  }
}

abstract class Group<T> extends Descriptor<T> {
  readonly depth: number;
  protected readonly branches: readonly Descriptor<unknown>[];

  constructor(call: string, ledger: Ledger, branches: readonly Descriptor<unknown>[]) {
    for (const branch of branches) {
      if (!Descriptor.is(branch)) {
        throw new TypeError(`${call}: every task must be a descriptor of ctx`);
      }
      if (branch instanceof LeafDescriptor && branch.endsExecution) {
        throw new TypeError(`${call}: ctx.continueAsNew ends the execution, it cannot be one of several tasks`);
      }
    }
    const depth = 1 + branches.reduce((deepest, branch) => Math.max(deepest, branch.depth), 0);
    if (depth > DEEPEST_NESTING) {
      throw new LimitError(`${call}: all and race stand ${depth} deep in each other, at most ${DEEPEST_NESTING} are allowed`);
    }
    super(call, ledger);
    this.depth = depth;
    this.branches = [...branches];
  }

  override refusal(ledger: Ledger, seen = new Set<unknown>()): string | undefined {
    for (const branch of this.branches) {
      const refusal = branch.refusal(ledger, seen);
      if (refusal !== undefined) return refusal;
    }
    return super.refusal(ledger, seen);
  }

  override use(): void {
    super.use();
    for (const branch of this.branches) branch.use();
  }

  leaves(): LeafDescriptor<unknown>[] {
    return this.branches.flatMap((branch) => branch.leaves());
  }
}

/** Waits for every task. @internal */
export class AllDescriptor<T> extends Group<T> {
  tree(): Tree {
    return { All: this.branches.map((branch) => branch.tree()) };
  }

  shape(value: unknown): unknown {
    return (value as Settled[]).map((settled, index) => {
      const branch = this.branches[index];
      if ('ok' in settled) return readable({ ok: branch ? branch.shape(settled.ok) : settled.ok });
      const { err } = settled;
      const error = branch ? branch.error(err) : errorOf(err);
      return readable({ err: err.message }, error);
    });
  }
}

/** Waits for the first task; the others are cancelled. @internal */
export class RaceDescriptor<T> extends Group<T> {
  tree(): Tree {
    return { Race: this.branches.map((branch) => branch.tree()) };
  }

  shape(value: unknown): unknown {
    const { index, value: won } = value as { index: number; value: unknown };
    const branch = this.branches[index];
    return { index, value: branch ? branch.shape(won) : won };
  }
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

