// What of an error is in the log, and that a store which goes away is an error and no crash.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DuroxideError } from 'duroxide';
import { evaluated } from './api/evaluated.mjs';
import { kinds, started, until } from './helpers.mjs';
import { newStore } from './store.mjs';

/** Runs one orchestration O in a process of its own; gives its log as JSON lines, and its stdout. */
function logged(code, options = {}) {
  const ran = evaluated(`
      const provider = await newStore();
      const runtime = new d.Runtime(provider, ${JSON.stringify({ logFormat: 'json', ...options })});
      runtime.registerActivity('Fails', function failing() { throw new Error('no bolts'); });
      runtime.registerOrchestration('O', ${code});
      await runtime.start();
      const client = new d.Client(provider);
      await client.startOrchestration('i', 'O');
      await client.waitForOrchestration('i');
      await runtime.shutdown();`);
  assert.equal(ran.status, 0, ran.stderr);
  return { stdout: ran.stdout, lines: ran.stderr.split('\n').filter(Boolean).map((line) => JSON.parse(line)) };
}

test('the stack of a failed activity and of a failed orchestration goes to the log, with its fields, on stderr', () => {
  const { stdout, lines } = logged(`function* thrower(ctx) {
    try { yield ctx.scheduleActivity('Fails'); } catch { throw new TypeError('gave up'); }
  }`);
  assert.equal(stdout, '');
  const [activity, orchestration] = ['duroxide::activity', 'duroxide::orchestration'].map((wanted) => {
    return lines.find(({ target, level }) => target === wanted && level === 'WARN').fields;
  });
  assert.match(activity.message, /^attempt 1 failed: Error: no bolts\n +at failing/);
  assert.deepEqual([activity.instance_id, activity.activity_name], ['i', 'Fails']);
  assert.match(orchestration.message, /^failed: TypeError: gave up\n +at thrower/);
  assert.deepEqual([orchestration.instance_id, orchestration.orchestration_name], ['i', 'O']);
});

test('a failure that is replayed is logged once', () => {
  const code = `function* (ctx) {
    try { yield ctx.scheduleActivity('Fails'); } catch {}
    for (let n = 0; n < 3; n++) yield ctx.scheduleTimer(1);
    throw new Error('at the end');
  }`;
  const { lines } = logged(code, { residentInstances: 1 });
  const told = lines.filter(({ level }) => level === 'WARN').map(({ fields }) => fields.message.split('\n')[0]);
  assert.deepEqual(told, ['attempt 1 failed: Error: no bolts', 'failed: Error: at the end']);
});

test('a descriptor that was never yielded is warned of at the end, by the call that made it', () => {
  const { lines } = logged(`function* (ctx) { ctx.scheduleActivity('Fails'); ctx.scheduleTimer(1); ctx.scheduleTimer(2); }`);
  const [told] = lines.filter(({ level }) => level === 'WARN').map(({ fields }) => fields.message);
  assert.equal(told, '3 descriptor(s) never yielded, so nothing was scheduled: ctx.scheduleActivity, ctx.scheduleTimer');
});

test('the line of a Runtime’s start has the service’s name and version and the worker’s name', () => {
  const { lines } = logged('function* () {}', { serviceName: 'shop', serviceVersion: '1.2.3', workerNodeId: 'pod-1' });
  const { fields } = lines.find(({ fields: { message } }) => message === 'a Runtime takes work');
  assert.deepEqual([fields.service_name, fields.service_version, fields.worker_node_id], ['shop', '1.2.3', 'pod-1']);
});

test('a provider that is closed under a running Runtime fails calls with a code, and the shutdown still ends', async (t) => {
  const provider = await newStore();
  const { client, runtime } = await started(t, {
    provider,
    options: { logLevel: 'off' },
    activities: { Stays: (ctx) => new Promise((resolve) => ctx.signal.addEventListener('abort', resolve)) },
    orchestrations: {
      *Main(ctx) {
        yield ctx.scheduleActivity('Stays');
      },
    },
  });
  await client.startOrchestration('i', 'Main');
  await until(async () => (await kinds(client, 'i')).includes('ActivityScheduled'));
  const closed = (error) => error instanceof DuroxideError && error.code === 'STORE_UNUSABLE';
  const waiting = assert.rejects(client.waitForOrchestration('i'), closed);
  await provider.close();
  await waiting;
  await assert.rejects(client.getOrchestrationStatus('i'), closed);
  await assert.rejects(client.startOrchestration('j', 'Main'), closed);
  await runtime.shutdown(50);
});
