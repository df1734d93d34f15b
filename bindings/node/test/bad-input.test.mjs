// Wrong input: each a clear error naming the value, none a crash, nothing lost. Not here: what only SQLite or
// only PostgreSQL can be given (sqlite.test.mjs, postgres.test.mjs).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, Runtime } from 'duroxide';
import { evaluated } from './api/evaluated.mjs';
import { started } from './helpers.mjs';
import { newStore } from './store.mjs';

const memory = async (t) => {
  const provider = await newStore();
  t.after(() => provider.close());
  return provider;
};

const generator = function* () {};

test('a wrong option is refused with its name and the nearest known one', async (t) => {
  const provider = await memory(t);
  for (const [options, message] of [
    [{ logLevl: 'info' }, "new Runtime: unknown option 'logLevl'; did you mean 'logLevel'?"],
    [{ workerConcurency: 1 }, "new Runtime: unknown option 'workerConcurency'; did you mean 'workerConcurrency'?"],
    [{ workerConcurrency: '8' }, "new Runtime: option 'workerConcurrency' must be an integer from 0 to 65536, not '8'"],
    [{ workerConcurrency: -1 }, "new Runtime: option 'workerConcurrency' must be an integer from 0 to 65536, not -1"],
    [{ orchestrationConcurrency: 2 ** 40 }, /option 'orchestrationConcurrency' must be an integer from 0 to 65536, not 1099511627776/],
    [{ maxAttempts: 2 ** 40 }, /option 'maxAttempts' must be an integer from 1 to 4294967295, not 1099511627776/],
    [{ workerNodeId: 'pod \ud800' }, /option 'workerNodeId' holds half of a surrogate pair: "pod \\ud800"/],
    [{ logLevel: 'loud' }, /option 'logLevel' must be one of .*'info'.*, not 'loud'/],
    [{ metrics: 1 }, "new Runtime: option 'metrics' must be a boolean, not 1"],
    [{ workerTagFilter: { tag: ['a'] } }, /option 'workerTagFilter' must be .*not an object/],
    [5, 'new Runtime: the options must be an object, not 5'],
    [{ dispatcherPollInterval: 1, dispatcherPollIntervalMs: 2 }, /are the same option and differ/],
  ]) {
    assert.throws(() => new Runtime(provider, options), { name: 'TypeError', message });
  }
  assert.ok(new Runtime(provider, { logLevel: undefined }));
});

test('a provider that is none is refused', () => {
  assert.throws(() => new Runtime({}), { name: 'TypeError', message: /new Runtime: the provider/ });
  assert.throws(() => new Client('sqlite:x'), { name: 'TypeError', message: /new Client: the provider/ });
});

test('wrong registrations throw at once and name what is wrong', async (t) => {
  const provider = await memory(t);
  const runtime = new Runtime(provider, { logLevel: 'error' });
  runtime.registerActivity('A', () => 1);
  runtime.registerOrchestration('A', generator);
  runtime.registerOrchestrationVersioned('A', '1.0.1', generator);
  for (const [register, message] of [
    [() => runtime.registerActivity('A', () => 2), /activity 'A' is registered already/],
    [() => runtime.registerOrchestration('A', generator), /orchestration 'A' version 1\.0\.0 is registered already/],
    [() => runtime.registerOrchestrationVersioned('A', '1.0.1', generator), /version 1\.0\.1 is registered already/],
    [() => runtime.registerOrchestrationVersioned('A', '1.0', generator), /must be a semver .* not '1\.0'/],
    [() => runtime.registerOrchestration('B', async () => {}), /'B' must be a generator function/],
    [() => runtime.registerOrchestration('B', async function* () {}), /'B' must be a generator function/],
    [() => runtime.registerOrchestration('B', 5), /'B' must be a function, not number/],
    [() => runtime.registerActivity('B', null), /'B' must be a function, not null/],
    [() => runtime.registerActivity('', () => 1), /the name of the activity must be a non-empty string, not ''/],
    [() => runtime.registerActivity(7, () => 1), /must be a non-empty string, not 7/],
    [() => runtime.registerActivity('é'.repeat(200), () => 1), /longer than 256 bytes/],
  ]) {
    assert.throws(register, { message });
  }
  await runtime.start();
  t.after(() => runtime.shutdown());
  assert.throws(() => runtime.registerActivity('C', () => 1), { code: 'RUNTIME_STATE', message: /'C' must be registered before start/ });
  assert.throws(() => runtime.registerOrchestration('C', generator), { code: 'RUNTIME_STATE' });
  await assert.rejects(runtime.start(), { code: 'RUNTIME_STATE' });
});

test('a closed provider refuses calls with a clear error', async (t) => {
  const provider = await newStore();
  const client = new Client(provider);
  await provider.close();
  await assert.rejects(client.startOrchestration('i', 'X'), { code: 'STORE_UNUSABLE' });
  await assert.rejects(new Runtime(provider, { logLevel: 'off' }).start(), { code: 'STORE_UNUSABLE' });
});

test('wrong arguments of a client are refused with the call’s name', async (t) => {
  const { client } = await started(t, { orchestrations: { Main: generator } });
  const cycle = {};
  cycle.self = cycle;
  for (const [call, message] of [
    [() => client.startOrchestration('', 'Main'), /client\.startOrchestration: the instance id/],
    [() => client.startOrchestration('i', ''), /client\.startOrchestration: the orchestration name/],
    [() => client.startOrchestration('i', 'Main', 10n), /client\.startOrchestration\('i'\): .*BigInt/],
    [() => client.startOrchestration('i', 'Main', cycle), /client\.startOrchestration\('i'\): .*circular/],
    [() => client.raiseEvent('i', 'e', cycle), /client\.raiseEvent\('i', 'e'\)/],
    [() => client.startOrchestration('i', 'Main', 1, { ifExist: 'error' }), /did you mean 'ifExists'/],
    [() => client.startOrchestrationVersioned('i', 'Main', 1, 'one'), /startOrchestrationVersioned: the version must be a semver such as '1\.0\.0', not 'one'/],
    [() => client.startOrchestration('a::sub::1', 'Main'), /a::sub::1/],
    [() => client.waitForOrchestration('i', 'soon'), /the time-out must be .*not 'soon'/],
    [() => client.listInstancesByStatus('Done'), /the status must be one of/],
    [() => client.startOrchestration('half \ud83d', 'Main'), /the instance id holds half of a surrogate pair: "half \\ud83d"/],
    [() => client.deleteInstanceBulk({ completedBefore: 1e300 }), /'completedBefore' must be a time .*not 1e\+300/],
  ]) {
    await assert.rejects(call(), { message });
  }
  assert.deepEqual(await client.listAllInstances(), []);
});

test('what a client may not send so large is a LimitError that names the call', async (t) => {
  const client = new Client(await memory(t));
  const most = 16 * 2 ** 20;
  for (const [call, message] of [
    [client.startOrchestration('i'.repeat(3000), 'A'), /^client\.startOrchestration: the instance id `i+…` has 3000 bytes, at most \d+ are allowed$/],
    [client.startOrchestration('i', 'A'.repeat(300)), /^client\.startOrchestration: the orchestration name .* has 300 bytes, at most 256/],
    [client.startOrchestrationVersioned('i', 'A', 'x'.repeat(most), '1.0.0'), /^client\.startOrchestrationVersioned: the input has \d+ bytes/],
    [client.raiseEvent('i', 'e'.repeat(300)), /^client\.raiseEvent: the event name .* at most 256/],
    [client.enqueueEvent('i', 'q', 'x'.repeat(most)), /^client\.enqueueEvent: the event data has \d+ bytes/],
  ]) {
    await assert.rejects(call, { name: 'LimitError', code: 'LIMIT', message });
  }
  assert.deepEqual(await client.listAllInstances(), []);
});

test('an instance with a bad input fails alone', async (t) => {
  const { client } = await started(t, {
    activities: { Echo: (ctx, x) => x },
    orchestrations: {
      Main: function* (ctx, input) {
        return yield ctx.scheduleActivity('Echo', input.name.first);
      },
    },
  });
  await client.startOrchestration('bad', 'Main', null);
  await client.startOrchestration('good', 'Main', { name: { first: 'Ada' } });
  assert.equal((await client.waitForOrchestration('bad')).status, 'Failed');
  assert.equal((await client.waitForOrchestration('good')).output, 'Ada');
});

test('nothing is ever written to stdout', () => {
  const run = evaluated(`
      const provider = await newStore();
      const runtime = new d.Runtime(provider, { logLevel: 'trace' });
      runtime.registerActivity('A', (ctx) => { ctx.traceInfo('from the activity'); });
      runtime.registerOrchestration('O', function* (ctx) {
        ctx.scheduleTimer(1);
        ctx.traceInfo('from the orchestration');
        yield ctx.scheduleActivity('A');
      });
      await runtime.start();
      const client = new d.Client(provider);
      await client.startOrchestration('i', 'O');
      await client.waitForOrchestration('i');
      await runtime.shutdown();`);
  assert.deepEqual([run.status, run.stdout], [0, '']);
  for (const said of [/from the activity/, /from the orchestration/, /WARN .*ctx\.scheduleTimer/]) assert.match(run.stderr, said);
  assert.equal(run.stderr.match(/from the orchestration/g).length, 1);
});
