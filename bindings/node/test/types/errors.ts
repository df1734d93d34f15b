// Compiled, never run: fifteen type errors, each on the line that its comment ends. Every other
// line is right. The test asserts that the compilers report these lines and no others.
import { Client, type Descriptor, type OrchestrationContext, Runtime, SqliteProvider, defineActivity, defineOrchestration } from 'duroxide';
import { Charge, Order, Ping, policy } from './contracts.js';

export function* scheduling(ctx: OrchestrationContext) {
  yield* ctx.scheduleActivity(Charge, { orderId: 'o', cents: '5' }); // error: a text for a number
  yield* ctx.scheduleActivity(Charge, { orderId: 'o', cents: 5, cent: 5 }); // error: a misspelt field beside the right ones
  yield* ctx.scheduleActivityOnSession(Charge, { orderId: 'o' }, 's'); // error: a missing field
  yield* ctx.scheduleActivity(Ping); // error: a missing input
  yield* ctx.scheduleActivity(Ping, 'host', { sesionId: 's' }); // error: a misspelt option
  yield* ctx.scheduleActivityWithRetry(Ping, 'host', { maxAttempts: 3, backof: 'fixed' }); // error: a misspelt field of the policy
  yield* ctx.scheduleActivityWithRetryOnSession(Ping, 5, policy, 's'); // error: a number for a text
  yield* ctx.scheduleActivity(Order, { orderId: 'o' }); // error: an orchestration is no activity
  yield* ctx.scheduleSubOrchestrationWithId(Order, 'id', { orderID: 'o' }); // error: a misspelt field
  const at: Date = (yield* ctx.scheduleActivity(Charge, { orderId: 'o', cents: 5 })).at; // error: what was a Date is a string
  const won = yield* ctx.race(ctx.scheduleActivity(Ping, 'host'), ctx.newGuid());
  if (won.index === 0) won.value.toUpperCase(); // error: the first value is a number
  const task: Descriptor<string> = ctx.newGuid();
  return { at, task };
}

export const Wrong = defineOrchestration('Wrong', function* (ctx, input: { checks: number }) {
  return yield* ctx.continueAsNew({ check: input.checks + 1 }); // error: not its own input
});

export const Right = defineActivity<{ a: string }, number>('Right', async (ctx, input) => input.a.length);

export async function operates() {
  const provider = await SqliteProvider.inMemory();
  const runtime = new Runtime(provider, { logLevl: 'info' }); // error: a misspelt option of the Runtime
  runtime.registerOrchestration('Async', async (ctx) => ctx.instanceId); // error: an async function
  const client = new Client(provider);
  await client.startOrchestration('o-1', Order, { orderId: 1 }); // error: a number for a text
  await client.startOrchestration('o-1', Order, { orderId: 'o' });
}
