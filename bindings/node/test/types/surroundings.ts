// Compiled, never run: what the examples in the documentation comments take for granted.
import {
  type Client,
  type OrchestrationContext,
  type OrchestrationFunction,
  type Runtime,
  type SqliteProvider,
  defineActivity,
  defineOrchestration,
} from 'duroxide';

export { readFile } from 'node:fs/promises';
export { default as assert } from 'node:assert';
export { Charge, Order } from './contracts.js';

export declare const provider: SqliteProvider;
export declare const runtime: Runtime;
export declare const client: Client;
export declare const ctx: OrchestrationContext;
export declare const input: { checks: number; items: number[] };
export declare const vm: string;
export declare const orderCode: OrchestrationFunction;
export declare function pay(orderId: string, cents: number): Promise<string>;
export declare function use(value: number): void;

export const A = defineActivity('A', (_, n: number) => n);
export const B = defineActivity('B', (_, n: number) => n);
export const Fast = defineActivity('Fast', (_, n: number) => n);
export const ProcessItem = defineActivity('ProcessItem', (_, n: number) => n);
export const Render = defineActivity('Render', (_, { n }: { n: number }) => n);
export const SayHello = defineActivity('SayHello', (_, name: string) => `Hello, ${name}!`);
export const HelloWorkflow = defineOrchestration('HelloWorkflow', function* (ctx, input: { name: string }) {
  return yield* ctx.scheduleActivity(SayHello, input.name);
});
