// One resident execution: the user's generator and the core's state machine, stepped
// together on this thread. Not here: settling, replay, what a turn commits: the core's.

import { types } from 'node:util';
import { Descriptor, type Ledger, type Settled } from './descriptors.js';
import { DuroxideError, LimitError } from './errors.js';
import { type Failure, encodeFailure, errorOf, failureOf } from './failures.js';
import { type Watcher, enter, leave } from './guard.js';
import { encode, isThenable } from './json.js';
import { type NativeExecution, addon } from './native.js';
import { type Core, type Identity, OrchestrationContext, type TraceLevel, traceFields } from './orchestration-context.js';

/** The user's function, untyped. @internal */
export type OrchestrationCode = (ctx: OrchestrationContext, input: unknown) => unknown;

type Activation = { start: unknown } | Settled;
type Answer = Settled | { refused: Failure } | 'pending' | 'stopped';
type Step = { next: unknown } | { throw: unknown };

/** Yields in a row that may be refused; code that catches each and goes on would never end. */
const MOST_REFUSALS = 1_000;

/** Unwinds user code that goes on after its execution is over. */
class Stopped extends Error {
  override readonly message = 'this execution of the orchestration is over';
}

/** @internal */
export class Coroutine implements Core {
  readonly ledger: Ledger = new Set();
  readonly #native: NativeExecution;
  readonly #identity: Identity;
  readonly #code: OrchestrationCode;
  readonly #context: OrchestrationContext;
  readonly #watcher: Watcher | undefined;
  #iterator: Iterator<unknown, unknown, unknown> | undefined;
  #awaited: Descriptor<unknown> | undefined;
  #refusals = 0;
  #running = false;
  #stopped = false;

  constructor(native: NativeExecution, identity: Identity, code: OrchestrationCode, watcher?: Watcher) {
    this.#native = native;
    this.#identity = identity;
    this.#code = code;
    this.#watcher = watcher;
    this.#context = new OrchestrationContext(identity, this);
  }

  /** Runs one turn; true when the execution has ended. */
  runTurn(turn: number): boolean {
    this.#native.begin(turn);
    for (let told = this.#native.next(); told !== null; told = this.#native.next()) {
      this.#activate(JSON.parse(told) as Activation);
    }
    return this.#native.finish();
  }

  /** Drops it without any effect: the generator is not told. */
  release(): void {
    this.#stopped = true;
    this.#iterator = undefined;
    this.#native.release();
  }

  ask(call: string, question: (native: NativeExecution) => string): unknown {
    const answer = JSON.parse(this.read(call, question)) as Answer;
    if (answer === 'stopped' || answer === 'pending') {
      this.#stopped = true;
      throw new Stopped();
    }
    if ('ok' in answer) return answer.ok;
    throw errorOf('refused' in answer ? answer.refused : answer.err);
  }

  read<T>(call: string, question: (native: NativeExecution) => T): T {
    if (!this.#running) {
      throw new DuroxideError('OUTSIDE_TURN', `${call} was called outside of the orchestration's own code`);
    }
    if (this.#stopped) throw new Stopped();
    return question(this.#native);
  }

  trace(level: TraceLevel, message: string): void {
    if (this.#stopped || !this.#running || this.#native.isReplaying()) return;
    addon.trace('orchestration', level, JSON.stringify(traceFields(this.#identity)), String(message));
  }

  #activate(activation: Activation): void {
    this.#running = true;
    const outer = enter(this.#watcher);
    try {
      if ('start' in activation) this.#start(activation.start);
      else this.#run(this.#resume(activation));
    } finally {
      leave(outer);
      this.#running = false;
    }
  }

  #start(input: unknown): void {
    try {
      // Called by itself: what is ours is not to be its `this`.
      const code = this.#code;
      const made = code(this.#context, input);
      if (isThenable(made) || !isIterator(made)) {
        throw new TypeError(`orchestration '${this.#identity.orchestrationName}' must return an iterator (use function*)`);
      }
      this.#iterator = made;
    } catch (thrown) {
      this.#fail(thrown);
      return;
    }
    this.#run({ next: undefined });
  }

  /** What the settled descriptor gives to user code. */
  #resume(settled: Settled): Step {
    const descriptor = this.#awaited;
    this.#awaited = undefined;
    if ('ok' in settled) return { next: descriptor ? descriptor.shape(settled.ok) : settled.ok };
    return { throw: descriptor ? descriptor.error(settled.err) : errorOf(settled.err) };
  }

  /** Steps the generator until it suspends, ends or is stopped. */
  #run(first: Step): void {
    for (let step: Step | undefined = first; step !== undefined; ) {
      let result: { done: boolean; value: unknown };
      try {
        result = told(this.#step(step));
      } catch (thrown) {
        this.#fail(thrown);
        return;
      }
      if (this.#stopped) return;
      if (result.done) {
        this.#complete(result.value);
        return;
      }
      step = this.#yielded(result.value);
    }
  }

  #step(step: Step): unknown {
    const iterator = this.#iterator;
    if (iterator === undefined) throw new Stopped();
    if ('next' in step) return iterator.next(step.next);
    if (iterator.throw) return iterator.throw(step.throw);
    throw step.throw;
  }

  /** Hands a yielded descriptor to the core; the next step, or undefined to suspend. */
  #yielded(value: unknown): Step | undefined {
    if (!Descriptor.is(value)) {
      return this.#refused(new TypeError(`an orchestration yields descriptors of ctx, not ${kindOf(value)}`));
    }
    const refusal = value.refusal(this.ledger);
    if (refusal !== undefined) return this.#refused(new DuroxideError('DESCRIPTOR', refusal));
    value.use();
    const answer = JSON.parse(this.#native.await(JSON.stringify(value.tree()))) as Answer;
    if (answer === 'stopped') {
      this.#stopped = true;
      return undefined;
    }
    if (answer !== 'pending' && 'refused' in answer) return this.#refused(value.error(answer.refused));
    this.#refusals = 0;
    this.#awaited = value;
    return answer === 'pending' ? undefined : this.#resume(answer);
  }

  /** The step after a yield that is refused: the error, or none when that was one too many. */
  #refused(error: Error): Step | undefined {
    this.#refusals += 1;
    if (this.#refusals <= MOST_REFUSALS) return { throw: error };
    this.#fail(new LimitError(`more than ${MOST_REFUSALS} yields in a row were refused, the last: ${error.message}`));
    return undefined;
  }

  #complete(value: unknown): void {
    let output: string;
    try {
      if (Descriptor.is(value)) {
        throw new TypeError(`the orchestration returned ${value.call} itself; did you forget yield?`);
      }
      output = encode(value, `return value of orchestration '${this.#identity.orchestrationName}'`);
    } catch (thrown) {
      this.#fail(thrown);
      return;
    }
    this.#end(() => this.#native.complete(output));
  }

  #fail(thrown: unknown): void {
    // What unwinds user code after the end is no failure of it.
    if (this.#stopped) return;
    const failure = failureOf(thrown);
    this.trace(failure.kind === 'Cancelled' ? 'info' : 'warn', `failed: ${failure.details?.stack ?? failure.message}`);
    this.#end(() => this.#native.fail(encodeFailure(failure)));
  }

  #end(say: () => void): void {
    const forgotten = [...this.ledger].map((descriptor) => descriptor.call);
    if (forgotten.length > 0) {
      const calls = [...new Set(forgotten)].join(', ');
      this.trace('warn', `${forgotten.length} descriptor(s) never yielded, so nothing was scheduled: ${calls}`);
    }
    this.#stopped = true;
    say();
  }
}

/** What an iterator's answer says; a hand-made iterator may answer anything. */
function told(result: unknown): { done: boolean; value: unknown } {
  if (typeof result !== 'object' || result === null || isThenable(result)) {
    throw new TypeError(`the iterator of an orchestration must answer { done, value }, not ${kindOf(result)}`);
  }
  const { done, value } = result as IteratorResult<unknown, unknown>;
  return { done: Boolean(done), value };
}

/** Names the kind of a value without running any code of its user. */
function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (types.isPromise(value)) return 'a Promise';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** An async generator answers with promises, which nobody here could wait for. */
function isIterator(value: unknown): value is Iterator<unknown, unknown, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !(Symbol.asyncIterator in value) &&
    typeof (value as { next?: unknown }).next === 'function'
  );
}
