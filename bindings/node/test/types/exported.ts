// Compiled, never run: what a user's module exports without writing its types. The test compiles it
// where there is neither `@types/node` nor `lib.dom`, and reads the declarations that come of it.
import { type ActivityDefinition, type Client, type OrchestrationContext, Runtime, SqliteProvider, defineActivity, defineOrchestration } from 'duroxide';

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

export interface Category {
  name: string;
  since: Date;
  parts: Category[];
}

export const Load = defineActivity('Load', async (ctx, name: string): Promise<Category> => {
  return { name: ctx.signal === undefined ? '' : name, since: new Date(), parts: [] };
});
export const Charge = defineActivity('Charge', (_, cents: number) => ({ receipt: `r-${cents}`, at: new Date() }));
export const Parse = defineActivity('Parse', (_, text: string): Json => JSON.parse(text));

export const Charged = defineOrchestration('Charged', function* (ctx, cents: number) {
  return yield* ctx.scheduleActivity(Charge, cents);
});
export const Loaded = defineOrchestration('Loaded', function* (ctx, name: string) {
  return yield* ctx.scheduleActivity(Load, name);
});
export const Parsed = defineOrchestration('Parsed', function* (ctx, text: string) {
  return yield* ctx.scheduleActivity(Parse, text);
});
export const Parent = defineOrchestration('Parent', function* (ctx) {
  return yield* ctx.all([ctx.scheduleSubOrchestration(Charged, 1), ctx.scheduleSubOrchestration(Loaded, 'a')]);
});
export const parent = (client: Client) => client.waitForOrchestrationTyped('p-1', Parent);

export function* traced<O>(ctx: OrchestrationContext, activity: ActivityDefinition<string, O>) {
  ctx.traceInfo(activity.name);
  return yield* ctx.scheduleActivity(activity, 'input');
}

export async function main() {
  await using provider = await SqliteProvider.inMemory();
  await using runtime = new Runtime(provider);
  runtime.registerActivity(Charge);
}
