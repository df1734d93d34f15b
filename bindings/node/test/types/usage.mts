// Compiled, never run: what TypeScript users write, with the types they get.
import {
  type ActivityContext,
  type AllResult,
  Client,
  type Durable,
  type OrchestrationContext,
  Runtime,
  SqliteProvider,
} from 'duroxide';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function exactly<A, B>(_same: Same<A, B>): void {}

const provider = await SqliteProvider.inMemory();
const client = new Client(provider);
const runtime = new Runtime(provider, { logLevel: 'warn', workerTagFilter: { defaultAnd: ['gpu'] } });

runtime.registerActivity('Greet', async (ctx: ActivityContext, name: string) => `${ctx.attempt}: ${name}`);

function* helper(ctx: OrchestrationContext): Durable<number> {
  return yield* ctx.utcNow();
}

runtime.registerOrchestration('Typed', function* (ctx, input: { name: string }) {
  const greeting = yield* ctx.scheduleActivity<string>('Greet', input.name);
  exactly<typeof greeting, string>(true);
  const untyped = yield ctx.scheduleActivity('Greet', input.name);
  exactly<typeof untyped, unknown>(true);
  const [one, none] = yield* ctx.all([ctx.scheduleActivity<number>('N'), ctx.scheduleTimer(1)]);
  exactly<typeof one, AllResult<number>>(true);
  exactly<typeof none, AllResult<null>>(true);
  const won = yield* ctx.race(ctx.waitForEvent<boolean>('e'), ctx.dequeueEvent<string>('q'));
  exactly<typeof won.value, boolean | string>(true);
  const twin = yield* ctx.scheduleActivityTyped<string>('Greet', input.name).withTag('gpu');
  exactly<typeof twin, string>(true);
  const now = yield* helper(ctx);
  exactly<typeof now, number>(true);
  return { greeting, now };
});

await client.startOrchestration('a', 'Typed', { name: 'x' }, { ifExists: 'error' });
const status = await client.waitForOrchestration<{ now: number }>('a');
exactly<typeof status.output, { now: number } | undefined>(true);
const output = await client.waitForOrchestrationTyped<string>('a');
exactly<typeof output, string>(true);

// @ts-expect-error an option that does not exist
new Runtime(provider, { logLevl: 'info' });
// @ts-expect-error a timer takes a number
runtime.registerOrchestration('Wrong', function* (ctx) { yield* ctx.scheduleTimer('1s'); });
