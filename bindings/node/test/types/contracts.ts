// Compiled, never run: the definitions that the type tests use.
import { type RetryPolicy, defineActivity, defineOrchestration } from 'duroxide';

export interface Payment {
  orderId: string;
  cents: number;
}

/** In and Out follow from the function. */
export const Charge = defineActivity('Charge', async (ctx, input: Payment) => ({
  receipt: `${input.orderId}-${ctx.attempt}`,
  at: new Date(),
}));

/** In and Out are given. */
export const Ping = defineActivity<string, number>('Ping', (_, host) => host.length);

/** It takes no input. */
export const Now = defineActivity('Now', () => Date.now());

export const Order = defineOrchestration(
  'Order',
  function* (ctx, input: { orderId: string; tries?: number }) {
    const { receipt } = yield* ctx.scheduleActivity(Charge, { orderId: input.orderId, cents: 500 });
    if (receipt === '') return yield* ctx.continueAsNew({ orderId: input.orderId, tries: 1 });
    return { receipt, done: new Date() };
  },
  { version: '1.1.0' },
);

export const policy: RetryPolicy = { maxAttempts: 3, backoff: { initialMs: 1, maxMs: 9, factor: 2 }, timeoutMs: 5 };
