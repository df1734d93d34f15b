// The options of the Runtime, one by one: what each promises, and what it refuses. Sessions, tags, logs,
// determinism have files of their own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, Runtime } from 'duroxide';
import { evaluated } from './api/evaluated.mjs';
import { folder, started, until } from './helpers.mjs';
import { newStore, openStore, storeIn } from './store.mjs';

const nothing = function* () {};

for (const [option, wrong, expected] of [
  ['orchestrationConcurrency', 1.5, 'an integer from 0 to 65536'],
  ['workerConcurrency', NaN, 'an integer from 0 to 65536'],
  ['dispatcherPollInterval', 0, 'an integer >= 1'],
  ['dispatcherPollIntervalMs', -5, 'an integer >= 1'],
  ['workerLockTimeoutMs', 0, 'an integer >= 1'],
  ['logFormat', 'xml', "one of 'pretty', 'json', 'compact'"],
  ['serviceName', '', 'a non-empty string'],
  ['serviceVersion', 1, 'a non-empty string'],
  ['maxAttempts', 0, 'an integer from 1 to 4294967295'],
  ['unregisteredTimeoutMs', -1, 'an integer >= 0'],
  ['residentInstances', 0, 'an integer >= 1'],
  ['determinism', 'loud', "one of 'throw', 'warn', 'off'"],
]) {
  test(`a wrong ${option} is refused by name`, async (t) => {
    const provider = await newStore();
    t.after(() => provider.close());
    const value = typeof wrong === 'string' ? `'${wrong}'` : wrong;
    assert.throws(() => new Runtime(provider, { [option]: wrong }), {
      name: 'TypeError',
      message: `new Runtime: option '${option}' must be ${expected}, not ${value}`,
    });
    assert.ok(new Runtime(provider, { [option]: undefined }));
  });
}

test('better: an unknown option or a wrong type throws a TypeError that names it and the nearest known one', async (t) => {
  const provider = await newStore();
  t.after(() => provider.close());
  for (const [wrong, nearest] of [
    ['workerConcurency', 'workerConcurrency'],
    ['dispatcherPollIntervalsMs', 'dispatcherPollIntervalMs'],
    ['loglevel', 'logLevel'],
    ['maxSessions', 'maxAttempts'],
  ]) {
    assert.throws(() => new Runtime(provider, { [wrong]: 1 }), {
      name: 'TypeError',
      message: `new Runtime: unknown option '${wrong}'; did you mean '${nearest}'?`,
    });
  }
  assert.throws(() => new Runtime(provider, { workerConcurrency: '8' }), { name: 'TypeError', message: /'workerConcurrency'.*'8'/ });
});

test('workerConcurrency is how many activities run at once', async (t) => {
  let most = 0;
  const running = [];
  const { client } = await started(t, {
    options: { workerConcurrency: 3 },
    activities: {
      Wait: () =>
        new Promise((resolve) => {
          running.push(resolve);
          most = Math.max(most, running.length);
        }),
    },
    orchestrations: {
      Main: function* (ctx) {
        yield ctx.all(Array.from({ length: 9 }, () => ctx.scheduleActivity('Wait')));
      },
    },
  });
  await client.startOrchestration('i', 'Main');
  for (let ended = 0; ended < 9; ended += 3) {
    await until(() => running.length === 3);
    for (const end of running.splice(0)) end();
  }
  await client.waitForOrchestration('i');
  assert.equal(most, 3);
});

test('a concurrency of 0 turns that role off', async (t) => {
  const provider = await newStore();
  t.after(() => provider.close());
  const ran = [];
  const both = (node) => ({
    activities: { A: () => ran.push(`activity on ${node}`) },
    orchestrations: {
      Main: function* (ctx) {
        ran.push(`orchestration on ${node}`);
        yield ctx.scheduleActivity('A');
      },
    },
  });
  const { client } = await started(t, { provider, ...both('orchestrator'), options: { workerConcurrency: 0 } });
  await started(t, { provider, ...both('worker'), options: { orchestrationConcurrency: 0 } });
  for (let n = 0; n < 5; n++) assert.equal((await client.run('Main')).status, 'Completed');
  assert.deepEqual(new Set(ran), new Set(['orchestration on orchestrator', 'activity on worker']));
});

for (const option of ['dispatcherPollInterval', 'dispatcherPollIntervalMs']) {
  test(`work that is announced never waits for ${option}`, async (t) => {
    const store = storeIn(folder(t));
    const open = async () => {
      const provider = await openStore(store);
      t.after(() => provider.close());
      return provider;
    };
    const options = { [option]: 3_600_000 };
    // Two handles on one store: what one writes is news to the other.
    await started(t, { provider: await open(), options, activities: { A: (ctx, n) => n + 1 } });
    const { client } = await started(t, {
      provider: await open(),
      options,
      orchestrations: {
        Main: function* (ctx) {
          const n = yield ctx.scheduleActivity('A', 1);
          yield ctx.scheduleTimer(1);
          return [n, yield ctx.waitForEvent('go')];
        },
      },
    });
    await client.startOrchestration('i', 'Main');
    await new Client(await open()).raiseEvent('i', 'go', 'gone');
    assert.deepEqual(await client.waitForOrchestrationTyped('i'), [2, 'gone']);
  });
}

/** Runs 'Main' in a process of its own; `Kills` and `Dies` end it. Tells the output and what was counted. */
function deadly(store, name) {
  return evaluated(`
    const provider = await openStore(${JSON.stringify(store)});
    const runtime = new d.Runtime(provider, { logLevel: 'off', maxAttempts: 2 });
    runtime.registerActivity('Kills', () => process.kill(process.pid, 'SIGKILL'));
    runtime.registerOrchestration('Dies', function* () { process.kill(process.pid, 'SIGKILL'); });
    runtime.registerOrchestration('Main', function* (ctx) {
      try { yield ctx.scheduleActivity('Kills'); } catch (error) { return [error.name, error.code, error.activityName, error.message]; }
    });
    await runtime.start();
    const client = new d.Client(provider);
    await client.startOrchestration('i', ${JSON.stringify(name)});
    const ended = await client.waitForOrchestration('i');
    // Counted once durable and acknowledged, which may be after the client has seen it.
    await runtime.shutdown();
    console.log(JSON.stringify({ ended, metrics: runtime.metricsSnapshot() }));`);
}

/** What is told once two processes have died of it. */
function afterTwoDeaths(t, name) {
  const store = storeIn(folder(t));
  for (let death = 0; death < 2; death++) {
    const { signal, stdout, stderr } = deadly(store, name);
    assert.equal(signal, 'SIGKILL', stdout + stderr);
  }
  const { status, stdout, stderr } = deadly(store, name);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

test('an activity whose process dies in every run is poison after maxAttempts, and the orchestration can catch it', async (t) => {
  const { ended, metrics } = afterTwoDeaths(t, 'Main');
  const [name, code, activity, message] = ended.output;
  assert.deepEqual([name, code, activity], ['ActivityError', 'POISON', 'Kills']);
  assert.match(message, /2/);
  assert.deepEqual([metrics.activityPoison, metrics.orchPoison, metrics.orchCompletions], [1, 0, 1]);
});

test('a turn whose process dies in every run is poison after maxAttempts, and fails its instance', async (t) => {
  const { ended, metrics } = afterTwoDeaths(t, 'Dies');
  assert.deepEqual([ended.status, ended.errorDetails.code], ['Failed', 'POISON']);
  assert.deepEqual([metrics.orchPoison, metrics.orchFailures, metrics.activityPoison], [1, 1, 0]);
});

test('calls of the store that fail are counted', async (t) => {
  const { provider, runtime, client } = await started(t, { options: { logLevel: 'off' }, orchestrations: { Main: nothing } });
  await client.run('Main');
  assert.equal(runtime.metricsSnapshot().providerErrors, 0);
  await provider.close();
  await until(() => runtime.metricsSnapshot().providerErrors > 0);
});

test('missing names never count as attempts', async (t) => {
  const { client, provider } = await started(t, {
    options: { maxAttempts: 1 },
    orchestrations: {
      Main: function* (ctx) {
        return yield ctx.scheduleActivity('Late');
      },
    },
  });
  await client.startOrchestration('i', 'Main');
  for (let node = 0; node < 3; node++) {
    const { runtime } = await started(t, { provider, options: { maxAttempts: 1 }, activities: { Another: () => 1 } });
    await runtime.shutdown();
  }
  await started(t, { provider, options: { maxAttempts: 1 }, activities: { Late: (ctx) => ctx.attempt } });
  assert.equal(await client.waitForOrchestrationTyped('i'), 1);
});

test('metrics count each kind of end in its own counter', async (t) => {
  const { client, runtime } = await started(t, {
    options: { unregisteredTimeoutMs: 50 },
    activities: { Fail: () => { throw new Error('no'); } },
    orchestrations: {
      Fails: function* (ctx) { yield ctx.scheduleActivity('Fail'); },
      Missing: function* (ctx) { yield ctx.scheduleActivity('Nobody'); },
      Chain: function* (ctx, n) { if (n < 3) yield ctx.continueAsNew(n + 1); },
      Parent: function* (ctx) { yield ctx.scheduleSubOrchestration('Chain', 3); },
    },
  });
  assert.deepEqual(new Set(Object.values(runtime.metricsSnapshot())), new Set([0]));
  await client.run('Fails');
  await client.run('Missing');
  await client.run('Chain', 1);
  await client.run('Parent');
  const counted = await until(() => {
    const snapshot = runtime.metricsSnapshot();
    return snapshot.orchCompletions + snapshot.orchFailures === 5 && snapshot;
  });
  const { orchDispatcherItemsFetched, workerDispatcherItemsFetched, ...rest } = counted;
  assert.ok(orchDispatcherItemsFetched > 0 && workerDispatcherItemsFetched >= 0);
  assert.deepEqual(rest, {
    orchStarts: 5,
    orchCompletions: 3,
    orchFailures: 2,
    orchApplicationErrors: 1,
    orchInfrastructureErrors: 0,
    orchConfigurationErrors: 1,
    orchPoison: 0,
    activitySuccess: 0,
    activityAppErrors: 1,
    activityInfraErrors: 0,
    activityConfigErrors: 1,
    activityPoison: 0,
    orchContinueAsNew: 2,
    suborchestrationCalls: 1,
    providerErrors: 0,
  });
});

test('with metrics off there is no snapshot', async (t) => {
  const { client, runtime } = await started(t, { options: { metrics: false }, orchestrations: { Main: nothing } });
  await client.run('Main');
  assert.equal(runtime.metricsSnapshot(), null);
});

test('the first Runtime’s log settings hold for the process, a differing later one is told so in a WARN', () => {
  const { stderr } = evaluated(`
    const provider = await newStore();
    const first = { logLevel: 'info', logFormat: 'json', serviceName: 'svc', serviceVersion: '1.2' };
    for (const [n, options] of [first, { logLevel: 'debug', logFormat: 'compact' }, first, undefined].entries()) {
      const runtime = new d.Runtime(provider, options);
      runtime.registerOrchestration('O', function* (ctx) { ctx.traceDebug('too quiet'); ctx.traceInfo('O says'); });
      await runtime.start();
      const client = new d.Client(provider);
      await client.startOrchestration('i' + n, 'O');
      await client.waitForOrchestration('i' + n);
      await runtime.shutdown();
    }`);
  const lines = stderr.trim().split('\n').map((line) => JSON.parse(line));
  const messages = lines.map(({ fields }) => fields.message);
  assert.equal(messages.filter((message) => message === 'O says').length, 4);
  assert.equal(messages.includes('too quiet'), false);
  const warnings = lines.filter(({ level }) => level === 'WARN').map(({ fields }) => fields.message);
  assert.equal(warnings.length, 1, stderr);
  assert.match(warnings[0], /logLevel and logFormat of a later Runtime are ignored/);
  const services = lines.filter(({ fields }) => fields.service_name).map(({ fields }) => [fields.service_name, fields.service_version]);
  assert.deepEqual(services, [['svc', '1.2'], ['svc', '1.2']]);
});
