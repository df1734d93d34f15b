// The error classes' common base, and what a recorded turn is compared with: the whole of it. What errors say
// and carry is shown in `errors.test.mjs` and `errors-survive.test.mjs`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as duroxide from 'duroxide';
import { kinds, started, until } from './helpers.mjs';

const { DuroxideError } = duroxide;

test('every error class that is exported stands under DuroxideError and Error', () => {
  const classes = Object.entries(duroxide).filter(([name]) => name.endsWith('Error') && name !== 'DuroxideError');
  assert.ok(classes.length >= 11);
  for (const [name, type] of classes) {
    assert.ok(Object.create(type.prototype) instanceof DuroxideError, name);
    assert.ok(Object.create(type.prototype) instanceof Error, name);
  }
});

/** The end of an instance that ran the first code until it waited, and then replays the second. */
async function changed(t, first, second) {
  const activities = { A: () => 'a', B: () => 'b' };
  const { client, provider, runtime } = await started(t, { activities, orchestrations: { Main: first } });
  await client.startOrchestration('i', 'Main');
  await until(async () => (await kinds(client, 'i')).includes('ExternalSubscribed'));
  await runtime.shutdown();
  await started(t, { provider, activities, orchestrations: { Main: second } });
  await client.raiseEvent('i', 'go');
  return client.waitForOrchestration('i');
}

const recorded = function* (ctx) {
  yield ctx.scheduleActivity('A');
  yield ctx.scheduleTimer(1);
  yield ctx.waitForEvent('go');
};

for (const [what, code, held, asked] of [
  ['another command', function* (ctx) {
    yield ctx.scheduleActivity('B');
    yield ctx.waitForEvent('go');
  }, /'?A'?/, /'?B'?/],
  ['a missing command', function* (ctx) {
    yield ctx.scheduleActivity('A');
    yield ctx.waitForEvent('go');
  }, /TimerCreated/, /go/],
  ['an extra command', function* (ctx) {
    yield ctx.scheduleActivity('A');
    ctx.setValue('extra', '1');
    yield ctx.scheduleTimer(1);
    yield ctx.waitForEvent('go');
  }, /TimerCreated/, /KeyValueSet/],
  ['an early end', function* (ctx) {
    yield ctx.scheduleActivity('A');
    return 'early';
  }, /TimerCreated/, /OrchestrationCompleted|return|end/],
]) {
  test(`${what} than recorded fails the run, with both as a two-line diff and the likely cause`, async (t) => {
    const { status, error, errorDetails } = await changed(t, recorded, code);
    assert.deepEqual([status, errorDetails.code], ['Failed', 'NONDETERMINISM']);
    assert.match(error, /nondeterministic/);
    const [minus, plus] = ['-', '+'].map((sign) => error.split('\n').find((line) => line.trim().startsWith(`${sign} `)));
    assert.match(minus, held, error);
    assert.match(plus, asked, error);
    assert.match(error, /event|#/);
  });
}

test('the same code goes on from what is recorded', async (t) => {
  assert.equal((await changed(t, recorded, recorded)).status, 'Completed');
});
