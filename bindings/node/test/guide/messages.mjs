// The guide's custom status, event queues and chat.
import assert from 'node:assert/strict';
import { App } from '../blocks/app.mjs';
import { until } from '../helpers.mjs';
import { block, prose } from './case.mjs';

const STATUS = 'Custom Status — Progress Reporting';
const QUEUES = 'Event Queues — Persistent FIFO Messaging';

export default [
  block(STATUS, 1, 'the polling loop prints the three steps and ends by itself', async (t, text) => {
    const seen = (step) => until(() => app.lines.some((line) => line.includes(step)));
    const app = await App.open(t, {
      // Each step waits until the one before it was seen, or the loop might pass one over.
      activities: {
        Validate: () => seen('step 1'),
        async Process(_, input) {
          await seen('step 2');
          return `${input} processed`;
        },
      },
      prepare: ({ client, instanceId }) => client.startOrchestration(instanceId, 'LongProcess', 'a film'),
    });
    const { lastVersion } = await app.run(text);
    assert.deepEqual(app.lines, ['Progress: step 1: validating', 'Progress: step 2: processing', 'Progress: step 3: complete']);
    const { output, customStatus, customStatusVersion } = await app.client.getOrchestrationStatus(app.instanceId);
    assert.deepEqual([output, customStatus, customStatusVersion], ['a film processed', 'step 3: complete', 3]);
    assert.equal(lastVersion, 3);
  }),

  prose(STATUS, 'resetCustomStatus() clears it, which is a change too', async (t) => {
    const app = await App.open(t, {
      activities: { Pass: () => null },
      orchestrations: {
        *Resets(ctx) {
          ctx.setCustomStatus('busy');
          yield ctx.scheduleActivity('Pass');
          ctx.resetCustomStatus();
          return ctx.getCustomStatus();
        },
      },
    });
    const { output, customStatus, customStatusVersion } = await app.call('Resets');
    assert.deepEqual([output, customStatus, customStatusVersion], [null, undefined, 2]);
  }),

  block(QUEUES, 1, 'both messages are processed in the order in which they were sent, an execution each', async (t, text) => {
    const executions = [];
    const app = await App.open(t, {
      activities: {
        ProcessTask(ctx, task) {
          executions.push(ctx.executionId);
          return `${task.type}d`;
        },
      },
      prepare: ({ client, instanceId }) => client.startOrchestration(instanceId, 'WorkProcessor', ''),
    });
    await app.run(text);
    const status = await until(async () => {
      const now = await app.client.getOrchestrationStatus(app.instanceId);
      return now.customStatus?.includes('"done":2') && now;
    });
    assert.equal(status.customStatus, JSON.stringify({ done: 2, result: 'compressd' }));
    assert.deepEqual(app.inputs('ProcessTask'), [{ id: 1, type: 'resize' }, { id: 2, type: 'compress' }]);
    assert.deepEqual(executions, [1, 2]);
    assert.equal(status.status, 'Running', 'the third round blocks until a message comes');
  }),

  prose(QUEUES, 'messages sent before any Runtime ran outlive a restart and continue-as-new', async (t) => {
    const app = await App.open(t, {
      orchestrations: {
        *Collects(ctx, got) {
          const all = [...got, yield ctx.dequeueEvent('box')];
          return all.length === 3 ? all : yield ctx.continueAsNew(all);
        },
      },
    });
    await app.client.startOrchestration(app.instanceId, 'Collects', []);
    await app.client.enqueueEvent(app.instanceId, 'box', 'a');
    await app.client.enqueueEvent(app.instanceId, 'box', 'b');
    await app.arrange();
    await until(async () => (await app.client.listExecutions(app.instanceId)).length === 3);
    await app.restart();
    await app.client.enqueueEvent(app.instanceId, 'box', 'c');
    assert.deepEqual((await app.client.waitForOrchestration(app.instanceId)).output, ['a', 'b', 'c']);
  }),

  block('Real-World Pattern: Multi-Turn Chat', 1, 'the reply is printed, and the conversation goes on until bye', async (t, text) => {
    const app = await App.open(t, {
      activities: { Generate: (_, said) => `You said: ${said}` },
      prepare: ({ client, instanceId }) => client.startOrchestration(instanceId, 'ChatBot', ''),
    });
    const { reply, status } = await app.run(text);
    assert.deepEqual(app.lines, ['You said: Hello!']);
    assert.deepEqual(reply, { state: 'replied', response: 'You said: Hello!', seq: 1 });
    await app.client.enqueueEvent(app.instanceId, 'inbox', JSON.stringify({ seq: 2, text: 'bye now' }));
    const next = await app.client.waitForStatusChange(app.instanceId, status.customStatusVersion, 50, 10000);
    assert.equal(JSON.parse(next.customStatus).response, 'You said: bye now');
    const { output } = await app.client.waitForOrchestration(app.instanceId);
    assert.equal(output, 'Done after 2 msgs');
    assert.deepEqual(await app.client.listExecutions(app.instanceId), [1, 2]);
  }),
];
