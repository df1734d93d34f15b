// Sessions across processes that share one store: who owns one, who takes over when the owner dies or
// stops, and that the loser of a session cannot complete anything twice. SIGKILL and SIGSTOP are real.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Runtime } from 'duroxide';
import { BOUNDED, whereHeld, world } from './api/nodes.mjs';
import { started, until } from './helpers.mjs';
import { newStore } from './store.mjs';

/** Activities of one session, one after the other; gives the facts of each. */
const inSession = {
  Main: function* (ctx, { session, keys }) {
    const by = [];
    for (const key of keys) by.push(yield ctx.scheduleActivityOnSession('Hold', key, session));
    return by;
  },
};

/** Runs where that tag is taken: who waits for it knows that this process goes on with other work. */
const pong = {
  Pong: function* (ctx, tag) {
    return yield ctx.scheduleActivity('Where', null, { tag });
  },
};

const completions = async (client, id) => {
  const history = await client.readExecutionHistory(id, 1);
  return history.filter(({ kind }) => kind === 'ActivityCompleted').map(({ data }) => JSON.parse(data).node);
};

test('the activities of a session stay in one process while it lives, across continue-as-new too', BOUNDED, async (t) => {
  const { client, start } = await world(t, {
    Main: function* (ctx, { session, at }) {
      const results = yield ctx.all([1, 2, 3].map((n) => ctx.scheduleActivityOnSession('Where', n, session)));
      const now = [...at, ...results.map(({ ok }) => [ok.node, ok.session])];
      return ctx.executionId < 5 ? yield ctx.continueAsNew({ session, at: now }) : now;
    },
  });
  await Promise.all([start('one'), start('two')]);
  const sessions = ['a', 'b', 'c', 'd'];
  for (const session of sessions) await client.startOrchestration(session, 'Main', { session, at: [] });
  for (const session of sessions) {
    const at = await client.waitForOrchestrationTyped(session);
    assert.equal(at.length, 15);
    assert.equal(new Set(at.map(([node]) => node)).size, 1, JSON.stringify(at));
    assert.deepEqual(new Set(at.map(([, own]) => own)), new Set([session]));
  }
});

test('when the owner of a session is killed another process takes the session over', BOUNDED, async (t) => {
  const { client, start } = await world(t, inSession);
  const both = await Promise.all([start('one'), start('two')]);
  const keys = ['1', '2', '3', '4'];
  await client.startOrchestration('i', 'Main', { session: 's', keys });
  const owner = await whereHeld(both, '1');
  const other = both.find((node) => node !== owner);
  owner.pass('1');
  await owner.held('2');
  assert.equal(await owner.kill(), 'SIGKILL');
  assert.equal((await other.held('2')).attempt, 2);
  for (const key of keys.slice(1)) {
    await other.held(key);
    other.pass(key);
  }
  const by = await client.waitForOrchestrationTyped('i');
  assert.deepEqual(by.map(({ node }) => node), [owner, other, other, other].map(({ name }) => name));
  assert.deepEqual(by.map(({ attempt }) => attempt), [1, 2, 1, 1]);
  assert.equal((await completions(client, 'i')).length, keys.length);
});

test('a session that nothing runs in is free at once when its owner is killed', BOUNDED, async (t) => {
  const { client, start } = await world(t, {
    Main: function* (ctx) {
      const first = yield ctx.scheduleActivityOnSession('Where', null, 's');
      yield ctx.waitForEvent('go');
      return [first.node, (yield ctx.scheduleActivityOnSession('Where', null, 's')).node];
    },
  });
  const owner = await start('owner');
  await client.startOrchestration('i', 'Main');
  await until(async () => (await completions(client, 'i')).length === 1);
  await start('other');
  assert.equal(await owner.kill(), 'SIGKILL');
  await client.raiseEvent('i', 'go');
  // It would have stayed with its owner for five minutes.
  assert.deepEqual(await client.waitForOrchestrationTyped('i'), ['owner', 'other']);
});

test('a process that lost its session while it was stopped cannot complete its activity a second time', BOUNDED, async (t) => {
  const lease = { workerLockTimeoutMs: 900 };
  const { client, start } = await world(t, { ...inSession, ...pong });
  const tagged = (tag) => ({ ...lease, holdsTheThread: true, workerTagFilter: { defaultAnd: [tag] } });
  const both = await Promise.all([start('one', tagged('one')), start('two', tagged('two'))]);
  await client.startOrchestration('i', 'Main', { session: 's', keys: ['1', '2'] });
  const owner = await whereHeld(both, '1');
  const other = both.find((node) => node !== owner);
  await owner.stop(() => client.raiseEvent('i', 'unread'));
  // The owner's leases run out, the other takes the activity and with it the session.
  assert.equal((await other.held('1')).attempt, 2);
  // The first one goes on and ends while the second attempt still runs.
  owner.pass('1');
  owner.process.kill('SIGCONT');
  await owner.hears(({ ended }) => ended === '1');
  await client.startOrchestration('pong', 'Pong', owner.name);
  assert.equal((await client.waitForOrchestrationTyped('pong')).node, owner.name);
  assert.deepEqual(await completions(client, 'i'), [], 'nothing of the late end was recorded');
  other.pass('1');
  await other.held('2');
  other.pass('2');
  const by = await client.waitForOrchestrationTyped('i');
  assert.deepEqual(by.map(({ node, attempt }) => [node, attempt]), [[other.name, 2], [other.name, 1]]);
  assert.deepEqual(await completions(client, 'i'), [other.name, other.name]);
  assert.deepEqual([owner.runs('1'), owner.runs('2'), other.runs('1'), other.runs('2')], [1, 0, 1, 1]);
});

test('a restarted process with the same workerNodeId goes on with its sessions, also when the old one is only stopped', BOUNDED, async (t) => {
  const { client, start } = await world(t, {
    Main: function* (ctx) {
      const workers = [];
      for (const key of ['1', '2']) {
        workers.push((yield ctx.scheduleActivityOnSession('Hold', key, 's')).worker);
        yield ctx.waitForEvent('next');
      }
      return workers;
    },
  });
  const old = await start('old', { workerNodeId: 'pod-1' });
  await client.startOrchestration('i', 'Main');
  await old.held('1');
  old.pass('1');
  await until(async () => (await completions(client, 'i')).length === 1);
  await start('bystander', { workerNodeId: 'pod-2' });
  await old.stop(() => client.raiseEvent('i', 'unread'));
  // It holds its lock and its session is not idle for long: only its own successor may go on at once.
  const successor = await start('new', { workerNodeId: 'pod-1' });
  await client.raiseEvent('i', 'next');
  await successor.held('2');
  successor.pass('2');
  await client.raiseEvent('i', 'next');
  assert.deepEqual(await client.waitForOrchestrationTyped('i'), ['pod-1', 'pod-1']);
  assert.deepEqual(await completions(client, 'i'), ['old', 'new']);
});

test('a session that is idle for longer than sessionIdleTimeoutMs may move, before that it may not', async (t) => {
  for (const [sessionIdleTimeoutMs, expected] of [[200, 'two'], [300_000, 'one']]) {
    const provider = await newStore();
    t.after(() => provider.close());
    let busy;
    const { client } = await started(t, {
      provider,
      options: { workerConcurrency: 0 },
      orchestrations: {
        Main: function* (ctx) {
          yield ctx.scheduleActivityOnSession('Where', null, 's');
          // Its owner has no hand free, and this is no activity of the session.
          const blocking = ctx.scheduleActivity('Block');
          return yield ctx.all([blocking, ctx.scheduleActivityOnSession('Where', null, 's')]);
        },
        Other: function* (ctx, session) {
          return yield ctx.scheduleActivityOnSession('Where', null, session);
        },
      },
    });
    const options = { workerConcurrency: 1, sessionIdleTimeoutMs };
    await started(t, {
      provider,
      options: { ...options, workerNodeId: 'one' },
      activities: {
        Where: () => 'one',
        Block: () => new Promise((resolve) => (busy = resolve)),
      },
    });
    await client.startOrchestration('i', 'Main');
    await until(() => busy);
    await started(t, { provider, options: { ...options, workerNodeId: 'two' }, activities: { Where: () => 'two' } });
    if (expected === 'one') {
      // The other one takes what it may take, and leaves this session alone.
      for (const id of ['x', 'y', 'z']) {
        await client.startOrchestration(id, 'Other', id);
        assert.equal(await client.waitForOrchestrationTyped(id), 'two');
      }
    } else {
      await until(async () => (await client.readExecutionHistory('i', 1)).filter(({ kind }) => kind === 'ActivityCompleted').length === 2);
    }
    busy('blocked');
    assert.deepEqual(await client.waitForOrchestrationTyped('i'), [{ ok: 'blocked' }, { ok: expected }]);
  }
});

test('a Runtime owns at most maxSessionsPerRuntime sessions, and with 0 none', async (t) => {
  const provider = await newStore();
  t.after(() => provider.close());
  const { client } = await started(t, {
    provider,
    options: { workerConcurrency: 0 },
    orchestrations: {
      Main: function* (ctx, sessions) {
        const results = yield ctx.all(sessions.map((session) => ctx.scheduleActivityOnSession('Where', null, session)));
        return results.map(({ ok }) => ok);
      },
      Plain: function* (ctx) {
        return yield ctx.scheduleActivity('Where');
      },
    },
  });
  const node = (workerNodeId, maxSessionsPerRuntime) =>
    started(t, { provider, options: { workerNodeId, maxSessionsPerRuntime }, activities: { Where: () => workerNodeId } });
  await node('none', 0);
  await client.startOrchestration('two', 'Main', ['a', 'b']);
  await client.startOrchestration('plain', 'Plain');
  assert.equal(await client.waitForOrchestrationTyped('plain'), 'none');
  assert.equal((await client.getOrchestrationStatus('two')).status, 'Running');
  await node('one', 1);
  await until(async () => (await client.readExecutionHistory('two', 1)).some(({ kind }) => kind === 'ActivityCompleted'));
  // Its one session is owned; the next Runtime takes the other.
  await node('another', 1);
  assert.deepEqual((await client.waitForOrchestrationTyped('two')).sort(), ['another', 'one']);
});

test('wrong session options and ids are refused by name', async (t) => {
  const provider = await newStore();
  t.after(() => provider.close());
  for (const [options, message] of [
    [{ maxSessionsPerRuntime: -1 }, "new Runtime: option 'maxSessionsPerRuntime' must be an integer >= 0, not -1"],
    [{ sessionIdleTimeoutMs: 0 }, "new Runtime: option 'sessionIdleTimeoutMs' must be an integer >= 1, not 0"],
    [{ workerNodeId: '' }, "new Runtime: option 'workerNodeId' must be a non-empty string, not ''"],
  ]) {
    assert.throws(() => new Runtime(provider, options), { name: 'TypeError', message });
  }
  const policy = { maxAttempts: 1 };
  const { client } = await started(t, {
    orchestrations: {
      Main: function* (ctx) {
        const told = [];
        for (const call of [
          () => ctx.scheduleActivityOnSession('Where', null, ''),
          () => ctx.scheduleActivityOnSession('Where', null),
          () => ctx.scheduleActivityWithRetryOnSession('Where', null, policy, 7),
          () => ctx.scheduleActivity('Where', null, { sessionId: '' }),
        ]) {
          try {
            yield call();
          } catch (error) {
            told.push(`${error.name}: ${error.message}`);
          }
        }
        return told;
      },
    },
  });
  assert.deepEqual((await client.run('Main')).output, [
    "TypeError: ctx.scheduleActivityOnSession: sessionId must be a non-empty string, not ''",
    'TypeError: ctx.scheduleActivityOnSession: sessionId must be a non-empty string, not undefined',
    'TypeError: ctx.scheduleActivityWithRetryOnSession: sessionId must be a non-empty string, not 7',
    "TypeError: ctx.scheduleActivity: option 'sessionId' must be a non-empty string, not ''",
  ]);
});
