// The guide's metrics, client operations, versioning, parallel blocks, determinism.
import assert from 'node:assert/strict';
import { App } from '../blocks/app.mjs';
import { runBody, snippets } from '../blocks/snippet.mjs';
import { until } from '../helpers.mjs';
import { block, prose } from './case.mjs';

const PARALLEL = 'Multi-Step Parallel Blocks (Sub-Orchestration Pattern)';
const DETERMINISM = 'Determinism Rules';

/** An instance waits in the middle, all is replayed after a restart, then it goes on. */
async function acrossARestart(t, code) {
  const app = await App.open(t, {
    orchestrations: {
      *Halves(ctx) {
        const first = yield* code(ctx);
        yield ctx.waitForEvent('go');
        return first;
      },
    },
  });
  await app.arrange();
  await app.client.startOrchestration(app.instanceId, 'Halves');
  await until(async () => (await app.events('ExternalSubscribed')).length === 1);
  await app.restart();
  await app.client.raiseEvent(app.instanceId, 'go');
  const ended = await app.client.waitForOrchestration(app.instanceId);
  assert.equal(ended.status, 'Completed', ended.error);
  return { app, ended };
}

export default [
  block('Metrics', 1, 'the four counters are printed after one instance with two activities', async (t, text) => {
    const app = await App.open(t, {
      activities: { Work: () => null },
      orchestrations: {
        *Twice(ctx) {
          yield ctx.scheduleActivity('Work');
          yield ctx.scheduleActivity('Work');
        },
      },
    });
    await app.call('Twice');
    const { snapshot } = await app.run(text);
    assert.deepEqual(app.lines, [
      'Orchestrations started: 1',
      'Orchestrations completed: 1',
      'Activity successes: 2',
      'Provider errors: 0',
    ]);
    assert.deepEqual([snapshot.orchFailures, snapshot.activityAppErrors], [0, 0]);
  }),

  block('Metrics', 1, 'nothing is printed when they are switched off', async (t, text) => {
    const app = await App.open(t, { options: { metrics: false } });
    await app.arrange();
    const { snapshot } = await app.run(text);
    assert.deepEqual([snapshot, app.lines], [null, []]);
  }),

  ...[[0, 'ready'], [1, null]].map(([lastVersion, expected]) =>
    block('Client Operations', 1, `every call answers; the change after version ${lastVersion} is ${expected}`, async (t, text) => {
      const app = await App.open(t, {
        orchestrations: {
          *WorkflowName(ctx, input) {
            ctx.setCustomStatus('ready');
            return input;
          },
        },
        scope: () => ({ inputData: { n: 1 }, eventData: 'event', data: [1], lastVersion }),
      });
      await app.arrange();
      const [first] = snippets(text);
      const waited = (await runBody(first, app.scope())).status;
      assert.deepEqual(waited, { status: 'Completed', output: { n: 1 }, customStatus: 'ready', customStatusVersion: 1 });
      const { status, change, metrics, depths } = await app.run(text);
      assert.deepEqual(status, waited);
      assert.equal(change && change.customStatus, expected);
      // It was deleted before they were asked.
      assert.equal((await app.client.getOrchestrationStatus('id')).status, 'NotFound');
      assert.deepEqual([metrics.totalInstances, metrics.totalEvents], [0, 0]);
      assert.deepEqual(depths, { orchestratorQueue: 0, workerQueue: 0, timerQueue: 0 });
    })),

  block('Client Operations', 1, 'each part does what its comment says to an instance that runs', async (t, text) => {
    const app = await App.open(t, {
      orchestrations: { *WorkflowName() {} },
      scope: () => ({ inputData: { n: 1 }, eventData: 'event', data: [1], lastVersion: 0 }),
    });
    for (const version of ['1.0.2', '1.1.0']) {
      app.runtime.registerOrchestrationVersioned('WorkflowName', version, function* (ctx, input) {
        ctx.setCustomStatus(`waiting at ${version}`);
        return [input, yield ctx.waitForEvent('eventName'), yield ctx.dequeueEvent('queueName')];
      });
    }
    await app.arrange();
    const [first, ...parts] = text.split('\n\n');
    const { client } = await runBody(first, app.scope());
    const part = (comment) => parts.find((each) => each.startsWith(`// ${comment}\n`));
    const does = (comment, pick = (printed) => printed) => runBody(pick(part(comment)), { ...app.scope(), client });
    const line = (n) => (printed) => printed.split('\n')[n];

    await does('Start an orchestration', line(1));
    assert.equal((await does('Custom status polling')).change.customStatus, 'waiting at 1.1.0');
    assert.equal((await does('Get status without waiting')).status.status, 'Running');
    await assert.rejects(does('Admin operations'), /still running/);
    await does('Raise an event');
    await does('Event queues');
    const { status } = await does('Wait for completion (with timeout in ms)');
    assert.deepEqual([status.status, status.output], ['Completed', [{ n: 1 }, 'event', '[1]']]);
    await does('Admin operations');

    await does('Start an orchestration', line(2));
    assert.equal((await does('Custom status polling')).change.customStatus, 'waiting at 1.0.2');
    await does('Cancel a running orchestration');
    const { error } = await client.waitForOrchestration('id');
    assert.match(error, /^canceled/);
  }),

  block('Versioning', 1, 'a new instance validates, one of 1.0.0 does not, also after a restart in its middle', async (t, text) => {
    let restarted = false;
    const app = await App.open(t, {
      activities: {
        Validate: () => null,
        async Work(ctx, input) {
          if (input === 'old') await until(() => restarted);
          return `${input} at ${ctx.orchestrationVersion}`;
        },
      },
    });
    await app.run(text);
    await app.arrange();
    await app.client.startOrchestrationVersioned('old', 'MyWorkflow', 'old', '1.0.0');
    await until(() => app.inputs('Work').length === 1);
    assert.equal((await app.call('MyWorkflow', 'new', 'new')).output, 'new at 1.0.1');
    await app.restart();
    restarted = true;
    assert.equal((await app.client.waitForOrchestration('old')).output, 'old at 1.0.0');
    assert.deepEqual(app.inputs('Validate'), ['new']);
  }),

  block(PARALLEL, 1, 'the parent joins what both blocks did', async (t, text) => {
    const app = await App.open(t, { activities: { Step: (_, name) => `step ${name}` } });
    await app.run(text);
    const { output } = await app.call('Parent');
    assert.equal(output, 'A:[step A1,step A2],B:[timer,step B1]');
    assert.deepEqual(new Set(app.inputs('Step')), new Set(['A1', 'A2', 'B1']));
    const [a, b] = (await app.events('SubOrchestrationScheduled')).map(({ data }) => data);
    assert.deepEqual([a.name, b.name], ['BlockA', 'BlockB']);
    const [timer] = await app.events('TimerCreated', b.instance);
    assert.equal(timer.data.fireAtMs - timer.timestampMs, 5);
  }),

  block(PARALLEL, 1, 'a first step without its word takes the fallback', async (t, text) => {
    const app = await App.open(t, { activities: { Step: (_, name) => name } });
    await app.run(text);
    assert.equal((await app.call('Parent')).output, 'A:fallback,B:[timer,B1]');
    assert.equal(app.inputs('Step').includes('A2'), false);
  }),

  prose(DETERMINISM, 'ctx.utcNow and ctx.newGuid give the same on replay', async (t) => {
    const seen = [];
    const { ended } = await acrossARestart(t, function* (ctx) {
      const values = [yield ctx.utcNow(), yield ctx.newGuid(), yield ctx.newGuid()];
      seen.push(values);
      return values;
    });
    assert.deepEqual(seen, [ended.output, ended.output]);
    assert.notEqual(ended.output[1], ended.output[2]);
  }),

  prose(DETERMINISM, 'on replay the code runs again, but a trace is not logged again', async (t) => {
    let runs = 0;
    const { app } = await acrossARestart(t, function* (ctx) {
      runs += 1;
      ctx.traceInfo('once');
    });
    assert.deepEqual([runs, app.traces()], [2, ['once']]);
  }),

  prose(DETERMINISM, 'code that does something else on replay is reported, with what history has and what the code asked', async (t) => {
    let replay = false;
    const app = await App.open(t, {
      activities: { A: () => null, B: () => null },
      orchestrations: {
        *Changing(ctx) {
          yield ctx.scheduleActivity(replay ? 'B' : 'A');
          yield ctx.waitForEvent('go');
        },
      },
    });
    await app.arrange();
    await app.client.startOrchestration(app.instanceId, 'Changing');
    await until(async () => (await app.events('ExternalSubscribed')).length === 1);
    await app.stop();
    replay = true;
    await app.restart();
    await app.client.raiseEvent(app.instanceId, 'go');
    const { status, error } = await app.client.waitForOrchestration(app.instanceId);
    assert.equal(status, 'Failed');
    for (const part of [/nondeterministic/, /history: .*name=A/, /code: .*name=B/]) assert.match(error, part);
  }),
];
