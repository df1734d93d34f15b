// The provider rows of the API that every store keeps: how it is shared and closed. Not here: how each kind is
// opened (sqlite.test.mjs, postgres.test.mjs).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, Runtime } from 'duroxide';
import { folder, started } from './helpers.mjs';
import { newStore, openStore, storeIn } from './store.mjs';

const Echo = { Echo: function* (ctx, input) { return input; } };

test('a provider can be closed by Symbol.asyncDispose, and more than once', async (t) => {
  const provider = await newStore();
  await provider[Symbol.asyncDispose]();
  await provider.close();
  await assert.rejects(new Client(provider).listAllInstances(), { code: 'STORE_UNUSABLE' });
});

test('several Runtimes with a provider each share one store', async (t) => {
  const store = storeIn(folder(t));
  const clients = [];
  for (let n = 0; n < 3; n++) {
    const provider = await openStore(store);
    t.after(() => provider.close());
    clients.push((await started(t, { provider, orchestrations: Echo })).client);
  }
  await Promise.all(clients.map((client, n) => client.startOrchestration(`i${n}`, 'Echo', n)));
  for (const client of clients) {
    for (const n of [0, 1, 2]) assert.equal(await client.waitForOrchestrationTyped(`i${n}`), n);
  }
});

test('a Runtime does not close its provider, and the next one resumes everything', async (t) => {
  const { provider, client, runtime } = await started(t, {
    orchestrations: {
      Main: function* (ctx) {
        return [yield ctx.waitForEvent('one'), yield ctx.waitForEvent('two')];
      },
    },
  });
  await client.startOrchestration('i', 'Main');
  await client.raiseEvent('i', 'one', 1);
  await runtime.shutdown();
  await client.raiseEvent('i', 'two', 2);
  const next = new Runtime(provider, { logLevel: 'error' });
  next.registerOrchestration('Main', function* (ctx) {
    return [yield ctx.waitForEvent('one'), yield ctx.waitForEvent('two')];
  });
  await next.start();
  t.after(() => next.shutdown());
  assert.deepEqual(await client.waitForOrchestrationTyped('i'), [1, 2]);
});
