// What an orchestration keeps and shows without a yield: custom status, key-value pairs; and their limits,
// the events that wait, guids and times. What `patterns.test.mjs` shows stands there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LimitError, MAX_KV_KEYS, MAX_KV_VALUE_BYTES } from 'duroxide';
import { kinds, started, until } from './helpers.mjs';

const MAX_STATUS_BYTES = 256 * 1024;

/** The output of this code, and the client. */
async function output(t, code, activities = {}) {
  const it = await started(t, { activities, orchestrations: { Main: code } });
  const ended = await it.client.run('Main');
  assert.equal(ended.status, 'Completed', ended.error);
  return { output: ended.output, ...it };
}

/** The error that a call throws where it is made. */
function refused(call) {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}

test('better: breaking a limit throws at the call, can be caught, and nothing is written', async (t) => {
  const errors = [];
  const { client } = await output(t, function* (ctx) {
    ctx.setCustomStatus('é'.repeat(MAX_STATUS_BYTES / 2));
    ctx.setCustomStatus('fits');
    for (let n = 0; n < MAX_KV_KEYS; n++) ctx.setValue(`key ${n}`, '');
    ctx.setValue('key 0', 'é'.repeat(MAX_KV_VALUE_BYTES / 2));
    for (const call of [
      () => ctx.setCustomStatus('x'.repeat(MAX_STATUS_BYTES + 1)),
      () => ctx.setValue('one more', ''),
      () => ctx.setValue('key 1', 'x'.repeat(MAX_KV_VALUE_BYTES + 1)),
      () => ctx.setValue('key 2', 'é'.repeat(MAX_KV_VALUE_BYTES / 2) + 'x'),
    ]) {
      errors.push(refused(call));
    }
    // A key that is there may be written, one that was cleared makes room.
    ctx.setValue('key 3', 'new');
    ctx.clearValue('key 4');
    ctx.setValue('in its place', 'yes');
    yield ctx.scheduleTimer(0);
  });
  assert.equal(errors.length, 4);
  for (const error of errors) {
    assert.ok(error instanceof LimitError, String(error));
    assert.equal(error.code, 'LIMIT');
  }
  assert.match(errors[0].message, /setCustomStatus/);
  for (const error of errors.slice(1)) assert.match(error.message, /setValue|key `key [12]`/);
  const status = await client.getOrchestrationStatus('Main-1');
  assert.deepEqual([status.customStatus, status.customStatusVersion], ['fits', 1]);
  const values = await client.getKvAllValues('Main-1');
  assert.equal(Object.keys(values).length, MAX_KV_KEYS);
  assert.deepEqual([values['key 1'], values['key 2'], values['key 3'], values['one more'], values['in its place']], ['', '', 'new', undefined, 'yes']);
  assert.equal(values['key 0'].length, MAX_KV_VALUE_BYTES / 2);
});

test('what is no string is refused as status, key or value, by name', async (t) => {
  const errors = [];
  const { client } = await output(t, function* (ctx) {
    for (const call of [
      () => ctx.setCustomStatus({ step: 1 }),
      () => ctx.setCustomStatus(undefined),
      () => ctx.setValue('k', 1),
      () => ctx.setValue(1, 'v'),
      () => ctx.getValue(undefined),
      () => ctx.clearValue(null),
      () => ctx.pruneKvValuesUpdatedBefore('yesterday'),
      () => ctx.getValueFromInstance('', 'k'),
      () => ctx.getValueFromInstance('i', 7),
    ]) {
      errors.push(refused(call));
    }
  });
  assert.deepEqual(errors.map((error) => [error?.name, error?.message.split(':')[0]]), [
    ['TypeError', 'ctx.setCustomStatus'], ['TypeError', 'ctx.setCustomStatus'], ['TypeError', 'ctx.setValue'],
    ['TypeError', 'ctx.setValue'], ['TypeError', 'ctx.getValue'], ['TypeError', 'ctx.clearValue'],
    ['TypeError', 'ctx.pruneKvValuesUpdatedBefore'], ['TypeError', 'ctx.getValueFromInstance'],
    ['TypeError', 'ctx.getValueFromInstance'],
  ]);
  assert.deepEqual(await client.getKvAllValues('Main-1'), {});
});

test('the custom status is read, reset and shown, its version rises once a turn and goes on across continue-as-new', async (t) => {
  const { client } = await started(t, {
    orchestrations: {
      Main: function* (ctx, n) {
        const before = ctx.getCustomStatus();
        if (n === 2) {
          ctx.setCustomStatus('in the second');
          return [before];
        }
        ctx.setCustomStatus('one');
        ctx.setCustomStatus('two');
        const read = ctx.getCustomStatus();
        yield ctx.waitForEvent('reset');
        ctx.resetCustomStatus();
        ctx.setValue('read', JSON.stringify([before, read, ctx.getCustomStatus()]));
        yield ctx.waitForEvent('go');
        return yield ctx.continueAsNew(2);
      },
    },
  });
  await client.startOrchestration('i', 'Main', 1);
  const first = await client.waitForStatusChange('i', 0);
  assert.deepEqual([first.customStatus, first.customStatusVersion], ['two', 1]);
  await client.raiseEvent('i', 'reset');
  const second = await client.waitForStatusChange('i', 1);
  assert.deepEqual([second.customStatus ?? null, second.customStatusVersion], [null, 2]);
  assert.deepEqual(JSON.parse(await client.getValue('i', 'read')), [null, 'two', null]);
  await client.raiseEvent('i', 'go');
  assert.deepEqual(await client.waitForOrchestrationTyped('i'), [null]);
  const last = await client.waitForStatusChange('i', 2);
  assert.deepEqual([last.customStatus, last.customStatusVersion, last.status], ['in the second', 3, 'Completed']);
});

test('values are read as they were written at once, snapshots do not change, an absent key is null', async (t) => {
  const { output: told, client } = await output(t, function* (ctx) {
    const told = [ctx.getKvLength(), ctx.getKvAllValues(), ctx.getValue('absent'), ctx.getValue('toString')];
    ctx.setValue('b', '');
    ctx.setValue('a', '1');
    ctx.setValue('__proto__', 'p');
    const snapshot = ctx.getKvAllValues();
    told.push(Object.getPrototypeOf(snapshot) === Object.prototype, ctx.getKvAllKeys(), ctx.getValue('b'));
    ctx.clearValue('absent');
    ctx.clearAllValues();
    told.push(ctx.getKvLength(), Object.keys(snapshot).length, ctx.getValue('a'));
    yield ctx.scheduleTimer(0);
    ctx.setValue('kept', 'after completion');
    return told;
  });
  assert.deepEqual(told, [0, {}, null, null, true, ['__proto__', 'a', 'b'], '', 0, 3, null]);
  assert.deepEqual(await client.getKvAllValues('Main-1'), { kept: 'after completion' });
  assert.equal(await client.getValue('Main-1', 'kept'), 'after completion');
});

test('the prune removes what was last written at or before the time, but not what this turn wrote', async (t) => {
  const { output: told } = await output(t, function* (ctx) {
    ctx.setValue('old', '1');
    ctx.setValue('renewed', '1');
    yield ctx.scheduleTimer(2);
    const between = yield ctx.utcNow();
    yield ctx.scheduleTimer(2);
    ctx.setValue('renewed', '2');
    yield ctx.scheduleTimer(2);
    ctx.setValue('new', '1');
    const later = (yield ctx.utcNow()) + 1_000;
    const told = [ctx.pruneKvValuesUpdatedBefore(0), ctx.pruneKvValuesUpdatedBefore(between), ctx.getKvAllKeys()];
    told.push(ctx.pruneKvValuesUpdatedBefore(later), ctx.getKvAllKeys());
    return told;
  });
  assert.deepEqual(told, [0, 1, ['new', 'renewed'], 1, ['new']]);
});

test('a value of another instance is read when it is yielded, null if there is none', async (t) => {
  const { client } = await started(t, {
    orchestrations: {
      Writes: function* (ctx) {
        ctx.setValue('k', 'theirs');
      },
      Reads: function* (ctx) {
        return [
          yield ctx.getValueFromInstance('writes', 'k'),
          yield ctx.getValueFromInstance('writes', 'absent'),
          yield ctx.getValueFromInstance('nobody', 'k'),
        ];
      },
    },
  });
  await client.startOrchestration('writes', 'Writes');
  await client.waitForOrchestration('writes');
  assert.deepEqual((await client.run('Reads')).output, ['theirs', null, null]);
});

test('better: an event raised before its wait is kept and delivered in order, also across continue-as-new and a restart', async (t) => {
  const Main = function* (ctx, seen) {
    if (seen.length === 0) yield ctx.waitForEvent('go');
    const now = [...seen, yield ctx.waitForEvent('data')];
    return now.length < 3 ? yield ctx.continueAsNew(now) : now;
  };
  const { client, runtime, provider } = await started(t, { orchestrations: { Main } });
  await client.startOrchestration('i', 'Main', []);
  for (const n of [1, 2, 3]) await client.raiseEvent('i', 'data', n);
  await runtime.shutdown();
  await started(t, { provider, orchestrations: { Main } });
  await client.raiseEvent('i', 'go');
  assert.deepEqual(await client.waitForOrchestrationTyped('i'), [1, 2, 3]);
});

test('messages go to waits in the order they were yielded, a wait that lost takes none, queues and events are apart', async (t) => {
  const { client } = await started(t, {
    orchestrations: {
      Main: function* (ctx) {
        yield ctx.race(ctx.waitForEvent('x'), ctx.dequeueEvent('x'), ctx.scheduleTimer(1));
        ctx.setCustomStatus('ready');
        const results = yield ctx.all([ctx.waitForEvent('x'), ctx.dequeueEvent('x'), ctx.waitForEvent('x'), ctx.dequeueEvent('x')]);
        return results.map(({ ok }) => ok);
      },
    },
  });
  await client.startOrchestration('i', 'Main');
  await client.waitForStatusChange('i', 0);
  for (const n of [1, 2]) {
    await client.enqueueEvent('i', 'x', `queue ${n}`);
    await client.raiseEvent('i', 'x', `event ${n}`);
  }
  assert.deepEqual(await client.waitForOrchestrationTyped('i'), ['event 1', 'queue 1', 'event 2', 'queue 2']);
});

test('an event or queue without a name is refused at the call', async (t) => {
  const errors = [];
  await output(t, function* (ctx) {
    for (const call of [() => ctx.waitForEvent(''), () => ctx.dequeueEvent(), () => ctx.waitForEventTyped(7)]) errors.push(refused(call));
  });
  assert.deepEqual(errors.map(({ name, message }) => `${name}: ${message}`), [
    "TypeError: ctx.waitForEvent: the event name must be a non-empty string, not ''",
    'TypeError: ctx.dequeueEvent: the queue name must be a non-empty string, not undefined',
    'TypeError: ctx.waitForEvent: the event name must be a non-empty string, not 7',
  ]);
});

test('guids are shaped like v4, never repeated by a later instance of the same id, and cost no activity', async (t) => {
  const { client } = await started(t, {
    orchestrations: {
      Main: function* (ctx) {
        return [yield ctx.newGuid(), yield ctx.newGuid(), yield ctx.utcNow()];
      },
    },
  });
  const guids = new Set();
  const before = Date.now();
  for (let round = 0; round < 3; round++) {
    await client.startOrchestration('same', 'Main');
    const [one, two, now] = await client.waitForOrchestrationTyped('same');
    for (const guid of [one, two]) {
      assert.match(guid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      guids.add(guid);
    }
    assert.ok(now >= before - 1_000 && Number.isInteger(now));
    assert.deepEqual((await kinds(client, 'same')).filter((kind) => kind.startsWith('Activity')), []);
    await client.deleteInstance('same');
  }
  assert.equal(guids.size, 6);
});

test('code that asks for the time without end is stopped instead of the process', async (t) => {
  const { client } = await started(t, {
    orchestrations: {
      Main: function* (ctx) {
        for (;;) yield ctx.utcNow();
      },
    },
  });
  const { status, errorDetails } = await client.run('Main');
  assert.deepEqual([status, errorDetails.code], ['Failed', 'LIMIT']);
});

test('a timer fires no earlier than asked for, also after a restart, and a wrong one is a RangeError', async (t) => {
  const Main = function* (ctx) {
    const begun = yield ctx.utcNow();
    let refused;
    try {
      yield ctx.scheduleTimer(-1);
    } catch (error) {
      refused = error.name;
    }
    const fired = yield ctx.scheduleTimer(150);
    return [fired, (yield ctx.utcNow()) - begun, refused];
  };
  const { client, runtime, provider } = await started(t, { orchestrations: { Main } });
  await client.startOrchestration('i', 'Main');
  await until(async () => (await kinds(client, 'i')).includes('TimerCreated'));
  await runtime.shutdown();
  await started(t, { provider, orchestrations: { Main } });
  const [fired, waited, refusedWith] = await client.waitForOrchestrationTyped('i');
  assert.deepEqual([fired, refusedWith], [null, 'RangeError']);
  assert.ok(waited >= 150, `${waited} ms`);
});
