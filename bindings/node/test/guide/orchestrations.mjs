// The guide's orchestration patterns, up to retries.
import assert from 'node:assert/strict';
import { App } from '../blocks/app.mjs';
import { until } from '../helpers.mjs';
import { block } from './case.mjs';

/** An activity that only ends when its result is no longer wanted. */
const hangs = (aborted) => (ctx) =>
  new Promise((_, reject) => {
    ctx.signal.addEventListener('abort', () => {
      aborted.push(ctx.activityName);
      reject(new Error('aborted'));
    });
  });

export default [
  block('Sequential Steps', 1, 'each step gets what the one before it returned', async (t, text) => {
    const app = await App.open(t, {
      activities: { Extract: (_, x) => `${x}, extracted`, Transform: (_, x) => `${x}, transformed`, Load: (_, x) => `${x}, loaded` },
    });
    await app.run(text);
    const { output } = await app.call('Pipeline', 'data');
    assert.equal(output, 'data, extracted, transformed, loaded');
    assert.deepEqual(app.calls, [['Extract', 'data'], ['Transform', 'data, extracted'], ['Load', 'data, extracted, transformed']]);
  }),

  block('Fan-Out / Fan-In', 1, 'all items are in work at once, the results stand in their order', async (t, text) => {
    const app = await App.open(t, {
      activities: {
        async ProcessItem(_, item) {
          await until(() => app.calls.length === 3);
          return item * 2;
        },
      },
    });
    await app.run(text);
    const { output } = await app.call('FanOut', { items: [1, 2, 3] });
    assert.deepEqual(output, [{ ok: 2 }, { ok: 4 }, { ok: 6 }]);
  }),

  block('Fan-Out / Fan-In', 2, 'activity, timer and event are all awaited, the first result is returned', async (t, text) => {
    const app = await App.open(t, {
      activities: { Work: (_, input) => `worked on ${input}` },
      prepare: async ({ client, instanceId }) => {
        await client.startOrchestration(instanceId, 'MixedAll', 'it');
        await client.raiseEvent(instanceId, 'approval', { by: 'me' });
      },
    });
    await app.run(text);
    await app.arrange();
    const { output } = await app.client.waitForOrchestration(app.instanceId);
    assert.deepEqual(output, { ok: 'worked on it' });
    const [[timer], [event]] = [await app.events('TimerCreated'), await app.events('ExternalEvent')];
    assert.equal(timer.data.fireAtMs - timer.timestampMs, 1000);
    assert.equal((await app.events('TimerFired')).length, 1);
    assert.deepEqual([event.data.name, event.data.data], ['approval', { by: 'me' }]);
  }),

  block('Race / Select', 1, 'the service that is faster than the timer gives the output', async (t, text) => {
    const app = await App.open(t, { activities: { FastService: (_, input) => `served ${input}` } });
    await app.run(text);
    const { output } = await app.call('RaceExample', 'me');
    assert.equal(output, 'served me');
    const [timer] = await app.events('TimerCreated');
    assert.equal(timer.data.fireAtMs - timer.timestampMs, 5000);
  }),

  block('Race / Select', 1, 'a service that hangs has timed out, and its signal aborts', async (t, text) => {
    const aborted = [];
    const app = await App.open(t, { activities: { FastService: hangs(aborted) } });
    await app.run(text);
    const { output } = await app.call('RaceExample', 'me');
    assert.equal(output, 'timed out');
    const [[created], [fired]] = [await app.events('TimerCreated'), await app.events('TimerFired')];
    assert.ok(fired.timestampMs >= created.timestampMs + 5000, 'a timer never fires early');
    await until(() => aborted.length === 1);
  }),

  block('Durable Timers', 1, 'the hour stands in the history and goes on after a restart', async (t, text) => {
    const app = await App.open(t, { activities: { SendReminder: () => null } });
    await app.run(text);
    await app.arrange();
    await app.client.startOrchestration(app.instanceId, 'DelayedNotification', 'lunch');
    const [timer] = await until(async () => {
      const timers = await app.events('TimerCreated');
      return timers.length > 0 && timers;
    });
    assert.equal(timer.data.fireAtMs - timer.timestampMs, 60 * 60 * 1000);
    await app.restart();
    assert.equal((await app.client.getOrchestrationStatus(app.instanceId)).status, 'Running');
    await app.client.cancelOrchestration(app.instanceId, 'seen enough');
    const { error } = await app.client.waitForOrchestration(app.instanceId);
    assert.equal(error, 'canceled: seen enough');
    assert.deepEqual(await app.events('TimerCreated'), [timer]);
    assert.deepEqual(app.calls, []);
  }),

  block('Durable Timers', 1, 'the reminder is sent once the timer has fired', async (t, text) => {
    const app = await App.open(t, { activities: { SendReminder: () => null }, timers: true });
    await app.run(text);
    const { output } = await app.call('DelayedNotification', 'lunch');
    assert.equal(output, 'done');
    assert.deepEqual([app.delays, app.calls], [[3_600_000], [['SendReminder', 'lunch']]]);
    const kinds = (await app.client.readExecutionHistory(app.instanceId, 1)).map(({ kind }) => kind);
    assert.ok(kinds.indexOf('TimerFired') < kinds.indexOf('ActivityScheduled'));
  }),

  block('External Events', 1, 'the event that the client raises lets the workflow execute', async (t, text) => {
    const app = await App.open(t, approval());
    await app.run(text);
    const { output } = await app.client.waitForOrchestration('instance-1');
    assert.equal(output, 'approved');
    assert.deepEqual(app.calls, [['RequestApproval', 'a trip'], ['Execute', 'a trip']]);
    // The log knows instances by id, and the other case of this block has the same.
    assert.deepEqual(new Set(app.traces('instance-1')), new Set(['waiting for approval...']));
  }),

  block('External Events', 1, 'a refusal that came first is what the workflow sees', async (t, text) => {
    const app = await App.open(t, approval({ approved: false }));
    await app.run(text);
    const { output } = await app.client.waitForOrchestration('instance-1');
    assert.equal(output, 'rejected');
    assert.deepEqual(app.calls, [['RequestApproval', 'a trip']]);
  }),

  block('Sub-Orchestrations', 1, "the parent's output holds the child's", async (t, text) => {
    const app = await App.open(t, { activities: { DoWork: (_, input) => `${input} done` } });
    await app.run(text);
    const { output } = await app.call('Parent', 'work');
    assert.deepEqual(output, { parentResult: 'work done' });
    const [child] = await app.events('SubOrchestrationScheduled');
    assert.deepEqual([child.data.name, child.data.input], ['Child', 'work']);
    const info = await app.client.getInstanceInfo(child.data.instance);
    assert.deepEqual([info.parentInstanceId, info.status, info.output], [app.instanceId, 'Completed', 'work done']);
  }),

  block('Sub-Orchestrations', 2, 'the child has the given id', async (t, text) => {
    const app = await App.open(t, { orchestrations: { *Child(_, input) { return `child of ${input.id}`; } } });
    await app.run(text);
    const { output } = await app.call('Snippet', { id: 7 });
    assert.deepEqual(output, { result: 'child of 7' });
    assert.equal((await app.client.getOrchestrationStatus('child-7')).output, 'child of 7');
  }),

  block('Fire-and-Forget Orchestrations', 1, 'the starter completes while the monitor still runs', async (t, text) => {
    const app = await App.open(t, {
      activities: { ProvisionVM: () => null },
      orchestrations: {
        *InstanceMonitor(ctx, input) {
          return [input, yield ctx.waitForEvent('stop')];
        },
      },
    });
    await app.run(text);
    const { output } = await app.call('CreateInstance', { instanceId: 'vm-1' });
    assert.deepEqual(output, { status: 'provisioned' });
    assert.deepEqual(app.calls, [['ProvisionVM', { instanceId: 'vm-1' }]]);
    assert.equal((await app.client.getOrchestrationStatus('monitor-vm-1')).status, 'Running');
    assert.equal((await app.client.getInstanceInfo('monitor-vm-1')).parentInstanceId, undefined);
    await app.client.raiseEvent('monitor-vm-1', 'stop', 'now');
    const monitor = await app.client.waitForOrchestration('monitor-vm-1');
    assert.deepEqual(monitor.output, [{ instanceId: 'vm-1' }, 'now']);
  }),

  block('Continue-as-New (Eternal Orchestrations)', 1, 'each round is an execution of its own and counts on', async (t, text) => {
    const app = await App.open(t, { activities: { CheckHealth: () => ({ status: 'well' }) }, timers: true });
    await app.run(text);
    await app.arrange();
    await app.client.startOrchestration(app.instanceId, 'Monitor', { target: 'db' });
    await until(() => app.traces().length >= 3);
    await app.client.terminateOrchestration(app.instanceId);
    assert.deepEqual(app.traces().slice(0, 3), ['health check #0: well', 'health check #1: well', 'health check #2: well']);
    assert.deepEqual([new Set(app.inputs('CheckHealth')), new Set(app.delays)], [new Set(['db']), new Set([30_000])]);
    const [third] = await app.events('OrchestrationStarted', app.instanceId, 3);
    assert.deepEqual(third.data.input, { target: 'db', state: { checkCount: 2 } });
  }),

  block('Continue-as-New (Eternal Orchestrations)', 1, 'the next check is 30 s away, in the history too', async (t, text) => {
    const app = await App.open(t, { activities: { CheckHealth: () => ({ status: 'well' }) } });
    await app.run(text);
    await app.arrange();
    await app.client.startOrchestration(app.instanceId, 'Monitor', { target: 'db' });
    const [timer] = await until(async () => {
      const timers = await app.events('TimerCreated');
      return timers.length > 0 && timers;
    });
    assert.equal(timer.data.fireAtMs - timer.timestampMs, 30_000);
    await app.client.terminateOrchestration(app.instanceId);
  }),

  block('Error Handling', 1, 'a call that works gives its result, without clean-up', async (t, text) => {
    const app = await App.open(t, { activities: { RiskyCall: () => 'lucky', Cleanup: () => null } });
    await app.run(text);
    assert.equal((await app.call('SafeWorkflow', 'x')).output, 'lucky');
    assert.deepEqual(app.calls, [['RiskyCall', 'x']]);
  }),

  block('Error Handling', 1, 'a call that fails is logged, cleaned up after and told in the output', async (t, text) => {
    const app = await App.open(t, {
      activities: {
        RiskyCall: () => {
          throw new Error('the bank is closed');
        },
        Cleanup: () => null,
      },
    });
    await app.run(text);
    const { status, output } = await app.call('SafeWorkflow', 'x');
    assert.deepEqual([status, output], ['Completed', { status: 'failed', error: 'the bank is closed' }]);
    assert.deepEqual(app.inputs('Cleanup'), [{ error: 'the bank is closed' }]);
    assert.deepEqual(app.traces(), ['activity failed: the bank is closed']);
  }),

  ...retries('Retry Policies', 'FlakeyApi'),
  ...retries('Retry with Session Affinity', 'StatefulOperation', 'session-1'),
];

function approval(first) {
  return {
    activities: { RequestApproval: () => null, Execute: () => null },
    prepare: async ({ client }) => {
      await client.startOrchestration('instance-1', 'ApprovalWorkflow', 'a trip');
      if (first !== undefined) await client.raiseEvent('instance-1', 'approval', first);
    },
  };
}

/** Both retry blocks ask for three attempts, exponential delays, 5 s for each attempt. */
function retries(heading, activity, sessionId) {
  const open = async (t, text, code) => {
    const sessions = [];
    const app = await App.open(t, {
      activities: {
        [activity]: (ctx, input) => {
          sessions.push(ctx.sessionId);
          return code(app.calls.length, ctx, input);
        },
      },
      scope: () => ({ sessionId }),
    });
    await app.run(text);
    const ended = await app.call('Snippet', 'payload');
    const timers = await app.events('TimerCreated');
    const delays = timers.map(({ data, timestampMs }) => data.fireAtMs - timestampMs);
    assert.deepEqual(new Set(sessions), new Set([sessionId ?? null]));
    return { ended, delays, calls: app.calls.length };
  };
  return [
    block(heading, 1, 'the third attempt succeeds after delays of 100 and 200 ms', async (t, text) => {
      const { ended, delays, calls } = await open(t, text, (attempt, _, input) => {
        if (attempt < 3) throw new Error(`attempt ${attempt} failed`);
        return `${input} at attempt ${attempt}`;
      });
      assert.deepEqual(ended.output, { result: 'payload at attempt 3' });
      assert.deepEqual([calls, delays.filter((ms) => ms < 5000)], [3, [100, 200]]);
    }),
    block(heading, 1, 'after three failed attempts the last error is thrown', async (t, text) => {
      const { ended, calls } = await open(t, text, (attempt) => {
        throw new Error(`attempt ${attempt} failed`);
      });
      assert.deepEqual([ended.status, calls], ['Failed', 3]);
      assert.match(ended.error, /attempt 3 failed/);
    }),
    block(heading, 1, 'an attempt that hangs is given up after 5 s and tried again', async (t, text) => {
      const aborted = [];
      const { ended, calls } = await open(t, text, (attempt, ctx) => (attempt === 1 ? hangs(aborted)(ctx) : 'second time lucky'));
      assert.deepEqual([ended.output, calls], [{ result: 'second time lucky' }, 2]);
      await until(() => aborted.length === 1);
    }),
  ];
}
