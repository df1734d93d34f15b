// What is left of an error on its way from an activity to orchestration, parent and client.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import vm from 'node:vm';
import {
  ActivityError,
  CancelledError,
  DuroxideError,
  InstanceExistsError,
  LimitError,
  NondeterminismError,
  OrchestrationError,
  SubOrchestrationError,
  TimeoutError,
} from 'duroxide';
import { started, until } from './helpers.mjs';

class OutOfStock extends Error {
  name = 'OutOfStock';
}

const cause = () => new RangeError('0 left', { cause: new TypeError('not counted', { cause: 'the night' }) });
const THROWN = {
  chain: () => new OutOfStock('no bolts', { cause: cause() }),
  ring: () => {
    const one = new Error('one');
    one.cause = new Error('two', { cause: one });
    return one;
  },
  endless: () => {
    let deep = new Error('0');
    for (let n = 1; n < 100; n++) deep = new Error(String(n), { cause: deep });
    return deep;
  },
  aggregate: () => new AggregateError([new TypeError('first'), 'second', new OutOfStock('third')], 'all of them'),
  'other realm': () => vm.runInNewContext("new RangeError('from elsewhere')"),
};

const activities = {
  Throw: (ctx, what) => {
    throw THROWN[what]();
  },
  Never: (ctx) => new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(new Error('aborted')))),
};

/** What an error and its causes say, outermost first. */
function chain(error) {
  const told = [];
  for (let at = error; at !== undefined; at = at.cause) told.push([at.name, at.message]);
  return told;
}

const CHAIN = [
  ['OutOfStock', 'no bolts'],
  ['RangeError', '0 left'],
  ['TypeError', 'not counted'],
];

/** Runs Main, Middle and Leaf, each a child of the one before; gives what each caught, and the client. */
async function threeLevels(t, leaf, options) {
  const caught = {};
  const catching = (name, code) =>
    function* (ctx, input) {
      try {
        return yield* code(ctx, input);
      } catch (error) {
        caught[name] = error;
        throw error;
      }
    };
  const { client } = await started(t, {
    options,
    activities,
    orchestrations: {
      Leaf: catching('Leaf', leaf),
      Middle: catching('Middle', function* (ctx, input) {
        return yield ctx.scheduleSubOrchestrationWithId('Leaf', 'the-leaf', input);
      }),
      Main: catching('Main', function* (ctx, input) {
        return yield ctx.scheduleSubOrchestration('Middle', input);
      }),
    },
  });
  await client.startOrchestration('main', 'Main');
  const status = await client.waitForOrchestration('main');
  return { caught, client, status };
}

test('message, name and cause of an activity’s error survive to parent, grandparent and client', async (t) => {
  const { caught, client, status } = await threeLevels(t, function* (ctx) {
    return yield ctx.scheduleActivity('Throw', 'chain');
  });
  for (const error of Object.values(caught)) assert.deepEqual(chain(error).slice(0, 3), CHAIN);
  assert.equal(caught.Leaf.cause.cause.cause.message, 'the night');
  assert.ok(caught.Leaf instanceof ActivityError);
  assert.deepEqual([caught.Leaf.code, caught.Leaf.activityName, caught.Leaf.attempt], ['ACTIVITY_FAILED', 'Throw', 1]);
  const children = [caught.Middle, caught.Main].map((error) => {
    assert.ok(error instanceof SubOrchestrationError);
    return [error.code, error.orchestrationName, error.instanceId];
  });
  assert.deepEqual(children, [
    ['SUB_ORCHESTRATION_FAILED', 'Leaf', 'the-leaf'],
    ['SUB_ORCHESTRATION_FAILED', 'Middle', 'main::sub::2'],
  ]);
  const { stack, workerId, cause: told, ...details } = status.errorDetails;
  assert.deepEqual([status.status, status.error], ['Failed', 'no bolts']);
  assert.deepEqual(details, {
    name: 'OutOfStock',
    code: 'SUB_ORCHESTRATION_FAILED',
    message: 'no bolts',
    activityName: 'Throw',
    attempt: 1,
  });
  assert.deepEqual(told, { name: 'RangeError', message: '0 left', cause: { name: 'TypeError', message: 'not counted', cause: { message: 'the night' } } });
  assert.match(stack, /^Error: no bolts|^OutOfStock: no bolts/);
  assert.match(stack, /errors-survive\.test\.mjs/);
  assert.ok(workerId.length > 0);
  await assert.rejects(client.waitForOrchestrationTyped('main'), (error) => {
    assert.ok(error instanceof OrchestrationError);
    assert.deepEqual(chain(error).slice(0, 3), CHAIN);
    assert.deepEqual([error.code, error.instanceId, error.errorDetails.workerId], ['SUB_ORCHESTRATION_FAILED', 'main', workerId]);
    return true;
  });
});

test('stack and worker of an activity’s error reach the details when it is thrown again later', async (t) => {
  const { client } = await started(t, {
    options: { workerNodeId: 'pod-7' },
    activities,
    orchestrations: {
      *Main(ctx) {
        let first;
        try {
          yield ctx.scheduleActivity('Throw', 'chain');
        } catch (error) {
          first = error;
        }
        try {
          yield ctx.scheduleActivity('Throw', 'aggregate');
        } catch {
          yield ctx.scheduleTimer(1);
        }
        throw first;
      },
    },
  });
  const { errorDetails } = await client.run('Main');
  assert.deepEqual([errorDetails.message, errorDetails.code, errorDetails.workerId.includes('pod-7')], ['no bolts', 'ACTIVITY_FAILED', true]);
  assert.match(errorDetails.stack, /errors-survive\.test\.mjs/);
});

test('no stack, path or worker is in what orchestration code sees of an error', async (t) => {
  const { caught } = await threeLevels(t, function* (ctx) {
    return yield ctx.scheduleActivity('Throw', 'chain');
  });
  for (const error of Object.values(caught)) {
    for (let at = error; at !== undefined; at = at.cause) {
      const seen = Object.getOwnPropertyNames(at).map((name) => String(at[name]));
      assert.ok(!seen.some((text) => /\.mjs|\bat /.test(text)), seen.join('\n'));
      assert.equal(at.stack, `${at.name}: ${at.message}`);
    }
  }
});

test('an error of the orchestration’s own fails the parent under its child’s name, not an activity’s', async (t) => {
  const { caught, status } = await threeLevels(t, function* () {
    throw new OutOfStock('own', { cause: cause() });
  });
  assert.deepEqual(chain(caught.Main).slice(0, 2), [['OutOfStock', 'own'], ['RangeError', '0 left']]);
  assert.equal(caught.Main.orchestrationName, 'Middle');
  assert.equal(status.errorDetails.activityName, undefined);
  assert.match(status.errorDetails.stack, /errors-survive\.test\.mjs/);
});

test('an error that wraps what was caught keeps it as its cause', async (t) => {
  const { caught } = await threeLevels(t, function* (ctx) {
    try {
      yield ctx.scheduleActivity('Throw', 'chain');
    } catch (error) {
      throw new Error('while ordering', { cause: error });
    }
  });
  assert.deepEqual(chain(caught.Main).slice(0, 3), [['Error', 'while ordering'], ...CHAIN.slice(0, 2)]);
  assert.ok(caught.Main.cause instanceof ActivityError);
  assert.deepEqual([caught.Main.cause.activityName, caught.Main.cause.attempt], ['Throw', 1]);
});

test('an AggregateError tells what it stands for, and has its first error as its cause', async (t) => {
  const { caught } = await threeLevels(t, function* (ctx) {
    return yield ctx.scheduleActivity('Throw', 'aggregate');
  });
  assert.deepEqual(chain(caught.Main), [
    ['AggregateError', 'all of them [TypeError: first; second; OutOfStock: third]'],
    ['TypeError', 'first'],
  ]);
});

test('a ring of causes is told once around, an endless chain to a depth', async (t) => {
  const depth = {};
  for (const what of ['ring', 'endless']) {
    const { caught } = await threeLevels(t, function* (ctx) {
      return yield ctx.scheduleActivity('Throw', what);
    });
    depth[what] = chain(caught.Main).length;
  }
  assert.deepEqual(depth, { ring: 2, endless: 33 });
});

test('an error of another realm keeps its name', async (t) => {
  const { caught } = await threeLevels(t, function* (ctx) {
    return yield ctx.scheduleActivity('Throw', 'other realm');
  });
  assert.deepEqual(chain(caught.Main), [['RangeError', 'from elsewhere']]);
});

test('an attempt that timed out is a TimeoutError that names its activity; a child’s is the child’s failure', async (t) => {
  const { caught, status } = await threeLevels(t, function* (ctx) {
    return yield ctx.scheduleActivityWithRetry('Never', null, { maxAttempts: 2, timeoutMs: 5, backoff: 'none' });
  });
  assert.ok(caught.Leaf instanceof TimeoutError, String(caught.Leaf));
  assert.deepEqual([caught.Leaf.code, caught.Leaf.activityName], ['TIMEOUT', 'Never']);
  assert.ok(caught.Main instanceof SubOrchestrationError);
  assert.deepEqual([caught.Main.code, status.errorDetails.code], ['TIMEOUT', 'TIMEOUT']);
});

test('in a race the error is that of the task that failed, be it an activity or a child', async (t) => {
  const { client } = await started(t, {
    activities,
    orchestrations: {
      *Child(ctx) {
        yield ctx.scheduleActivity('Throw', 'chain');
      },
      *Main(ctx, which) {
        try {
          yield ctx.race(
            ctx.scheduleActivity(which === 'child' ? 'Never' : 'Throw', 'chain'),
            ctx.scheduleSubOrchestrationWithId('Child', `${ctx.instanceId}-child`, null),
            ctx.waitForEvent('never'),
          );
        } catch (error) {
          return [error.constructor.name, error.activityName ?? error.orchestrationName, error.instanceId ?? null];
        }
      },
    },
  });
  assert.deepEqual((await client.run('Main', 'child')).output, ['SubOrchestrationError', 'Child', 'Main-1-child']);
  assert.deepEqual((await client.run('Main', 'activity')).output, ['ActivityError', 'Throw', null]);
});

test('a child that was cancelled or terminated fails its parent with that code', async (t) => {
  const { client } = await started(t, {
    orchestrations: {
      *Child(ctx) {
        yield ctx.waitForEvent('never');
      },
      *Main(ctx) {
        try {
          yield ctx.scheduleSubOrchestrationWithId('Child', `${ctx.instanceId}-child`);
        } catch (error) {
          return [error.constructor.name, error.code, error.message];
        }
      },
    },
  });
  const outcome = async (id, stop) => {
    await client.startOrchestration(id, 'Main');
    await until(async () => (await client.getOrchestrationStatus(`${id}-child`)).status === 'Running');
    await stop(`${id}-child`);
    return client.waitForOrchestrationTyped(id);
  };
  assert.deepEqual(await outcome('a', (id) => client.cancelOrchestration(id, 'enough')), ['SubOrchestrationError', 'CANCELLED', 'canceled: enough']);
  const [name, code, message] = await outcome('b', (id) => client.terminateOrchestration(id, 'now'));
  assert.deepEqual([name, code], ['SubOrchestrationError', 'TERMINATED']);
  assert.match(message, /now/);
});

test('a child whose id is in use is an error of its own code', async (t) => {
  const { client } = await started(t, {
    orchestrations: {
      *Main(ctx) {
        try {
          yield ctx.scheduleSubOrchestrationWithId('Main', ctx.instanceId);
        } catch (error) {
          return [error.constructor.name, error.code, error.instanceId];
        }
      },
    },
  });
  assert.deepEqual((await client.run('Main')).output, ['SubOrchestrationError', 'INVALID', 'Main-1']);
});

test('a cancelled run has the name of the error that cancelled it, and its code', async (t) => {
  const { client } = await started(t, {
    orchestrations: {
      *Main(ctx) {
        yield ctx.waitForEvent('never');
      },
    },
  });
  await client.startOrchestration('i', 'Main');
  await until(async () => (await client.getOrchestrationStatus('i')).waitingFor?.includes('never'));
  await client.cancelOrchestration('i', 'enough');
  const { error, errorDetails } = await client.waitForOrchestration('i');
  assert.deepEqual([error, errorDetails.name, errorDetails.code], ['canceled: enough', 'CancelledError', 'CANCELLED']);
});

test('each class has its stable code and its own name', () => {
  const made = [
    [new TimeoutError(), 'TIMEOUT'],
    [new CancelledError('c'), 'CANCELLED'],
    [new NondeterminismError('n'), 'NONDETERMINISM'],
    [new LimitError('l'), 'LIMIT'],
    [new InstanceExistsError('i'), 'INSTANCE_EXISTS'],
  ];
  for (const [error, code] of made) {
    assert.deepEqual([error.code, error.name], [code, error.constructor.name]);
    assert.ok(error instanceof DuroxideError && error instanceof Error);
  }
});
