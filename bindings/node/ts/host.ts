// Runs what the engine hands to this thread: turns and activities, batch by batch.
// Everything belongs to one Runtime; there are no tables outside of it.

import { ActivityContext, type ActivityFacts } from './activity-context.js';
import type { Client } from './client.js';
import { Coroutine, type OrchestrationCode } from './coroutine.js';
import { type Failure, encodeFailure, failureOf } from './failures.js';
import { type Determinism, Places, watcher } from './guard.js';
import { encode, isThenable } from './json.js';
import { type NativeRuntime, addon } from './native.js';
import { type Identity, traceFields } from './orchestration-context.js';

/** The user's function, untyped. @internal */
export type ActivityCode = (ctx: ActivityContext, input: unknown) => unknown;

/** What a Runtime has registered. @internal */
export interface Registrations {
  /** By name, then version. */
  orchestrations: Map<string, Map<string, OrchestrationCode>>;
  activities: Map<string, ActivityCode>;
}

interface TurnJob extends Identity {
  job: 'turn';
  turn: number;
  resident: string;
  /** It brings its history: any resident copy is void. */
  cold: boolean;
}

interface ActivityJob extends ActivityFacts {
  job: 'activity';
  id: number;
  input: unknown;
}

type Job = TurnJob | ActivityJob | { job: 'cancel'; id: number } | { job: 'evict'; resident: string };

/** @internal */
export class Host {
  readonly #registrations: Registrations;
  readonly #client: () => Client;
  readonly #determinism: Determinism;
  readonly #places = new Places();
  readonly #residents = new Map<string, Coroutine>();
  readonly #activities = new Map<number, ActivityContext>();
  #native: NativeRuntime | undefined;

  constructor(registrations: Registrations, client: () => Client, determinism: Determinism = 'warn') {
    this.#registrations = registrations;
    this.#client = client;
    this.#determinism = determinism;
  }

  attach(native: NativeRuntime): void {
    this.#native = native;
  }

  /** Runs everything that is ready; one call from the engine may stand for many jobs. */
  drain(): void {
    const native = this.#native;
    if (native === undefined) return;
    for (const job of JSON.parse(native.drain()) as Job[]) {
      if (job.job === 'turn') this.#turn(native, job);
      else if (job.job === 'activity') this.#activity(native, job);
      else if (job.job === 'cancel') this.#activities.get(job.id)?.cancel();
      else this.#evict(job.resident);
    }
  }

  /** The Runtime is over: forgets every execution, and tells activities that still run. */
  clear(): void {
    for (const resident of this.#residents.keys()) this.#evict(resident);
    for (const context of this.#activities.values()) context.cancel();
  }

  #turn(native: NativeRuntime, job: TurnJob): void {
    try {
      const coroutine = this.#resident(native, job);
      if (coroutine !== undefined && coroutine.runTurn(job.turn)) this.#evict(job.resident);
    } catch (thrown) {
      // A fault of ours, not of user code: this copy cannot be trusted any more.
      this.#evict(job.resident);
      const reason = failureOf(thrown).message;
      addon.trace('orchestration', 'error', JSON.stringify(traceFields(job)), `a turn could not be run: ${reason}`);
      native.refuse(job.turn, reason);
    }
  }

  #resident(native: NativeRuntime, job: TurnJob): Coroutine | undefined {
    if (!job.cold) {
      const resident = this.#residents.get(job.resident);
      if (resident === undefined) native.notResident(job.turn);
      return resident;
    }
    this.#evict(job.resident);
    const code = this.#registrations.orchestrations.get(job.orchestrationName)?.get(job.orchestrationVersion);
    if (code === undefined) {
      native.refuse(job.turn, `'${job.orchestrationName}' ${job.orchestrationVersion} is not registered`);
      return undefined;
    }
    const watched = watcher(this.#determinism, this.#places, job);
    const coroutine = new Coroutine(native.open(job.turn), job, code, watched);
    this.#residents.set(job.resident, coroutine);
    return coroutine;
  }

  #evict(resident: string): void {
    this.#residents.get(resident)?.release();
    this.#residents.delete(resident);
  }

  #activity(native: NativeRuntime, job: ActivityJob): void {
    const context = new ActivityContext(job, () => native.isCancelled(job.id), this.#client);
    this.#activities.set(job.id, context);
    const settle = (say: () => void): void => {
      this.#activities.delete(job.id);
      say();
    };
    const failed = (thrown: unknown): void => {
      const failure = activityFailure(thrown, job);
      const told = `attempt ${job.attempt} failed: ${failure.details?.stack ?? failure.message}`;
      if (native.isCancelled(job.id)) context.traceDebug(told);
      else context.traceWarn(told);
      settle(() => native.failActivity(job.id, encodeFailure(failure)));
    };
    const completed = (value: unknown): void => {
      let output: string;
      try {
        output = encode(value, `return value of activity '${job.activityName}'`);
      } catch (thrown) {
        failed(thrown);
        return;
      }
      settle(() => native.completeActivity(job.id, output));
    };
    try {
      const code = this.#registrations.activities.get(job.activityName);
      if (code === undefined) throw new Error(`activity '${job.activityName}' is not registered`);
      const result = code(context, job.input);
      if (isThenable(result)) result.then(completed, failed);
      else completed(result);
    } catch (thrown) {
      failed(thrown);
    }
  }
}

/** Whatever an activity throws is its user's; a limit or time-out of ours is not meant. */
function activityFailure(thrown: unknown, job: ActivityJob): Failure {
  const failure = failureOf(thrown);
  return {
    ...failure,
    kind: 'Application',
    source: job.activityName,
    attempt: job.attempt,
    details: { ...failure.details, worker: job.workerId },
  };
}
