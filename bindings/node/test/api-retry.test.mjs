// The retry policy, field by field: the delays of every back-off as history has them, time limits, and that
// they survive a restart. What `retry.test.mjs` shows stands there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ActivityError, TimeoutError } from 'duroxide';
import { kinds, started, until } from './helpers.mjs';

/** The delays between the attempts that are planned, taken from the first `count` timers of the history. */
async function delays(t, policy, count) {
  const { client } = await started(t, {
    activities: { Fail: () => { throw new Error('no'); } },
    orchestrations: { Main: function* (ctx) { yield ctx.scheduleActivityWithRetry('Fail', null, policy); } },
  });
  await client.startOrchestration('i', 'Main');
  const timers = await until(async () => {
    const history = await client.readExecutionHistory('i', 1);
    const created = history.filter(({ kind }) => kind === 'TimerCreated');
    return created.length >= count && created;
  });
  await client.terminateOrchestration('i');
  return timers.slice(0, count).map(({ data, timestampMs }) => JSON.parse(data).fireAtMs - timestampMs);
}

for (const [shown, backoff, expected] of [
  ['absent: exponential', undefined, [100, 200, 400]],
  ["'exponential'", 'exponential', [100, 200, 400]],
  ["'linear'", 'linear', [100, 200, 300]],
  ["'fixed'", 'fixed', [1_000]],
  ['custom, up to its maximum', { initialMs: 10, maxMs: 40, factor: 3 }, [10, 30, 40, 40]],
]) {
  test(`a back-off that is ${shown} waits ${expected.join(', ')} ms`, async (t) => {
    assert.deepEqual(await delays(t, { maxAttempts: 9, backoff }, expected.length), expected);
  });
}

test("a back-off of 'none' waits for nothing", async (t) => {
  let runs = 0;
  const { client } = await started(t, {
    activities: { Fail: () => { runs += 1; throw new Error('no'); } },
    orchestrations: { Main: function* (ctx) { yield ctx.scheduleActivityWithRetry('Fail', null, { maxAttempts: 4, backoff: 'none' }); } },
  });
  assert.equal((await client.run('Main')).error, 'no');
  assert.equal(runs, 4);
});

test('jitter makes a delay shorter by at most its share', async (t) => {
  for (const delay of await delays(t, { maxAttempts: 9, backoff: { initialMs: 40, maxMs: 40, factor: 1, jitter: 0.5 } }, 6)) {
    assert.ok(delay >= 20 && delay <= 40, `${delay} ms`);
  }
});

test('better: a timed-out attempt counts as a failed one, is retried, and its signal aborts', async (t) => {
  const aborted = [];
  let runs = 0;
  const { client } = await started(t, {
    activities: {
      Slow: (ctx) => {
        runs += 1;
        if (runs === 3) return 'in time';
        return new Promise((resolve) => ctx.signal.addEventListener('abort', () => resolve(aborted.push(ctx.activityId))));
      },
    },
    orchestrations: {
      Main: function* (ctx) {
        return yield ctx.scheduleActivityWithRetry('Slow', null, { maxAttempts: 3, backoff: 'none', timeoutMs: 30 });
      },
    },
  });
  assert.equal((await client.run('Main')).output, 'in time');
  await until(() => aborted.length === 2);
  assert.equal((await kinds(client, 'Main-1')).filter((kind) => kind === 'ActivityScheduled').length, 3);
});

test('exhaustion throws the last error: a TimeoutError after a time-out, else what the activity threw', async (t) => {
  const caught = [];
  let runs = 0;
  const { client } = await started(t, {
    activities: {
      Turns: (ctx, last) => {
        runs += 1;
        const hangs = runs === 2 ? last === 'time-out' : last !== 'time-out';
        if (!hangs) throw new RangeError('thrown');
        return new Promise((resolve) => ctx.signal.addEventListener('abort', resolve));
      },
    },
    orchestrations: {
      Main: function* (ctx, last) {
        try {
          yield ctx.scheduleActivityWithRetry('Turns', last, { maxAttempts: 2, backoff: 'none', timeoutMs: 30 });
        } catch (error) {
          caught.push(error);
        }
      },
    },
  });
  await client.run('Main', 'time-out');
  runs = 0;
  await client.run('Main', 'thrown');
  const [timedOut, thrown] = caught;
  assert.ok(timedOut instanceof TimeoutError);
  assert.deepEqual([timedOut.code, timedOut.activityName, timedOut.attempt], ['TIMEOUT', 'Turns', 2]);
  assert.ok(thrown instanceof ActivityError);
  assert.deepEqual([thrown.name, thrown.message, thrown.attempt], ['RangeError', 'thrown', 2]);
});

test('attempts and delays survive a restart', async (t) => {
  let runs = 0;
  const code = {
    activities: { Flaky: () => { runs += 1; if (runs < 3) throw new Error(`run ${runs}`); return runs; } },
    orchestrations: {
      Main: function* (ctx) {
        return yield ctx.scheduleActivityWithRetry('Flaky', null, { maxAttempts: 3, backoff: { initialMs: 100, maxMs: 100, factor: 1 } });
      },
    },
  };
  const { client, runtime, provider } = await started(t, code);
  await client.startOrchestration('i', 'Main');
  await until(async () => (await kinds(client, 'i')).includes('TimerCreated'));
  await runtime.shutdown();
  await started(t, { provider, ...code });
  assert.equal(await client.waitForOrchestrationTyped('i'), 3);
  assert.equal((await kinds(client, 'i')).filter((kind) => kind === 'TimerFired').length, 2);
});
