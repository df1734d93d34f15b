// How often the engine crosses to the JavaScript thread: counted at the one place where
// it does, the drain of the addon.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { started } from './helpers.mjs';

const { addon } = createRequire(import.meta.url)('../dist/native.js');
const crossings = { drains: 0 };
const { drain } = addon.NativeRuntime.prototype;
addon.NativeRuntime.prototype.drain = function () {
  crossings.drains += 1;
  return drain.call(this);
};

const activities = { Echo: (ctx, n) => n };

test('a sequential step crosses to JavaScript at most twice', async (t) => {
  const steps = 100;
  const { client } = await started(t, {
    activities,
    orchestrations: {
      Main: function* (ctx) {
        for (let n = 0; n < steps; n++) yield ctx.scheduleActivity('Echo', n);
      },
    },
  });
  crossings.drains = 0;
  await client.run('Main');
  console.log(`${steps} sequential steps: ${crossings.drains} crossings`);
  assert.ok(crossings.drains <= 2 * steps + 2, `${crossings.drains} crossings`);
});

test('what is ready together crosses together', async (t) => {
  const tasks = 200;
  const { client } = await started(t, {
    activities,
    options: { workerConcurrency: tasks },
    orchestrations: {
      Main: function* (ctx) {
        yield ctx.all(Array.from({ length: tasks }, (_, n) => ctx.scheduleActivity('Echo', n)));
      },
    },
  });
  crossings.drains = 0;
  await client.run('Main');
  console.log(`${tasks} tasks at once: ${crossings.drains} crossings`);
  assert.ok(crossings.drains < tasks, `${crossings.drains} crossings`);
});
