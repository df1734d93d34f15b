// The guide's activity patterns and sessions.
import assert from 'node:assert/strict';
import { Runtime } from 'duroxide';
import { App } from '../blocks/app.mjs';
import { until } from '../helpers.mjs';
import { block, prose } from './case.mjs';

/** An orchestration that calls one activity. */
const CALLS = {
  *Calls(ctx, [name, input, options]) {
    return yield ctx.scheduleActivity(name, input, options);
  },
};

export default [
  block('Basic Activity', 1, 'the e-mail service is called once, and the sending is logged', async (t, text) => {
    const sent = [];
    const app = await App.open(t, {
      orchestrations: CALLS,
      scope: () => ({ emailService: { send: async (...mail) => sent.push(mail) } }),
    });
    await app.run(text);
    const mail = { to: 'a@example.com', subject: 'Hi', body: 'there' };
    const { output } = await app.call('Calls', ['SendEmail', mail]);
    assert.deepEqual(output, { sent: true });
    assert.deepEqual(sent, [['a@example.com', 'Hi', 'there']]);
    assert.deepEqual(app.traces(), ['sending to a@example.com']);
  }),

  block('Activity with Client Access', 1, 'the orchestration that the activity started completes', async (t, text) => {
    const app = await App.open(t, {
      orchestrations: {
        ...CALLS,
        *CleanupWorkflow(_, input) {
          return `cleaned ${input.resourceId}`;
        },
      },
    });
    await app.run(text);
    const { output } = await app.call('Calls', ['TriggerCleanup', { id: 7 }]);
    assert.deepEqual(output, { triggered: true });
    const cleanup = await app.client.waitForOrchestration('cleanup-7');
    assert.equal(cleanup.output, 'cleaned 7');
    assert.equal((await app.client.getInstanceInfo('cleanup-7')).parentInstanceId, undefined);
  }),

  block('Returning Errors', 1, 'what the activity throws is the error of the orchestration', async (t, text) => {
    const app = await App.open(t, { orchestrations: CALLS });
    await app.run(text);
    const failed = await app.call('Calls', ['ValidateInput', {}], 'without');
    assert.equal(failed.status, 'Failed');
    assert.match(failed.error, /email is required/);
    const valid = await app.call('Calls', ['ValidateInput', { email: 'a@example.com' }], 'with');
    assert.deepEqual(valid.output, { valid: true });
  }),

  block('Schedule Activity on Session', 1, 'of two workers, one runs both turns of a game', async (t, text) => {
    const app = await App.open(t, {
      activities: { RunTurn: (ctx, { turn }) => ({ turn, worker: ctx.workerId, session: ctx.sessionId }) },
      nodes: [{ workerNodeId: 'left' }, { workerNodeId: 'right' }],
    });
    await app.run(text);
    const games = await Promise.all([1, 2, 3, 4, 5, 6].map((game) => app.call('GameTurn', null, `game-${game}`)));
    for (const { output } of games) {
      assert.match(output.r1.session, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.deepEqual(output.r2, { ...output.r1, turn: 2 });
    }
    assert.equal(new Set(games.map(({ output }) => output.r1.session)).size, 6);
  }),

  block('Schedule Activity on Session', 2, 'the activity runs in the session of the options', async (t, text) => {
    const app = await App.open(t, { activities: { RunTurn: (ctx, { turn }) => `${ctx.sessionId}: turn ${turn}` } });
    await app.run(text);
    assert.deepEqual((await app.call('Snippet')).output, { r: 'my-session: turn 1' });
  }),

  block('Reading Session ID in Activities', 1, 'the log has the session, or null for a regular activity', async (t, text) => {
    const app = await App.open(t, { orchestrations: CALLS });
    await app.run(text);
    const pinned = await app.call('Calls', ['RunTurn', { turn: 3 }, { sessionId: 's' }], 'pinned');
    await app.call('Calls', ['RunTurn', { turn: 4 }], 'regular');
    assert.equal(pinned.output, 'turn-3');
    assert.deepEqual([app.traces('pinned'), app.traces('regular')], [['session: s'], ['session: null']]);
  }),

  block('Session Runtime Options', 1, 'ten sessions stay on the named worker, the eleventh goes to another', async (t, text) => {
    const app = await App.open(t);
    const { runtime } = await app.run(text);
    const other = new Runtime(app.provider, { workerNodeId: 'other-pod' });
    for (const each of [runtime, other]) {
      each.registerActivity('Where', (ctx) => ctx.workerId);
      each.registerOrchestration('Calls', CALLS.Calls);
    }
    t.after(() => Promise.all([runtime.shutdown(), other.shutdown()]));
    await runtime.start();
    const where = async (session) => (await app.call('Calls', ['Where', null, { sessionId: session }], session)).output;
    const sessions = Array.from({ length: 10 }, (_, n) => `session-${n}`);
    assert.deepEqual(new Set(await Promise.all(sessions.map(where))), new Set(['pod-name']));
    await other.start();
    assert.equal(await where('session-10'), 'other-pod');
    assert.equal((await app.call('Calls', ['Where', null, { sessionId: 'session-3' }], 'again')).output, 'pod-name');
  }),

  prose('Core Concepts', 'an orchestration survives a restart, and the result of its finished activity is kept', async (t) => {
    const app = await App.open(t, {
      activities: { First: () => 'from before', Second: (_, input) => `${input}, and after` },
      orchestrations: {
        *Two(ctx) {
          const first = yield ctx.scheduleActivity('First');
          yield ctx.waitForEvent('go');
          return yield ctx.scheduleActivity('Second', first);
        },
      },
    });
    await app.arrange();
    await app.client.startOrchestration(app.instanceId, 'Two');
    await until(async () => (await app.events('ExternalSubscribed')).length === 1);
    await app.restart();
    await app.client.raiseEvent(app.instanceId, 'go');
    const { output } = await app.client.waitForOrchestration(app.instanceId);
    assert.equal(output, 'from before, and after');
    assert.deepEqual(app.calls, [['First', null], ['Second', 'from before']]);
  }),
];
