// The calls of `ctx` that return descriptors: activities, timers, events, children, groups.
// Not here: calls that act at once (`orchestration-context.ts`), and how descriptors settle.

import {
  type ActivityDefinition,
  type InputArguments,
  type OrchestrationDefinition,
  activityName,
  orchestrationName,
} from './define.js';
import {
  ActivityDescriptor,
  type AllResults,
  Descriptor,
  type Leaf,
  type Ledger,
  type RaceResult,
  type Tasks,
  every,
  firstOf,
  one,
} from './descriptors.js';
import { encode } from './json.js';
import type { Jsonify } from './jsonify.js';
import { anyText, argument, checked, semver, text } from './options.js';
import { type Policy, type RetryPolicy, policyOf } from './retry.js';

/** Where an activity runs. */
export interface ActivityOptions {
  /** All activities of one session run on one Runtime, while it lives. Non-empty. */
  sessionId?: string | undefined;
  /** Routes the activity to Runtimes that take this tag (`workerTagFilter`); at most 256 bytes. */
  tag?: string | undefined;
}

const LONGEST_TIMER = Number.MAX_SAFE_INTEGER;

type GivenActivity = string | ActivityDefinition<never, unknown>;
type GivenOrchestration = string | OrchestrationDefinition<never, unknown>;

/** What is to be run as a child, or started. */
interface Wanted {
  orchestration: GivenOrchestration;
  version?: string;
  input: unknown;
}

/**
 * The calls of an orchestration's `ctx` that return descriptors; nothing happens until one is
 * yielded. What runs is named by a string, or by what `defineActivity` or `defineOrchestration`
 * gave: then the input is checked and the result has its type. Inputs are stored as JSON; what
 * JSON cannot hold throws a `TypeError` at the call, what breaks a limit a `LimitError`.
 */
export abstract class SchedulingContext<In = unknown> {
  readonly #ledger: Ledger;

  /** @internal */
  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /**
   * Runs an activity. It runs at least once; its result is recorded exactly once. Its failure is
   * thrown as an `ActivityError`.
   *
   * ```ts
   * const greeting = yield* ctx.scheduleActivity<string>('SayHello', 'World');
   * ```
   */
  scheduleActivity<T = any>(name: string, input?: unknown, options?: ActivityOptions): ActivityDescriptor<T>;
  /**
   * Runs an activity with its types checked.
   *
   * ```ts
   * const { receipt } = yield* ctx.scheduleActivity(Charge, { orderId: 'o-1', cents: 500 });
   * ```
   */
  scheduleActivity<I, O>(
    activity: ActivityDefinition<I, O>,
    ...input: InputArguments<I, [options?: ActivityOptions]>
  ): ActivityDescriptor<Jsonify<O>>;
  scheduleActivity(activity: GivenActivity, input?: unknown, options?: ActivityOptions): ActivityDescriptor<unknown> {
    return this.#activity('ctx.scheduleActivity', activity, input, options);
  }

  /**
   * Runs an activity on the Runtime that owns the session, so that the activities of one session
   * share caches, connections and locks.
   */
  scheduleActivityOnSession<T = any>(name: string, input: unknown, sessionId: string): ActivityDescriptor<T>;
  /** Runs an activity on the Runtime that owns the session, with its types checked. */
  scheduleActivityOnSession<I, O>(
    activity: ActivityDefinition<I, O>,
    input: NoInfer<I>,
    sessionId: string,
  ): ActivityDescriptor<Jsonify<O>>;
  scheduleActivityOnSession(activity: GivenActivity, input: unknown, sessionId: string): ActivityDescriptor<unknown> {
    const call = 'ctx.scheduleActivityOnSession';
    argument(call, 'sessionId', sessionId, text);
    return this.#activity(call, activity, input, { sessionId });
  }

  /**
   * Runs an activity, and again while it fails, as the policy says. When no attempt is left the last
   * error is thrown: an `ActivityError`, or a `TimeoutError` if the last attempt took too long. In
   * the activity `ctx.attempt` counts the attempts.
   *
   * ```ts
   * const rate = yield* ctx.scheduleActivityWithRetry<number>('FetchRate', 'EUR', {
   *   maxAttempts: 5,
   *   timeoutMs: 2_000,
   * });
   * ```
   *
   * @throws TypeError for an unknown or missing field of the policy or one of the wrong type,
   *   RangeError for a number out of its range
   */
  scheduleActivityWithRetry<T = any>(name: string, input: unknown, policy: RetryPolicy): ActivityDescriptor<T>;
  /** Runs an activity, and again while it fails, with its types checked. */
  scheduleActivityWithRetry<I, O>(
    activity: ActivityDefinition<I, O>,
    input: NoInfer<I>,
    policy: RetryPolicy,
  ): ActivityDescriptor<Jsonify<O>>;
  scheduleActivityWithRetry(activity: GivenActivity, input: unknown, policy: RetryPolicy): ActivityDescriptor<unknown> {
    const call = 'ctx.scheduleActivityWithRetry';
    return this.#activity(call, activity, input, undefined, policyOf(call, policy));
  }

  /** `scheduleActivityWithRetry` with all attempts on the Runtime that owns the session. */
  scheduleActivityWithRetryOnSession<T = any>(
    name: string,
    input: unknown,
    policy: RetryPolicy,
    sessionId: string,
  ): ActivityDescriptor<T>;
  /** The same with its types checked. */
  scheduleActivityWithRetryOnSession<I, O>(
    activity: ActivityDefinition<I, O>,
    input: NoInfer<I>,
    policy: RetryPolicy,
    sessionId: string,
  ): ActivityDescriptor<Jsonify<O>>;
  scheduleActivityWithRetryOnSession(
    activity: GivenActivity,
    input: unknown,
    policy: RetryPolicy,
    sessionId: string,
  ): ActivityDescriptor<unknown> {
    const call = 'ctx.scheduleActivityWithRetryOnSession';
    argument(call, 'sessionId', sessionId, text);
    return this.#activity(call, activity, input, { sessionId }, policyOf(call, policy));
  }

  /**
   * Waits this many milliseconds, across restarts: never less, and more only when no Runtime runs.
   *
   * ```ts
   * yield* ctx.scheduleTimer(24 * 60 * 60 * 1000); // a day
   * ```
   *
   * @param ms finite and >= 0; a fraction is rounded up
   * @throws RangeError for anything else
   */
  scheduleTimer(ms: number): Descriptor<null> {
    if (typeof ms !== 'number' || !Number.isFinite(ms) || ms < 0) {
      throw new RangeError(`ctx.scheduleTimer: the delay must be a finite number of milliseconds >= 0, not ${String(ms)}`);
    }
    return this.#leaf('ctx.scheduleTimer', { Timer: { delay_ms: Math.min(Math.ceil(ms), LONGEST_TIMER) } });
  }

  /**
   * Waits for an event that the Client raises for this instance, and gives its data. One raised
   * before this call is kept, also across continue-as-new; a wait that lost a race takes none.
   *
   * ```ts
   * const { approved } = yield* ctx.waitForEvent<{ approved: boolean }>('approval');
   * ```
   */
  waitForEvent<T = any>(name: string): Descriptor<T> {
    argument('ctx.waitForEvent', 'the event name', name, text);
    return this.#leaf('ctx.waitForEvent', { Mail: { channel: 'Event', name } });
  }

  /** Waits for the next message of one of this instance's queues, first in, first out. */
  dequeueEvent<T = any>(queue: string): Descriptor<T> {
    argument('ctx.dequeueEvent', 'the queue name', queue, text);
    return this.#leaf('ctx.dequeueEvent', { Mail: { channel: 'Queue', name: queue } });
  }

  /**
   * Runs another orchestration as a child, in its latest version, under an id of the engine's
   * (`parent::sub::N`), and gives its output. Its failure is thrown as a `SubOrchestrationError`.
   */
  scheduleSubOrchestration<T = any>(name: string, input?: unknown): Descriptor<T>;
  /** Runs a child with its types checked; in the latest version, whatever that of the definition. */
  scheduleSubOrchestration<I, O>(
    orchestration: OrchestrationDefinition<I, O>,
    ...input: InputArguments<I>
  ): Descriptor<Jsonify<O>>;
  scheduleSubOrchestration(orchestration: GivenOrchestration, input?: unknown): Descriptor<unknown> {
    return this.#child('ctx.scheduleSubOrchestration', { orchestration, input }, null);
  }

  /** Runs a child under an id of one's own, which is used as it is; ids that hold `::sub::` are reserved. */
  scheduleSubOrchestrationWithId<T = any>(name: string, instanceId: string, input?: unknown): Descriptor<T>;
  /** The same with its types checked. */
  scheduleSubOrchestrationWithId<I, O>(
    orchestration: OrchestrationDefinition<I, O>,
    instanceId: string,
    ...input: InputArguments<I>
  ): Descriptor<Jsonify<O>>;
  scheduleSubOrchestrationWithId(orchestration: GivenOrchestration, instanceId: string, input?: unknown): Descriptor<unknown> {
    const call = 'ctx.scheduleSubOrchestrationWithId';
    argument(call, 'the instance id', instanceId, text);
    return this.#child(call, { orchestration, input }, instanceId);
  }

  /** Runs a child in the given version of its code. */
  scheduleSubOrchestrationVersioned<T = any>(name: string, version: string, input?: unknown): Descriptor<T>;
  /** The same with its types checked; for that of the definition, pass its `version`. */
  scheduleSubOrchestrationVersioned<I, O>(
    orchestration: OrchestrationDefinition<I, O>,
    version: string,
    ...input: InputArguments<I>
  ): Descriptor<Jsonify<O>>;
  scheduleSubOrchestrationVersioned(orchestration: GivenOrchestration, version: string, input?: unknown): Descriptor<unknown> {
    const call = 'ctx.scheduleSubOrchestrationVersioned';
    argument(call, 'the version', version, semver);
    return this.#child(call, { orchestration, version, input }, null);
  }

  /** Runs a child in the given version, under an id of one's own. */
  scheduleSubOrchestrationVersionedWithId<T = any>(
    name: string,
    version: string,
    instanceId: string,
    input?: unknown,
  ): Descriptor<T>;
  /** The same with its types checked; for that of the definition, pass its `version`. */
  scheduleSubOrchestrationVersionedWithId<I, O>(
    orchestration: OrchestrationDefinition<I, O>,
    version: string,
    instanceId: string,
    ...input: InputArguments<I>
  ): Descriptor<Jsonify<O>>;
  scheduleSubOrchestrationVersionedWithId(
    orchestration: GivenOrchestration,
    version: string,
    instanceId: string,
    input?: unknown,
  ): Descriptor<unknown> {
    const call = 'ctx.scheduleSubOrchestrationVersionedWithId';
    argument(call, 'the version', version, semver);
    argument(call, 'the instance id', instanceId, text);
    return this.#child(call, { orchestration, version, input }, instanceId);
  }

  /**
   * Starts an orchestration that nobody waits for, in its latest version; gives null at once. It is
   * a root of its own, not cancelled with this one. An id that exists is left alone.
   *
   * ```ts
   * yield* ctx.startOrchestration('InstanceMonitor', `monitor-${vm}`, { vm });
   * ```
   */
  startOrchestration<I = unknown>(name: string, instanceId: string, input?: I): Descriptor<null>;
  /** The same with its types checked; in the latest version, whatever that of the definition. */
  startOrchestration<I, O>(
    orchestration: OrchestrationDefinition<I, O>,
    instanceId: string,
    ...input: InputArguments<I>
  ): Descriptor<null>;
  startOrchestration(orchestration: GivenOrchestration, instanceId: string, input?: unknown): Descriptor<null> {
    return this.#detached('ctx.startOrchestration', { orchestration, input }, instanceId);
  }

  /** Starts an orchestration that nobody waits for, in the given version. */
  startOrchestrationVersioned<I = unknown>(name: string, version: string, instanceId: string, input?: I): Descriptor<null>;
  /** The same with its types checked; for that of the definition, pass its `version`. */
  startOrchestrationVersioned<I, O>(
    orchestration: OrchestrationDefinition<I, O>,
    version: string,
    instanceId: string,
    ...input: InputArguments<I>
  ): Descriptor<null>;
  startOrchestrationVersioned(
    orchestration: GivenOrchestration,
    version: string,
    instanceId: string,
    input?: unknown,
  ): Descriptor<null> {
    const call = 'ctx.startOrchestrationVersioned';
    argument(call, 'the version', version, semver);
    return this.#detached(call, { orchestration, version, input }, instanceId);
  }

  /**
   * Ends this execution and goes on as a new one with a fresh history, in the latest version of
   * the code. Never resumes. Status, values, queues and events that nobody took carry over. In
   * `defineOrchestration` the input must be one of this orchestration; to go on with the input of
   * another version, name its type: `ctx.continueAsNew<NewInput>(…)`.
   *
   * ```ts
   * return yield* ctx.continueAsNew({ checks: input.checks + 1 });
   * ```
   */
  continueAsNew<I = In>(...input: InputArguments<I>): Descriptor<never> {
    const call = 'ctx.continueAsNew';
    return this.#leaf(call, { ContinueAsNew: { input: encode(input[0], call), version: null } });
  }

  /** `continueAsNew` in the given version of the code. */
  continueAsNewVersioned<I = unknown>(input: I, version: string): Descriptor<never> {
    const call = 'ctx.continueAsNewVersioned';
    argument(call, 'the version', version, semver);
    return this.#leaf(call, { ContinueAsNew: { input: encode(input, call), version } });
  }

  /**
   * Waits for every task, and gives what became of each, in order: `{ ok }` or `{ err, error }`.
   * Never throws. Takes any number of descriptors of every kind, `all` and `race` among them.
   *
   * ```ts
   * const results = yield* ctx.all(input.items.map((item) => ctx.scheduleActivity(ProcessItem, item)));
   * const done = results.filter((result) => result.err === undefined).length;
   * ```
   */
  all<T extends readonly unknown[] | []>(tasks: Tasks<T>): Descriptor<AllResults<T>> {
    if (!Array.isArray(tasks)) throw new TypeError('ctx.all: the tasks must be an array of descriptors');
    return new Descriptor('ctx.all', this.#ledger, every('ctx.all', tasks as readonly Descriptor<unknown>[]));
  }

  /**
   * Waits for the first task to settle and cancels the others. Gives its index and value; throws
   * if that one failed. Takes at least one descriptor, of every kind.
   *
   * ```ts
   * const won = yield* ctx.race(ctx.scheduleActivity(Fast, 1), ctx.scheduleTimer(5_000));
   * return won.index === 0 ? won.value : 'timed out';
   * ```
   */
  race<T extends readonly unknown[]>(...tasks: Tasks<T>): Descriptor<RaceResult<T>> {
    if (tasks.length === 0) throw new TypeError('ctx.race: at least one task is needed');
    return new Descriptor('ctx.race', this.#ledger, firstOf('ctx.race', tasks as readonly Descriptor<unknown>[]));
  }

  /** A new random guid (v4), the same on every replay. */
  newGuid(): Descriptor<string> {
    return this.#leaf('ctx.newGuid', 'NewGuid');
  }

  /** The time, in ms since 1970, of what is processed now; the same on every replay. */
  utcNow(): Descriptor<number> {
    return this.#leaf('ctx.utcNow', 'UtcNow');
  }

  /** Reads a value of another instance; null if it has none under that key. */
  getValueFromInstance(instanceId: string, key: string): Descriptor<string | null> {
    const call = 'ctx.getValueFromInstance';
    argument(call, 'the instance id', instanceId, text);
    argument(call, 'the key', key, anyText);
    const input = JSON.stringify([instanceId, key]);
    return this.#leaf(call, {
      Activity: { name: 'duroxide::value-from-instance', input, session: null, tag: null },
    });
  }

  #leaf<T>(call: string, leaf: Leaf): Descriptor<T> {
    return new Descriptor<T>(call, this.#ledger, one(leaf));
  }

  #activity(
    call: string,
    activity: GivenActivity,
    input: unknown,
    options: ActivityOptions | undefined,
    policy?: Policy,
  ): ActivityDescriptor<unknown> {
    const name = activityName(call, activity);
    const { sessionId, tag } = checked<ActivityOptions>(call, options, { sessionId: text, tag: text });
    const leaf = {
      Activity: {
        name,
        input: encode(input, `${call}('${name}')`),
        session: sessionId ?? null,
        tag: tag ?? null,
      },
    };
    return new ActivityDescriptor(call, this.#ledger, leaf, policy);
  }

  #child(call: string, wanted: Wanted, instance: string | null): Descriptor<unknown> {
    return this.#leaf(call, { Child: { ...orchestrationOf(call, wanted), instance } });
  }

  #detached(call: string, wanted: Wanted, instance: string): Descriptor<null> {
    argument(call, 'the instance id', instance, text);
    return this.#leaf(call, { Detached: { ...orchestrationOf(call, wanted), instance } });
  }
}

function orchestrationOf(call: string, { orchestration, version, input }: Wanted) {
  const name = orchestrationName(call, orchestration);
  return { name, version: version ?? null, input: encode(input, `${call}('${name}')`) };
}
