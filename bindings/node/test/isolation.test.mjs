// Two Runtimes in one process share nothing; two stores with the same ids share nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { folder, started } from './helpers.mjs';
import { newStore, openStore, storeIn } from './store.mjs';

const says = (word) => ({
  activities: { Say: () => word },
  orchestrations: {
    Main: function* (ctx) {
      return [word, yield ctx.scheduleActivity('Say')];
    },
  },
});

test('the same names and ids in two stores run their own Runtime’s code', async (t) => {
  const dir = folder(t);
  const worlds = [];
  for (const word of ['one', 'two']) {
    const provider = await openStore(storeIn(dir, word));
    worlds.push([word, provider, await started(t, { provider, ...says(word) })]);
  }
  await Promise.all(worlds.map(([, , { client }]) => client.startOrchestration('same', 'Main')));
  for (const [word, provider, { client, runtime }] of worlds) {
    assert.deepEqual(await client.waitForOrchestrationTyped('same'), [word, word]);
    await runtime.shutdown();
    await provider.close();
  }
});

test('on one store each Runtime runs only what it registered', async (t) => {
  const provider = await newStore();
  const orchestrators = await started(t, {
    provider,
    orchestrations: {
      Main: function* (ctx) {
        return [yield ctx.scheduleActivity('Left'), yield ctx.scheduleActivity('Right')];
      },
    },
  });
  await started(t, { provider, activities: { Left: () => 'left' } });
  await started(t, { provider, activities: { Right: () => 'right' } });
  assert.deepEqual((await orchestrators.client.run('Main')).output, ['left', 'right']);
});
