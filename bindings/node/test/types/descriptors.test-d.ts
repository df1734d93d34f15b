// Compiled, never run: what `yield*` gives for each call, and what a call by name alone gives.
import { expectTypeOf } from 'expect-type';
import { type AllResult, type Descriptor, type Durable, type OrchestrationContext, type Result, type RetryPolicy } from 'duroxide';
import { Charge, Ping } from './contracts.js';

const policy: RetryPolicy = { maxAttempts: 1 };

// By name: with a type argument that one, without any.
export function* named(ctx: OrchestrationContext) {
  expectTypeOf(yield* ctx.scheduleActivity('A')).toBeAny();
  expectTypeOf(yield* ctx.scheduleActivity<string>('A', 1, { tag: undefined })).toEqualTypeOf<string>();
  expectTypeOf(yield* ctx.scheduleActivityTyped<string>('A').withTag('gpu')).toEqualTypeOf<string>();
  expectTypeOf(yield* ctx.scheduleActivityOnSession('A', 1, 's')).toBeAny();
  expectTypeOf(yield* ctx.scheduleActivityOnSession<string>('A', 1, 's')).toEqualTypeOf<string>();
  expectTypeOf(yield* ctx.scheduleActivityWithRetry('A', 1, policy)).toBeAny();
  expectTypeOf(yield* ctx.scheduleActivityWithRetry<string>('A', 1, policy)).toEqualTypeOf<string>();
  expectTypeOf(yield* ctx.scheduleActivityWithRetryOnSession<string>('A', 1, policy, 's')).toEqualTypeOf<string>();
  expectTypeOf(yield* ctx.waitForEvent('e')).toBeAny();
  expectTypeOf(yield* ctx.waitForEvent<boolean>('e')).toEqualTypeOf<boolean>();
  expectTypeOf(yield* ctx.dequeueEvent('q')).toBeAny();
  expectTypeOf(yield* ctx.dequeueEvent<string>('q')).toEqualTypeOf<string>();
  expectTypeOf(yield* ctx.scheduleSubOrchestration('O')).toBeAny();
  expectTypeOf(yield* ctx.scheduleSubOrchestration<string>('O', 1)).toEqualTypeOf<string>();
  expectTypeOf(yield* ctx.scheduleSubOrchestrationWithId<string>('O', 'id', 1)).toEqualTypeOf<string>();
  expectTypeOf(yield* ctx.scheduleSubOrchestrationVersioned<string>('O', '1.0.0')).toEqualTypeOf<string>();
  expectTypeOf(yield* ctx.scheduleSubOrchestrationVersionedWithId<string>('O', '1.0.0', 'id')).toEqualTypeOf<string>();
  expectTypeOf(yield* ctx.startOrchestration('O', 'id', { a: 1 })).toEqualTypeOf<null>();
  expectTypeOf(yield* ctx.startOrchestrationVersioned('O', '1.0.0', 'id')).toEqualTypeOf<null>();
}

// The others have one type.
export function* fixed(ctx: OrchestrationContext) {
  expectTypeOf(yield* ctx.scheduleTimer(1)).toEqualTypeOf<null>();
  expectTypeOf(yield* ctx.newGuid()).toEqualTypeOf<string>();
  expectTypeOf(yield* ctx.utcNow()).toEqualTypeOf<number>();
  expectTypeOf(yield* ctx.getValueFromInstance('id', 'key')).toEqualTypeOf<string | null>();
  expectTypeOf(ctx.continueAsNew()).toEqualTypeOf<Descriptor<never>>();
  expectTypeOf(ctx.continueAsNewVersioned(1, '1.0.0')).toEqualTypeOf<Descriptor<never>>();
  expectTypeOf(yield* ctx.scheduleTimerTyped(1)).toEqualTypeOf<null>();
  expectTypeOf(yield* ctx.newGuidTyped<'a' | 'b'>()).toEqualTypeOf<'a' | 'b'>();
  expectTypeOf(yield* ctx.utcNowTyped()).toEqualTypeOf<number>();
  expectTypeOf(yield* ctx.waitForEventTyped<boolean>('e')).toEqualTypeOf<boolean>();
  expectTypeOf(yield* ctx.startOrchestrationTyped<{ a: number }>('O', 'id', { a: 1 })).toEqualTypeOf<null>();
}

export function* all(ctx: OrchestrationContext, hosts: readonly string[]) {
  const [charged, none, event] = yield* ctx.all([
    ctx.scheduleActivity(Charge, { orderId: 'o', cents: 1 }),
    ctx.scheduleTimer(1),
    ctx.waitForEvent<boolean>('e'),
  ]);
  expectTypeOf(charged).toEqualTypeOf<AllResult<{ receipt: string; at: string }>>();
  expectTypeOf(none).toEqualTypeOf<AllResult<null>>();
  expectTypeOf(event).toEqualTypeOf<AllResult<boolean>>();
  if (charged.err === undefined) expectTypeOf(charged.ok.at).toEqualTypeOf<string>();
  else expectTypeOf(charged.error.code).toEqualTypeOf<string>();

  const pings = hosts.map((host) => ctx.scheduleActivity(Ping, host));
  expectTypeOf(yield* ctx.all(pings)).toEqualTypeOf<AllResult<number>[]>();
  expectTypeOf(yield* ctx.all([ctx.newGuid(), ...pings])).toEqualTypeOf<[AllResult<string>, ...AllResult<number>[]]>();
  const fixedTasks = [ctx.newGuid(), ctx.utcNow()] as const;
  expectTypeOf(yield* ctx.all(fixedTasks)).toEqualTypeOf<[AllResult<string>, AllResult<number>]>();
  expectTypeOf(yield* ctx.all([])).toEqualTypeOf<[]>();
  const claimed = ctx.allTyped<[string, number]>([ctx.scheduleActivity('A'), ctx.scheduleActivity('B')]);
  expectTypeOf(yield* claimed).toEqualTypeOf<[AllResult<string>, AllResult<number>]>();
}

export function* race(ctx: OrchestrationContext, hosts: readonly string[]) {
  const won = yield* ctx.race(ctx.scheduleActivity(Ping, 'host'), ctx.scheduleTimer(1), ctx.newGuid());
  expectTypeOf(won).toEqualTypeOf<
    | { readonly index: 0; readonly value: number }
    | { readonly index: 1; readonly value: null }
    | { readonly index: 2; readonly value: string }
  >();
  if (won.index === 0) expectTypeOf(won.value).toEqualTypeOf<number>();
  else if (won.index === 2) expectTypeOf(won.value).toEqualTypeOf<string>();

  const pings = hosts.map((host) => ctx.scheduleActivity(Ping, host));
  expectTypeOf(yield* ctx.race(...pings)).toEqualTypeOf<{ readonly index: number; readonly value: number }>();
  const mixed = yield* ctx.race(ctx.scheduleTimer(1), ...pings);
  expectTypeOf(mixed).toEqualTypeOf<{ readonly index: number; readonly value: number | null }>();
  const claimed = yield* ctx.raceTyped<[string, null]>(ctx.scheduleActivity('A'), ctx.scheduleTimer(1));
  if (claimed.index === 0) expectTypeOf(claimed.value).toEqualTypeOf<string>();
}

// They nest.
export function* nested(ctx: OrchestrationContext) {
  const [won, both] = yield* ctx.all([
    ctx.race(ctx.utcNow(), ctx.newGuid()),
    ctx.all([ctx.utcNow(), ctx.scheduleActivity(Ping, 'host')]),
  ]);
  if (won.err === undefined && won.ok.index === 1) expectTypeOf(won.ok.value).toEqualTypeOf<string>();
  if (both.err === undefined) expectTypeOf(both.ok).toEqualTypeOf<[AllResult<number>, AllResult<number>]>();
}

// A helper generator, with yield* and with yield.
function* helper(ctx: OrchestrationContext, host: string): Durable<number> {
  const guid = yield ctx.newGuid();
  expectTypeOf(guid).toBeAny();
  return yield* ctx.scheduleActivity(Ping, host);
}
export function* caller(ctx: OrchestrationContext): Durable<string> {
  expectTypeOf(yield* helper(ctx, 'host')).toEqualTypeOf<number>();
  return yield* ctx.newGuid();
}

expectTypeOf<Result<Descriptor<string>>>().toEqualTypeOf<string>();
