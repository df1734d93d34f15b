// Compiled, never run: what is declared once is checked wherever it is used.
import { expectTypeOf } from 'expect-type';
import {
  type ActivityDefinition,
  Client,
  type Durable,
  type Jsonify,
  type OrchestrationContext,
  type OrchestrationDefinition,
  Runtime,
  SqliteProvider,
  defineActivity,
  defineOrchestration,
} from 'duroxide';
import { Charge, Now, Order, type Payment, Ping, policy } from './contracts.js';

// What a definition is.
expectTypeOf(Charge).toEqualTypeOf<ActivityDefinition<Payment, { receipt: string; at: Date }>>();
expectTypeOf(Ping).toEqualTypeOf<ActivityDefinition<string, number>>();
expectTypeOf(Now).toEqualTypeOf<ActivityDefinition<unknown, number>>();
expectTypeOf(Order).toEqualTypeOf<
  OrchestrationDefinition<{ orderId: string; tries?: number }, { receipt: string; done: Date }>
>();
expectTypeOf(Order.version).toEqualTypeOf<string>();
expectTypeOf(defineActivity('X', async (ctx, input: { a: string }) => 1)).toEqualTypeOf<
  ActivityDefinition<{ a: string }, number>
>();
expectTypeOf(defineOrchestration<{ a: string }, number>('X', function* (ctx, input) {
  expectTypeOf(input).toEqualTypeOf<{ a: string }>();
  expectTypeOf(ctx).toEqualTypeOf<OrchestrationContext<{ a: string }>>();
  return yield* ctx.utcNow();
})).toEqualTypeOf<OrchestrationDefinition<{ a: string }, number>>();
// `yield` compiles too; what it gives is untyped.
expectTypeOf(defineOrchestration('X', function* (ctx) {
  const receipt = yield ctx.scheduleActivity(Charge, { orderId: 'o', cents: 1 });
  expectTypeOf(receipt).toBeAny();
  const text: string = yield ctx.newGuid();
  return text;
})).toEqualTypeOf<OrchestrationDefinition<unknown, string>>();
// An arrow function that calls a generator; no output.
function* quiet(ctx: OrchestrationContext) {
  yield* ctx.scheduleTimer(1);
}
const Quiet = defineOrchestration('Quiet', (ctx, days: number) => quiet(ctx));
expectTypeOf(Quiet).toEqualTypeOf<OrchestrationDefinition<number, void>>();

// Every scheduling call takes them.
type Charged = { receipt: string; at: string };
type Ordered = { receipt: string; done: string };
export function* scheduling(ctx: OrchestrationContext) {
  const payment = { orderId: 'o', cents: 1 };
  expectTypeOf(yield* ctx.scheduleActivity(Charge, payment)).toEqualTypeOf<Charged>();
  expectTypeOf(yield* ctx.scheduleActivity(Charge, payment, { tag: 'gpu', sessionId: 's' })).toEqualTypeOf<Charged>();
  expectTypeOf(yield* ctx.scheduleActivity(Charge, payment).withTag('gpu')).toEqualTypeOf<Charged>();
  expectTypeOf(yield* ctx.scheduleActivityTyped(Charge, payment)).toEqualTypeOf<Charged>();
  expectTypeOf(yield* ctx.scheduleActivity(Ping, 'host')).toEqualTypeOf<number>();
  expectTypeOf(yield* ctx.scheduleActivity(Now)).toEqualTypeOf<number>();
  expectTypeOf(yield* ctx.scheduleActivityOnSession(Charge, payment, 's')).toEqualTypeOf<Charged>();
  expectTypeOf(yield* ctx.scheduleActivityWithRetry(Charge, payment, policy)).toEqualTypeOf<Charged>();
  expectTypeOf(yield* ctx.scheduleActivityWithRetry(Charge, payment, policy).withTag('gpu')).toEqualTypeOf<Charged>();
  expectTypeOf(yield* ctx.scheduleActivityWithRetryOnSession(Charge, payment, policy, 's')).toEqualTypeOf<Charged>();
  const order = { orderId: 'o' };
  expectTypeOf(yield* ctx.scheduleSubOrchestration(Order, order)).toEqualTypeOf<Ordered>();
  expectTypeOf(yield* ctx.scheduleSubOrchestrationWithId(Order, 'id', order)).toEqualTypeOf<Ordered>();
  expectTypeOf(yield* ctx.scheduleSubOrchestrationVersioned(Order, Order.version, order)).toEqualTypeOf<Ordered>();
  expectTypeOf(yield* ctx.scheduleSubOrchestrationVersionedWithId(Order, '1.1.0', 'id', order)).toEqualTypeOf<Ordered>();
  expectTypeOf(yield* ctx.scheduleSubOrchestration(Quiet, 1)).toEqualTypeOf<null>();
  expectTypeOf(yield* ctx.startOrchestration(Order, 'id', order)).toEqualTypeOf<null>();
  expectTypeOf(yield* ctx.startOrchestrationVersioned(Order, '1.1.0', 'id', order)).toEqualTypeOf<null>();
  expectTypeOf(yield* ctx.startOrchestrationTyped(Order, 'id', order)).toEqualTypeOf<null>();
}

// Helpers may be generic; the input that may be undefined may be left out.
export function* traced<I, O>(ctx: OrchestrationContext, activity: ActivityDefinition<I, O>, input: I): Durable<Jsonify<O>> {
  ctx.traceInfo(activity.name);
  return yield* ctx.scheduleActivity(activity, input, { tag: 'traced' });
}
export function* optional(ctx: OrchestrationContext) {
  const Maybe = defineActivity('Maybe', (_, input: { a: number } | undefined) => input?.a ?? 0);
  expectTypeOf(yield* ctx.scheduleActivity(Maybe)).toEqualTypeOf<number>();
  expectTypeOf(yield* ctx.scheduleActivity(Maybe, { a: 1 })).toEqualTypeOf<number>();
  expectTypeOf(yield* ctx.scheduleActivity(Maybe, undefined, { tag: 'gpu' })).toEqualTypeOf<number>();
  expectTypeOf(yield* traced(ctx, Charge, { orderId: 'o', cents: 1 })).toEqualTypeOf<Charged>();
}

// Its own input is what an orchestration goes on with; another version's type can be named.
defineOrchestration('Monitor', function* (ctx, input: { checks: number }) {
  if (input.checks > 9) yield* ctx.continueAsNew<{ total: number }>({ total: 1 });
  if (input.checks > 8) yield* ctx.continueAsNewVersioned<{ total: number }>({ total: 1 }, '2.0.0');
  return yield* ctx.continueAsNew({ checks: input.checks + 1 });
});

// The Runtime and the Client take them.
export async function main() {
  const provider = await SqliteProvider.inMemory();
  const runtime = new Runtime(provider);
  runtime.registerActivity(Charge);
  runtime.registerActivityTyped(Ping);
  runtime.registerOrchestration(Order);
  runtime.registerOrchestrationTyped(Quiet);

  const client = new Client(provider);
  await client.startOrchestration('o-1', Order, { orderId: 'o' }, { ifExists: 'error' });
  await client.startOrchestrationTyped('o-1', Order, { orderId: 'o', tries: 1 });
  await client.startOrchestrationVersioned('o-1', Order, { orderId: 'o' }, Order.version);
  const ended = await client.waitForOrchestration('o-1', Order, 1_000);
  expectTypeOf(ended.output).toEqualTypeOf<Ordered | undefined>();
  expectTypeOf(await client.waitForOrchestrationTyped('o-1', Order)).toEqualTypeOf<Ordered>();
  expectTypeOf((await client.getStatus('o-1', Order)).output).toEqualTypeOf<Ordered | undefined>();
}
