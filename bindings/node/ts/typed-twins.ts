// The `…Typed` twins of the calls that return descriptors, for code that was written with them.
// Not here: what the calls do (`scheduling.ts`).

import type { Descriptor } from './descriptors.js';
import type { SchedulingContext } from './scheduling.js';

const TWINS = [
  'scheduleActivity',
  'scheduleActivityOnSession',
  'scheduleActivityWithRetry',
  'scheduleActivityWithRetryOnSession',
  'scheduleTimer',
  'waitForEvent',
  'dequeueEvent',
  'scheduleSubOrchestration',
  'scheduleSubOrchestrationWithId',
  'scheduleSubOrchestrationVersioned',
  'scheduleSubOrchestrationVersionedWithId',
  'startOrchestration',
  'startOrchestrationVersioned',
  'continueAsNew',
  'continueAsNewVersioned',
  'all',
  'race',
  'newGuid',
  'utcNow',
  'getValueFromInstance',
] as const;

type Twin = (typeof TWINS)[number];

/** The calls whose result has one type; their twins take it, or a narrower one. */
type Narrowed = 'scheduleTimer' | 'newGuid' | 'utcNow' | 'getValueFromInstance';

/**
 * The twins: `scheduleActivityTyped` and so on. Every call that gives a descriptor has one, with
 * the same behaviour and a type parameter, for code that was written with them.
 */
export type TypedTwins<In = unknown> = {
  [K in Exclude<Twin, Narrowed> as `${K}Typed`]: SchedulingContext<In>[K];
} & {
  /** `scheduleTimer`. */
  scheduleTimerTyped<T extends null = null>(ms: number): Descriptor<T>;
  /** `newGuid`. */
  newGuidTyped<T extends string = string>(): Descriptor<T>;
  /** `utcNow`. */
  utcNowTyped<T extends number = number>(): Descriptor<T>;
  /** `getValueFromInstance`. */
  getValueFromInstanceTyped<T extends string = string>(instanceId: string, key: string): Descriptor<T | null>;
};

/** Gives the prototype of a class below `SchedulingContext` its twins. @internal */
export function addTwins(prototype: SchedulingContext): void {
  for (const name of TWINS) {
    Object.defineProperty(prototype, `${name}Typed`, { value: prototype[name], configurable: true, writable: true });
  }
}
