// Compiled, never run: what `replay` of duroxide/testing takes and gives.
import { defineOrchestration, Client, type OrchestrationContext } from 'duroxide';
import { replay, type ReplayResult } from 'duroxide/testing';
declare const client: Client;
const Order = defineOrchestration('Order', function* (ctx, input: { id: string }) {
  return yield* ctx.scheduleActivity<string>('Charge', input.id);
});
function* plain(ctx: OrchestrationContext, input: { a: number }) {
  const x = yield* ctx.scheduleTimer(input.a);
  return x;
}
const rows = await client.readExecutionHistory('i', 1);
const result: ReplayResult = replay(rows, [Order, { name: 'Plain', version: '1.0.0', gen: plain }]);
replay(rows, Order);
replay(rows, { Plain: plain, Inline: function* (ctx) { yield* ctx.scheduleTimer(1); } });
replay(rows, { name: 'Plain', gen: plain }, { values: { a: 'b' }, customStatus: null });
if (result.compatible) { const n: number = result.events; void n; } else { const s: string = result.expected; void s; }
// @ts-expect-error values are strings
replay(rows, Order, { values: { a: 1 } });
// @ts-expect-error a number is no function
replay(rows, { Plain: 5 });
