// Compiled, never run: registering by name, options, and the Client by id.
import { expectTypeOf } from 'expect-type';
import {
  type ActivityContext,
  Client,
  type Descriptor,
  type InstanceInfo,
  type OrchestrationContext,
  type OrchestrationStatus,
  type PostgresOptions,
  PostgresProvider,
  Runtime,
  SqliteProvider,
  defineActivity,
  defineOrchestration,
} from 'duroxide';

// Definitions of different types stand in one list.
export function registersLists(runtime: Runtime) {
  const Length = defineActivity('Length', (ctx, text: string) => text.length);
  const Now = defineActivity('Now', async () => new Date());
  for (const activity of [Length, Now]) runtime.registerActivity(activity);
  const Measures = defineOrchestration('Measures', function* (ctx, text: string) {
    return yield* ctx.scheduleActivity(Length, text);
  });
  const Loops = defineOrchestration('Loops', function* (ctx, round: { n: number }) {
    return yield* ctx.continueAsNew({ n: round.n + 1 });
  });
  for (const orchestration of [Measures, Loops]) runtime.registerOrchestration(orchestration);
}

// A name takes any generator: untyped, typed with yield, with yield*, through an arrow.
export function registers(runtime: Runtime) {
  runtime.registerOrchestration('Untyped', function* (ctx, input) {
    expectTypeOf(ctx).toEqualTypeOf<OrchestrationContext>();
    expectTypeOf(input).toBeAny();
    const greeting = yield ctx.scheduleActivity('SayHello', input.name);
    expectTypeOf(greeting).toBeAny();
    return greeting;
  });
  runtime.registerOrchestration('Annotated', function* (ctx, input: { state?: number }) {
    yield ctx.continueAsNew();
    return input.state;
  });
  runtime.registerOrchestration('ByYield', byYield);
  runtime.registerOrchestration('ByBoth', byBoth);
  runtime.registerOrchestration('ByHand', (ctx, input: number) => byBoth(ctx, input));
  runtime.registerOrchestration<{ a: string }, number>('Given', function* (ctx, { a }) {
    expectTypeOf(a).toEqualTypeOf<string>();
    return yield* ctx.utcNow();
  });
  runtime.registerOrchestrationTyped<number, string>('Twin', byBoth);
  runtime.registerOrchestrationVersioned('ByYield', '1.0.1', byYield);
  runtime.registerOrchestrationVersionedTyped<number, string>('Twin', '1.0.1', byBoth);

  runtime.registerActivity('SayHello', async (ctx, name: string) => {
    expectTypeOf(ctx).toEqualTypeOf<ActivityContext>();
    expectTypeOf(ctx.signal).toEqualTypeOf<AbortSignal>();
    expectTypeOf(ctx.getClient()).toEqualTypeOf<Client>();
    return `Hello, ${name}!`;
  });
  runtime.registerActivity('Sync', () => 1);
  runtime.registerActivityTyped<string, number>('Twin', (ctx, text) => text.length);
}

function* byYield(ctx: OrchestrationContext, input: { host: string }): Generator<Descriptor<unknown>, string, string> {
  const text = yield ctx.scheduleActivity('A', input.host);
  return text.toUpperCase();
}

function* byBoth(ctx: OrchestrationContext, input: number) {
  const text: string = yield ctx.scheduleActivity('A', input);
  return text + (yield* ctx.scheduleActivity<string>('B'));
}

export async function connects(ca: Uint8Array) {
  const provider = await PostgresProvider.connect('postgres://h/d');
  new Runtime(provider);
  expectTypeOf(provider.close()).toEqualTypeOf<Promise<void>>();
  expectTypeOf(provider.backup('file')).toEqualTypeOf<Promise<never>>();
  const options: PostgresOptions = { maxConnections: 5, acquireTimeoutMs: undefined, ssl: true };
  for (const ssl of [{ ca }, { ca: 'PEM', rejectUnauthorized: true }, { mode: 'verify-ca' as const }]) {
    await PostgresProvider.connectWithSchema('postgres://h/d', 'app', { ...options, ssl });
  }
  // @ts-expect-error no such mode
  await PostgresProvider.connect('postgres://h/d', { ssl: { mode: 'always' } });
  // @ts-expect-error the schema is missing
  await PostgresProvider.connectWithSchema('postgres://h/d');
}

export async function operates() {
  const provider = await SqliteProvider.open('sqlite:app.db', { durability: 'process' });
  const metrics = new Runtime(provider, {
    logLevel: undefined,
    workerTagFilter: { defaultAnd: ['gpu'] },
    determinism: 'throw',
  }).metricsSnapshot();
  expectTypeOf(metrics?.orchStarts).toEqualTypeOf<number | undefined>();

  const client = new Client(provider);
  await client.startOrchestration('i', 'O');
  await client.startOrchestration('i', 'O', { a: 1 }, { ifExists: 'ignore' });
  await client.startOrchestrationTyped<{ a: number }>('i', 'O', { a: 1 });
  await client.startOrchestrationVersioned('i', 'O', undefined, '1.0.0');
  await client.startOrchestrationVersionedTyped<number>('i', 'O', 1, '1.0.0');
  await client.raiseEventTyped<boolean>('i', 'e', true);
  await client.enqueueEventTyped<boolean>('i', 'q', true);
  expectTypeOf(await client.waitForOrchestration('i', 1)).toEqualTypeOf<OrchestrationStatus>();
  expectTypeOf((await client.waitForOrchestration<{ n: 1 }>('i')).output).toEqualTypeOf<{ n: 1 } | undefined>();
  expectTypeOf(await client.waitForOrchestrationTyped<string>('i', 1)).toEqualTypeOf<string>();
  expectTypeOf((await client.getStatus('i')).output).toBeUnknown();
  expectTypeOf(await client.waitForStatusChange('i', 0, 100, 30_000)).toEqualTypeOf<OrchestrationStatus | null>();
  expectTypeOf(await client.getValue('i', 'k')).toEqualTypeOf<string | null>();
  expectTypeOf(await client.getKvAllValues('i')).toEqualTypeOf<Record<string, string>>();
  expectTypeOf(await client.waitForValue('i', 'k')).toEqualTypeOf<string>();
  expectTypeOf(await client.getInstanceInfo('i')).toEqualTypeOf<InstanceInfo | null>();
  await client.cancelInstance('i', 'reason');
  await client.deleteInstance('i', true);
  await client.deleteInstance('i', { force: true });
  await client.deleteInstance('i', { force: undefined });
  await client.deleteInstanceBulk({ instanceIds: ['i'], completedBefore: 1, limit: undefined });
  await client.pruneExecutionsBulk({ limit: 1 }, { keepLast: 1 });
}
