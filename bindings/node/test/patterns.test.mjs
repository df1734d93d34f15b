// The guide's patterns, one by one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, Runtime } from 'duroxide';
import { kinds, started, until } from './helpers.mjs';
import { newStore } from './store.mjs';

const activities = {
  Echo: (ctx, input) => input,
  Add: async (ctx, [a, b]) => a + b,
  Fail: (ctx, message) => {
    throw new Error(message);
  },
  Hang: (ctx) => new Promise((resolve) => ctx.signal.addEventListener('abort', resolve)),
};

async function output(t, code, input, more = {}) {
  const { client } = await started(t, { activities: { ...activities, ...more.activities }, orchestrations: { Main: code, ...more.orchestrations } });
  const ended = await client.run('Main', input);
  assert.equal(ended.status, 'Completed', ended.error);
  return ended.output;
}

test('steps run one after the other, each with the result of the one before', async (t) => {
  const sum = await output(t, function* (ctx, input) {
    let n = input;
    for (let i = 0; i < 20; i++) n = yield ctx.scheduleActivity('Add', [n, 1]);
    return n;
  }, 1);
  assert.equal(sum, 21);
});

test('yield* gives the same as yield, through helpers too', async (t) => {
  function* helper(ctx, n) {
    return (yield* ctx.scheduleActivity('Echo', n)) + (yield ctx.scheduleActivity('Echo', n));
  }
  const result = await output(t, function* (ctx) {
    return yield* helper(ctx, 2);
  });
  assert.equal(result, 4);
});

test('all waits for every task and gives each its own outcome, in order', async (t) => {
  const results = await output(t, function* (ctx) {
    const results = yield ctx.all([
      ctx.scheduleActivity('Echo', { deep: [1] }),
      ctx.scheduleTimer(1),
      ctx.scheduleActivity('Fail', 'no luck'),
      ctx.all([]),
    ]);
    return results;
  });
  assert.deepEqual(results, [{ ok: { deep: [1] } }, { ok: null }, { err: 'no luck' }, { ok: [] }]);
});

test('an element of all reads as its value, which no comparison sees', async (t) => {
  const seen = await output(t, function* (ctx) {
    const [text, object, failed] = yield ctx.all([
      ctx.scheduleActivity('Echo', 'x'),
      ctx.scheduleActivity('Echo', { a: 1 }),
      ctx.scheduleActivity('Fail', 'no'),
    ]);
    assert.deepStrictEqual([text, object, failed], [{ ok: 'x' }, { ok: { a: 1 } }, { err: 'no' }]);
    return { text: `${text},${object},${failed}`, error: failed.error.constructor.name };
  });
  assert.deepEqual(seen, { text: 'x,{"a":1},no', error: 'ActivityError' });
});

test('race gives the first to settle and cancels the others, any number of them', async (t) => {
  const won = await output(t, function* (ctx) {
    return yield ctx.race(
      ctx.scheduleActivity('Hang'),
      ctx.waitForEvent('never'),
      ctx.scheduleTimer(3_600_000),
      ctx.scheduleActivity('Echo', 'quick'),
    );
  });
  assert.deepEqual(won, { index: 3, value: 'quick' });
});

test('a race whose first branch to settle failed throws', async (t) => {
  const caught = await output(t, function* (ctx) {
    try {
      return yield ctx.race(ctx.scheduleActivity('Fail', 'bad'), ctx.scheduleTimer(3_600_000));
    } catch (error) {
      return [error.constructor.name, error.message, error.activityName];
    }
  });
  assert.deepEqual(caught, ['ActivityError', 'bad', 'Fail']);
});

test('all and race nest', async (t) => {
  const result = await output(t, function* (ctx) {
    return yield ctx.all([
      ctx.race(ctx.scheduleTimer(3_600_000), ctx.all([ctx.scheduleActivity('Echo', 1), ctx.scheduleActivity('Echo', 2)])),
      ctx.race(ctx.race(ctx.scheduleActivity('Echo', 3), ctx.waitForEvent('never')), ctx.waitForEvent('never')),
    ]);
  });
  assert.deepEqual(result, [
    { ok: { index: 1, value: [{ ok: 1 }, { ok: 2 }] } },
    { ok: { index: 0, value: { index: 0, value: 3 } } },
  ]);
});

test('a loser of a race sees its signal abort', async (t) => {
  let tell;
  const aborted = new Promise((resolve) => (tell = resolve));
  const Watch = (ctx) => new Promise((resolve) => {
    ctx.signal.addEventListener('abort', () => {
      tell(ctx.isCancelled());
      resolve();
    });
  });
  await output(t, function* (ctx) {
    return yield ctx.race(ctx.scheduleActivity('Watch'), ctx.scheduleActivity('Echo', 1));
  }, null, { activities: { Watch } });
  assert.equal(await aborted, true);
});

test('a timer gives null', async (t) => {
  assert.equal(await output(t, function* (ctx) {
    return yield ctx.scheduleTimer(5);
  }), null);
});

test('an event raised before its wait is kept, and waits take events in order', async (t) => {
  const { client } = await started(t, {
    orchestrations: {
      Main: function* (ctx) {
        yield ctx.waitForEvent('go');
        return [yield ctx.waitForEvent('data'), yield ctx.waitForEvent('data'), yield ctx.waitForEvent('data')];
      },
    },
  });
  await client.startOrchestration('i', 'Main');
  for (const n of [1, 2, 3]) await client.raiseEvent('i', 'data', { n });
  await client.raiseEvent('i', 'go');
  assert.deepEqual((await client.waitForOrchestration('i')).output, [{ n: 1 }, { n: 2 }, { n: 3 }]);
});

test('a wait that lost a race takes nothing', async (t) => {
  const { client } = await started(t, {
    activities,
    orchestrations: {
      Main: function* (ctx) {
        yield ctx.race(ctx.waitForEvent('data'), ctx.scheduleActivity('Echo', 1));
        ctx.setCustomStatus('lost');
        return yield ctx.waitForEvent('data');
      },
    },
  });
  await client.startOrchestration('i', 'Main');
  assert.equal((await client.waitForStatusChange('i', 0)).customStatus, 'lost');
  await client.raiseEvent('i', 'data', 'mine');
  assert.equal((await client.waitForOrchestration('i')).output, 'mine');
});

test('values arrive as they were given', async (t) => {
  const values = ['42', '{"a":1}', '', 0, -0.5, true, null, [], {}, { __proto__: null, x: '€\u2028\ud83d\ude00' }, 'a'.repeat(100_000)];
  const back = await output(t, function* (ctx, input) {
    const results = [];
    for (const value of input) results.push(yield ctx.scheduleActivity('Echo', value));
    results.push(yield ctx.scheduleActivity('Echo'));
    return results;
  }, values);
  assert.deepEqual(back, JSON.parse(JSON.stringify([...values, null])));
});

test('a child gives its output, its failure is thrown, and its id is derived or given', async (t) => {
  const result = await output(t, function* (ctx) {
    const first = yield ctx.scheduleSubOrchestration('Child', 1);
    const named = yield ctx.scheduleSubOrchestrationWithId('Child', 'my-child', 2);
    try {
      yield ctx.scheduleSubOrchestration('Broken', 'oops');
    } catch (error) {
      return [first, named, error.constructor.name, error.message];
    }
    return 'not thrown';
  }, null, {
    orchestrations: {
      Child: function* (ctx, n) {
        return [ctx.instanceId, yield ctx.scheduleActivity('Echo', n)];
      },
      Broken: function* (ctx, message) {
        throw new Error(message);
      },
    },
  });
  assert.match(result[0][0], /^Main-1::sub::/);
  assert.deepEqual([result[0][1], ...result.slice(1)], [1, ['my-child', 2], 'SubOrchestrationError', 'oops']);
});

test('a detached start runs on its own, and continue-as-new carries queues and status over', async (t) => {
  const { client } = await started(t, {
    activities,
    orchestrations: {
      Starter: function* (ctx) {
        return yield ctx.startOrchestration('Chat', 'chat', '');
      },
      Chat: function* (ctx) {
        const message = JSON.parse(yield ctx.dequeueEvent('inbox'));
        ctx.setCustomStatus(`replied ${message.seq}`);
        if (message.text === 'bye') return `Done after ${message.seq} in execution ${ctx.executionId}`;
        return yield ctx.continueAsNew('');
      },
    },
  });
  assert.equal((await client.run('Starter')).output, null);
  for (const [seq, text] of [[1, 'hi'], [2, 'there'], [3, 'bye']]) {
    await client.enqueueEvent('chat', 'inbox', JSON.stringify({ seq, text }));
  }
  const ended = await client.waitForOrchestration('chat');
  assert.equal(ended.output, 'Done after 3 in execution 3');
  assert.equal(ended.customStatus, 'replied 3');
  assert.deepEqual(await client.listExecutions('chat'), [1, 2, 3]);
  assert.equal((await client.getExecutionInfo('chat', 1)).status, 'ContinuedAsNew');
});

test('key-value pairs are read back at once and by clients', async (t) => {
  const { client } = await started(t, {
    orchestrations: {
      Main: function* (ctx) {
        ctx.setValue('a', '1');
        ctx.setValue('b', '2');
        ctx.setValue('c', '3');
        ctx.clearValue('b');
        yield ctx.scheduleTimer(0);
        return [ctx.getValue('a'), ctx.getValue('b'), ctx.getKvAllKeys(), ctx.getKvAllValues(), ctx.getKvLength()];
      },
    },
  });
  assert.deepEqual((await client.run('Main')).output, ['1', null, ['a', 'c'], { a: '1', c: '3' }, 2]);
  assert.deepEqual(await client.getKvAllValues('Main-1'), { a: '1', c: '3' });
  assert.equal(await client.getValue('Main-1', 'b'), null);
});

test('guids differ, the time is a number, and both survive replay', async (t) => {
  const [one, two, now] = await output(t, function* (ctx) {
    const one = yield ctx.newGuid();
    yield ctx.scheduleTimer(1);
    return [one, yield ctx.newGuid(), yield ctx.utcNow()];
  });
  assert.match(one, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.notEqual(one, two);
  assert.equal(typeof now, 'number');
});

test('a cancel throws where the orchestration waits, and its clean-up runs', async (t) => {
  const { client } = await started(t, {
    activities,
    orchestrations: {
      Main: function* (ctx) {
        try {
          ctx.setCustomStatus('waiting');
          yield ctx.waitForEvent('never');
        } finally {
          ctx.setValue('cleaned', yield ctx.scheduleActivity('Echo', 'up'));
        }
      },
    },
  });
  await client.startOrchestration('i', 'Main');
  await client.waitForStatusChange('i', 0);
  await client.cancelOrchestration('i', 'enough');
  const ended = await client.waitForOrchestration('i');
  assert.deepEqual([ended.status, ended.error, ended.errorDetails.code], ['Failed', 'canceled: enough', 'CANCELLED']);
  assert.equal(await client.getValue('i', 'cleaned'), 'up');
});

test('a terminated instance stops without running its code', async (t) => {
  let cleaned = false;
  const { client } = await started(t, {
    orchestrations: {
      Main: function* (ctx) {
        try {
          ctx.setCustomStatus('waiting');
          yield ctx.waitForEvent('never');
        } finally {
          cleaned = true;
        }
      },
    },
  });
  await client.startOrchestration('i', 'Main');
  await client.waitForStatusChange('i', 0);
  await client.terminateOrchestration('i', 'enough');
  assert.equal((await client.waitForOrchestration('i')).status, 'Terminated');
  assert.equal(cleaned, false);
});

test('an activity reaches the client of its store', async (t) => {
  const { client } = await started(t, {
    activities: {
      Tell: async (ctx) => {
        await ctx.getClient().raiseEvent(ctx.instanceId, 'told', ctx.activityName);
      },
    },
    orchestrations: {
      Main: function* (ctx) {
        yield ctx.scheduleActivity('Tell');
        return yield ctx.waitForEvent('told');
      },
    },
  });
  assert.equal((await client.run('Main')).output, 'Tell');
});

test('the guide’s status loop ends', async (t) => {
  const { client } = await started(t, {
    activities,
    orchestrations: {
      Main: function* (ctx) {
        for (const step of ['one', 'two', 'three']) {
          ctx.setCustomStatus(step);
          yield ctx.scheduleActivity('Echo', step);
        }
      },
    },
  });
  await client.startOrchestration('i', 'Main');
  let version = 0;
  let last;
  for (;;) {
    const change = await client.waitForStatusChange('i', version, 100, 30000);
    if (!change) break;
    assert.ok(change.customStatusVersion > version);
    version = change.customStatusVersion;
    last = change.customStatus;
  }
  assert.deepEqual([last, version], ['three', 3]);
});

test('new instances use the highest version, whatever the order of registration', async (t) => {
  const provider = await newStore();
  const runtime = new Runtime(provider, { logLevel: 'error' });
  for (const version of ['1.2.0', '1.10.0', '1.9.0']) {
    runtime.registerOrchestrationVersioned('V', version, function* (ctx) {
      return ctx.orchestrationVersion;
    });
  }
  await runtime.start();
  t.after(() => runtime.shutdown());
  const client = new Client(provider);
  await client.startOrchestration('latest', 'V');
  await client.startOrchestrationVersioned('old', 'V', null, '1.2.0');
  assert.equal(await client.waitForOrchestrationTyped('latest'), '1.10.0');
  assert.equal(await client.waitForOrchestrationTyped('old'), '1.2.0');
});

test('the history of the minimal workflow has the public kinds, with values as JSON', async (t) => {
  const { client } = await started(t, {
    activities,
    orchestrations: {
      Main: function* (ctx, input) {
        return yield ctx.scheduleActivity('Echo', input);
      },
    },
  });
  await client.run('Main', { a: 1 });
  const history = await client.readExecutionHistory('Main-1', 1);
  assert.deepEqual(
    history.map(({ kind, sourceEventId, data }) => {
      // What only a replay needs.
      const { nonce, flags, instanceId, executionId, ...told } = JSON.parse(data);
      return [kind, sourceEventId, told];
    }),
    [
      ['OrchestrationStarted', undefined, { name: 'Main', version: '1.0.0', input: { a: 1 } }],
      ['ActivityScheduled', undefined, { name: 'Echo', input: { a: 1 } }],
      ['ActivityCompleted', 2, { a: 1 }],
      ['OrchestrationCompleted', undefined, { a: 1 }],
    ],
  );
});

test('fan-out over many tasks records each completion once', async (t) => {
  const { client } = await started(t, {
    activities,
    orchestrations: {
      Main: function* (ctx) {
        const results = yield ctx.all(Array.from({ length: 200 }, (_, n) => ctx.scheduleActivity('Echo', n)));
        return results.map((r) => r.ok);
      },
    },
  });
  assert.deepEqual((await client.run('Main')).output, Array.from({ length: 200 }, (_, n) => n));
  const recorded = await kinds(client, 'Main-1');
  assert.equal(recorded.filter((kind) => kind === 'ActivityCompleted').length, 200);
});

test('metrics count each thing once', async (t) => {
  const { client, runtime } = await started(t, {
    activities,
    orchestrations: {
      Main: function* (ctx) {
        yield ctx.scheduleActivity('Echo', 1);
        return yield ctx.scheduleActivity('Echo', 2);
      },
    },
  });
  await client.run('Main');
  const counted = await until(() => {
    const snapshot = runtime.metricsSnapshot();
    return snapshot.orchCompletions === 1 && snapshot;
  });
  assert.deepEqual([counted.orchStarts, counted.activitySuccess, counted.orchFailures], [1, 2, 0]);
});
