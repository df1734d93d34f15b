// A workflow through the CommonJS entry.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, Runtime } = require('duroxide');

test('a workflow runs through require', async () => {
  const { newStore } = await import('./store.mjs');
  const provider = await newStore();
  const runtime = new Runtime(provider, { logLevel: 'error' });
  runtime.registerActivity('Double', (ctx, n) => 2 * n);
  runtime.registerOrchestration('Twice', function* (ctx, n) {
    return yield ctx.scheduleActivity('Double', yield ctx.scheduleActivity('Double', n));
  });
  await runtime.start();
  const client = new Client(provider);
  await client.startOrchestration('t', 'Twice', 3);
  assert.equal(await client.waitForOrchestrationTyped('t'), 12);
  await runtime.shutdown();
  await provider.close();
});
