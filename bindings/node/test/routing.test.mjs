// Which Runtime runs what: tags, sessions; and instances that do not fit into memory.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { started, until } from './helpers.mjs';
import { newStore } from './store.mjs';

test('a tagged activity runs where its tag is taken', async (t) => {
  const provider = await newStore();
  const where = (name) => ({ Where: (ctx) => [name, ctx.tag()] });
  const { client } = await started(t, {
    provider,
    activities: where('plain'),
    orchestrations: {
      Main: function* (ctx) {
        return [
          yield ctx.scheduleActivity('Where'),
          yield ctx.scheduleActivity('Where').withTag('gpu'),
          yield ctx.scheduleActivity('Where', null, { tag: 'gpu' }),
        ];
      },
    },
  });
  await started(t, { provider, activities: where('gpu'), options: { workerTagFilter: { tags: ['gpu'] } } });
  assert.deepEqual((await client.run('Main')).output, [['plain', null], ['gpu', 'gpu'], ['gpu', 'gpu']]);
});

test('all activities of a session run on one Runtime', async (t) => {
  const provider = await newStore();
  const { client } = await started(t, {
    provider,
    options: { workerConcurrency: 0 },
    orchestrations: {
      Main: function* (ctx) {
        const session = yield ctx.newGuid();
        const tasks = Array.from({ length: 20 }, (_, n) => ctx.scheduleActivityOnSession('Where', n, session));
        const results = yield ctx.all(tasks);
        return { session, workers: results.map(({ ok }) => ok) };
      },
    },
  });
  for (const name of ['one', 'two']) {
    await started(t, { provider, activities: { Where: (ctx) => [name, ctx.sessionId] }, options: { workerNodeId: name } });
  }
  const { session, workers } = (await client.run('Main')).output;
  assert.equal(new Set(workers.map(([name]) => name)).size, 1);
  assert.deepEqual(new Set(workers.map(([, id]) => id)), new Set([session]));
});

test('instances that were dropped from memory go on from their history', async (t) => {
  let replays = 0;
  const { client } = await started(t, {
    options: { residentInstances: 1 },
    activities: { Echo: (ctx, n) => n },
    orchestrations: {
      Main: function* (ctx, n) {
        replays += 1;
        const seen = [];
        for (let i = 0; i < 3; i++) {
          seen.push(yield ctx.waitForEvent('go'), yield ctx.scheduleActivity('Echo', n));
        }
        return seen;
      },
    },
  });
  const ids = Array.from({ length: 10 }, (_, n) => `i${n}`);
  for (const [n, id] of ids.entries()) await client.startOrchestration(id, 'Main', n);
  // Each of them waits, so most have been dropped.
  for (const id of ids) await until(async () => (await client.getOrchestrationStatus(id)).waitingFor === "event 'go'");
  for (const round of ['a', 'b', 'c']) {
    for (const id of ids) {
      await client.raiseEvent(id, 'go', round);
    }
  }
  for (const [n, id] of ids.entries()) {
    assert.deepEqual(await client.waitForOrchestrationTyped(id), ['a', n, 'b', n, 'c', n]);
  }
  assert.ok(replays > ids.length, `${replays} starts of the function`);
});
