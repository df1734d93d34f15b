// Retry policies: attempts, back-offs, time limits, and what a wrong policy is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ActivityError, TimeoutError } from 'duroxide';
import { kinds, started, until } from './helpers.mjs';

/** Fails until the given attempt; its result is that attempt. */
function flaky(succeeds, made = []) {
  return (ctx) => {
    made.push({ attempt: ctx.attempt, session: ctx.sessionId, tag: ctx.tag() });
    if (made.length < succeeds) throw Object.assign(new Error(`attempt ${made.length}`), { name: made.length > 1 ? 'Later' : 'First' });
    return made.length;
  };
}

const hang = (aborted) => (ctx) =>
  new Promise((resolve) => ctx.signal.addEventListener('abort', () => resolve(aborted.push(ctx.attempt))));

/** What the orchestration made of it, and the kinds of its history. */
async function run(t, code, activities, options) {
  const { client } = await started(t, { activities, orchestrations: { Main: code }, options });
  const ended = await client.run('Main');
  assert.equal(ended.status, 'Completed', ended.error);
  return { output: ended.output, kinds: await kinds(client, 'Main-1') };
}

const quick = { initialMs: 1, maxMs: 5, factor: 2 };

test('an activity that fails is tried again until it succeeds, with durable timers in between', async (t) => {
  const made = [];
  const { output, kinds } = await run(t, function* (ctx) {
    return yield ctx.scheduleActivityWithRetry('Flaky', 1, { maxAttempts: 5, backoff: quick });
  }, { Flaky: flaky(3, made) });
  assert.equal(output, 3);
  assert.equal(made.length, 3);
  assert.deepEqual(kinds.filter((kind) => /^(Activity|Timer)/.test(kind)), [
    'ActivityScheduled', 'ActivityFailed', 'TimerCreated', 'TimerFired',
    'ActivityScheduled', 'ActivityFailed', 'TimerCreated', 'TimerFired',
    'ActivityScheduled', 'ActivityCompleted',
  ]);
});

test('each attempt is told which it is; the history, the error and its details agree', async (t) => {
  const made = [];
  const { client } = await started(t, {
    activities: { Flaky: flaky(9, made) },
    orchestrations: {
      *Main(ctx) {
        yield ctx.scheduleActivityWithRetry('Flaky', 1, { maxAttempts: 3, backoff: 'none' });
      },
    },
    // Of deliveries, which are one for each attempt: three attempts are not poison.
    options: { maxAttempts: 1 },
  });
  const { status, errorDetails } = await client.run('Main');
  assert.deepEqual([status, errorDetails.code, errorDetails.message, errorDetails.attempt], ['Failed', 'ACTIVITY_FAILED', 'attempt 3', 3]);
  assert.deepEqual(made.map(({ attempt }) => attempt), [1, 2, 3]);
  const history = await client.readExecutionHistory('Main-1', 1);
  const attempts = (kind) => history.filter((event) => event.kind === kind).map((event) => JSON.parse(event.data).attempt);
  assert.deepEqual(attempts('ActivityScheduled'), [undefined, 2, 3]);
  assert.deepEqual(attempts('ActivityFailed'), [1, 2, 3]);
});

test('when no attempt is left the last error is thrown', async (t) => {
  const { output } = await run(t, function* (ctx) {
    try {
      return yield* ctx.scheduleActivityWithRetry('Flaky', 1, { maxAttempts: 3, backoff: 'none' });
    } catch (error) {
      return [error instanceof ActivityError, error.name, error.message, error.activityName, error.attempt, error.code];
    }
  }, { Flaky: flaky(9) });
  assert.deepEqual(output, [true, 'Later', 'attempt 3', 'Flaky', 3, 'ACTIVITY_FAILED']);
});

test('an error whose name is not retryable ends it', async (t) => {
  const made = [];
  const { output } = await run(t, function* (ctx) {
    try {
      return yield ctx.scheduleActivityWithRetry('Flaky', 1, { maxAttempts: 9, backoff: 'none', nonRetryable: ['Later'] });
    } catch (error) {
      return error.message;
    }
  }, { Flaky: flaky(9, made) });
  assert.deepEqual([output, made.length], ['attempt 2', 2]);
});

test('an attempt that takes too long is retried, its signal aborts, and the last one throws a TimeoutError', async (t) => {
  const aborted = [];
  const { output } = await run(t, function* (ctx) {
    try {
      return yield ctx.scheduleActivityWithRetry('Hang', 1, { maxAttempts: 2, backoff: 'none', timeoutMs: 20 });
    } catch (error) {
      return [error instanceof TimeoutError, error.code];
    }
  }, { Hang: hang(aborted) });
  assert.deepEqual(output, [true, 'TIMEOUT']);
  await until(() => aborted.length === 2);
});

test('the total time limit ends it, however many attempts are left', async (t) => {
  const { output } = await run(t, function* (ctx) {
    try {
      return yield ctx.scheduleActivityWithRetry('Hang', 1, { maxAttempts: 1_000, timeoutMs: 3_600_000, totalTimeoutMs: 30 });
    } catch (error) {
      return error instanceof TimeoutError;
    }
  }, { Hang: hang([]) });
  assert.equal(output, true);
});

test('every attempt runs on the session and with the tag', async (t) => {
  const made = [];
  const { output } = await run(t, function* (ctx) {
    return yield ctx.scheduleActivityWithRetryOnSession('Flaky', 1, { maxAttempts: 3, backoff: 'none' }, 's').withTag('gpu');
  }, { Flaky: flaky(3, made) }, { workerTagFilter: { tags: ['gpu'] } });
  assert.equal(output, 3);
  assert.deepEqual(made.map(({ session, tag }) => [session, tag]), Array(3).fill(['s', 'gpu']));
});

test('it stands inside all and race as any task does', async (t) => {
  const { output } = await run(t, function* (ctx) {
    const policy = { maxAttempts: 3, backoff: quick };
    const [good, bad] = yield* ctx.all([
      ctx.scheduleActivityWithRetry('Flaky', 1, policy),
      ctx.scheduleActivityWithRetry('Never', 1, policy),
    ]);
    const won = yield* ctx.race(ctx.scheduleTimer(3_600_000), ctx.scheduleActivityWithRetry('Other', 1, policy));
    return [good, bad, bad.error.activityName, won];
  }, { Flaky: flaky(2), Never: flaky(9), Other: flaky(3) });
  assert.deepEqual(output, [{ ok: 2 }, { err: 'attempt 3' }, 'Never', { index: 1, value: 3 }]);
});

test('a wrong policy throws at the call, can be caught, and schedules nothing', async (t) => {
  const limit = 'must be an integer from 1 to 4294967295, not';
  const custom = (more) => ({ maxAttempts: 1, backoff: { ...quick, ...more } });
  const wrong = [
    [undefined, 'TypeError', 'maxAttempts of the retry policy must be a number, not undefined'],
    [3, 'TypeError', 'the retry policy: the options must be an object, not 3'],
    [{ backoff: 'fixed' }, 'TypeError', 'maxAttempts of the retry policy must be a number, not undefined'],
    [{ maxAttempts: '3' }, 'TypeError', "option 'maxAttempts' must be a number, not '3'"],
    [{ maxAttempts: 0 }, 'RangeError', `maxAttempts of the retry policy ${limit} 0`],
    [{ maxAttempts: 1.5 }, 'RangeError', `${limit} 1.5`],
    [{ maxAttempts: NaN }, 'RangeError', `${limit} NaN`],
    [{ maxAttempts: Infinity }, 'RangeError', `${limit} Infinity`],
    [{ maxAttempt: 3 }, 'TypeError', "unknown option 'maxAttempt'; did you mean 'maxAttempts'?"],
    [{ maxAttempts: 1, backoff: 'quadratic' }, 'TypeError', "option 'backoff' must be one of 'exponential', 'linear', 'fixed', 'none' or { initialMs, maxMs, factor, jitter }, not 'quadratic'"],
    [{ maxAttempts: 1, timeoutMs: -1 }, 'RangeError', 'timeoutMs of the retry policy must be finite and more than 0, not -1'],
    [{ maxAttempts: 1, totalTimeoutMs: 0 }, 'RangeError', 'totalTimeoutMs of the retry policy must be finite and more than 0, not 0'],
    [{ maxAttempts: 1, totalTimeoutMs: Infinity }, 'RangeError', 'not Infinity'],
    [{ maxAttempts: 1, nonRetryable: 'Error' }, 'TypeError', "option 'nonRetryable' must be an array of strings, not 'Error'"],
    [custom({ jitter: 2 }), 'RangeError', 'backoff.jitter of the retry policy must be from 0 to 1, not 2'],
    [custom({ factor: 0.5 }), 'RangeError', 'backoff.factor of the retry policy must be finite and at least 1, not 0.5'],
    [custom({ factor: Infinity }), 'RangeError', 'not Infinity'],
    [custom({ initialMs: 9 }), 'RangeError', 'backoff.initialMs of the retry policy must be from 0 to backoff.maxMs, which is 5, not 9'],
    [custom({ initialMs: -1 }), 'RangeError', 'not -1'],
    [custom({ factor: undefined }), 'TypeError', 'backoff.factor of the retry policy must be a number, not undefined'],
    [custom({ maxMS: 9 }), 'TypeError', "the backoff: unknown option 'maxMS'; did you mean 'maxMs'?"],
  ];
  const { output, kinds } = await run(t, function* (ctx) {
    const told = [];
    for (const [policy] of wrong) {
      for (const call of [
        () => ctx.scheduleActivityWithRetry('Flaky', 1, policy),
        () => ctx.scheduleActivityWithRetryOnSession('Flaky', 1, policy, 's'),
      ]) {
        try {
          yield call();
        } catch (error) {
          told.push([error.name, error.message]);
        }
      }
    }
    return told;
  }, { Flaky: flaky(1) });
  assert.equal(output.length, 2 * wrong.length);
  output.forEach(([name, message], index) => {
    const [policy, expected, part] = wrong[Math.floor(index / 2)];
    const call = index % 2 === 0 ? 'ctx.scheduleActivityWithRetry: ' : 'ctx.scheduleActivityWithRetryOnSession: ';
    assert.equal(name, expected, JSON.stringify(policy));
    assert.ok(message.startsWith(call) && message.includes(part), message);
  });
  assert.deepEqual(kinds, ['OrchestrationStarted', 'OrchestrationCompleted']);
});
