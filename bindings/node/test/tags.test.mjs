// Tags: what each form of workerTagFilter takes and leaves, in one process and in several.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_TAG_NAME_BYTES, MAX_WORKER_TAGS, Runtime } from 'duroxide';
import { BOUNDED, world } from './api/nodes.mjs';
import { started, until } from './helpers.mjs';
import { newStore } from './store.mjs';

const TAGS = [null, 'a', 'b', 'c'];

/** Runs an activity for each tag; gives who ran each. */
const Main = function* (ctx) {
  const results = yield ctx.all(TAGS.map((tag) => ctx.scheduleActivity('Where', tag, { tag: tag ?? undefined })));
  return results.map(({ ok }) => ok);
};

for (const [shown, workerTagFilter, takes] of [
  ['absent', undefined, [null]],
  ["'defaultOnly'", 'defaultOnly', [null]],
  ["'any'", 'any', TAGS],
  ["'none'", 'none', []],
  ['{ tags: [a, b] }', { tags: ['a', 'b'] }, ['a', 'b']],
  ['{ tags: [] }', { tags: [] }, []],
  ['{ defaultAnd: [b] }', { defaultAnd: ['b'] }, [null, 'b']],
]) {
  test(`a workerTagFilter that is ${shown} takes ${JSON.stringify(takes)} and leaves the rest`, async (t) => {
    const provider = await newStore();
    t.after(() => provider.close());
    const { client } = await started(t, { provider, options: { workerConcurrency: 0 }, orchestrations: { Main } });
    const ran = [];
    await started(t, {
      provider,
      options: { workerTagFilter },
      activities: {
        Where: (ctx, tag) => {
          ran.push(ctx.tag());
          return `first ran ${tag}`;
        },
      },
    });
    await client.startOrchestration('i', 'Main');
    await until(() => ran.length === takes.length);
    await started(t, {
      provider,
      options: { workerTagFilter: 'any' },
      activities: { Where: (ctx, tag) => `second ran ${tag}` },
    });
    const by = await client.waitForOrchestrationTyped('i');
    assert.deepEqual(by, TAGS.map((tag) => `${takes.includes(tag) ? 'first' : 'second'} ran ${tag}`));
    assert.deepEqual(new Set(ran), new Set(takes));
  });
}

test('tags route to the process that takes them, and wait for one that starts later', BOUNDED, async (t) => {
  const { client, start } = await world(t, { Main });
  await start('plain');
  await start('ab', { workerTagFilter: { tags: ['a', 'b'] } });
  await client.startOrchestration('i', 'Main');
  const done = async () => (await client.readExecutionHistory('i', 1)).filter(({ kind }) => kind === 'ActivityCompleted');
  await until(async () => (await done()).length === 3);
  await start('c', { workerTagFilter: { defaultAnd: ['c'] } });
  const by = await client.waitForOrchestrationTyped('i');
  assert.deepEqual(by.map(({ node, tag }) => [node, tag]), [['plain', null], ['ab', 'a'], ['ab', 'b'], ['c', 'c']]);
});

test('withTag sets the tag and returns the same object, until it is yielded', async (t) => {
  const { client } = await started(t, {
    options: { workerTagFilter: 'any' },
    activities: { Where: (ctx) => ctx.tag() },
    orchestrations: {
      Main: function* (ctx) {
        const policy = { maxAttempts: 1 };
        const tasks = [
          ctx.scheduleActivity('Where'),
          ctx.scheduleActivity('Where', null, { tag: 'replaced' }),
          ctx.scheduleActivityOnSession('Where', null, 's'),
          ctx.scheduleActivityWithRetry('Where', null, policy),
          ctx.scheduleActivityWithRetryOnSession('Where', null, policy, 's'),
        ];
        const same = tasks.every((task) => task.withTag('x') === task);
        return [same, (yield ctx.all(tasks)).map(({ ok }) => ok)];
      },
    },
  });
  assert.deepEqual((await client.run('Main')).output, [true, Array(5).fill('x')]);
});

test('a wrong filter or tag is refused by name', async (t) => {
  const provider = await newStore();
  t.after(() => provider.close());
  const most = Array.from({ length: MAX_WORKER_TAGS }, (_, n) => `t${n}`);
  assert.ok(new Runtime(provider, { workerTagFilter: { tags: most } }));
  assert.ok(new Runtime(provider, { workerTagFilter: { defaultAnd: ['é'.repeat(MAX_TAG_NAME_BYTES / 2)] } }));
  for (const wrong of [
    'all',
    { tags: [...most, 'one more'] },
    { defaultAnd: [...most, 'one more'] },
    { tags: 'a' },
    { tags: [1] },
    { tags: ['a'], defaultAnd: ['b'] },
    {},
    { tags: [''] },
    { tags: ['é'.repeat(MAX_TAG_NAME_BYTES / 2 + 1)] },
  ]) {
    assert.throws(() => new Runtime(provider, { workerTagFilter: wrong }), { name: 'TypeError', message: /^new Runtime: option 'workerTagFilter' must be / }, JSON.stringify(wrong));
  }
  const long = 'x'.repeat(MAX_TAG_NAME_BYTES + 1);
  const { client } = await started(t, {
    orchestrations: {
      Main: function* (ctx) {
        const told = [];
        for (const call of [
          () => ctx.scheduleActivity('Where', null, { tag: '' }),
          () => ctx.scheduleActivity('Where').withTag(7),
          () => ctx.scheduleActivity('Where', null, { tag: long }),
          () => ctx.scheduleActivity('Where').withTag(long),
        ]) {
          try {
            yield call();
          } catch (error) {
            told.push(`${error.name}: ${error.message}`);
          }
        }
        return told;
      },
    },
  });
  const [empty, number, ...tooLong] = (await client.run('Main')).output;
  assert.equal(empty, "TypeError: ctx.scheduleActivity: option 'tag' must be a non-empty string, not ''");
  assert.equal(number, 'TypeError: withTag: the tag must be a non-empty string, not 7');
  assert.equal(tooLong.length, 2);
  for (const message of tooLong) assert.match(message, /^LimitError: .*256/);
});
