// What a running instance waits on, in a phrase: `waitingFor` of its status.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { started, until } from './helpers.mjs';

const never = () => new Promise(() => undefined);

/** What is waited for, by code that waits for it, and the phrase that tells it. */
const WAITS = {
  'an activity': [(ctx) => ctx.scheduleActivity('Charge'), /activity 'Charge'/],
  'an event': [(ctx) => ctx.waitForEvent('approval'), /event 'approval'/],
  'a queue': [(ctx) => ctx.dequeueEvent('inbox'), /queue 'inbox'/],
  'a timer': [(ctx) => ctx.scheduleTimer(3_600_000), /timer/],
  'a child': [(ctx) => ctx.scheduleSubOrchestrationWithId('Child', 'the-child'), /orchestration 'Child' \(the-child\)/],
  'all of several': [(ctx) => ctx.all([ctx.waitForEvent('one'), ctx.waitForEvent('two')]), /event 'one'.*event 'two'/],
};

const orchestrations = {
  *Child(ctx) {
    yield ctx.waitForEvent('never');
  },
};

/** Polls the status until it says what is waited for. */
function phrase(client, id, says) {
  return until(async () => {
    const { waitingFor } = await client.getOrchestrationStatus(id);
    return waitingFor !== undefined && says.test(waitingFor) && waitingFor;
  });
}

for (const [what, [wait, says]] of Object.entries(WAITS)) {
  test(`an instance that waits for ${what} says so, and nothing once it has ended`, async (t) => {
    const { client } = await started(t, {
      activities: { Charge: never },
      orchestrations: {
        ...orchestrations,
        *Main(ctx) {
          yield wait(ctx);
        },
      },
    });
    await client.startOrchestration('i', 'Main');
    await phrase(client, 'i', says);
    await client.terminateOrchestration('i');
    const { status, waitingFor } = await client.waitForOrchestration('i');
    assert.deepEqual([status, waitingFor], ['Terminated', undefined]);
  });
}

test('an instance whose orchestration nobody has registered names it and says registered', async (t) => {
  const { client } = await started(t, { orchestrations });
  await client.startOrchestration('i', 'Nobody');
  const told = await phrase(client, 'i', /registered/);
  assert.match(told, /'Nobody'/);
});

test('an activity that nobody has registered is named with registered', async (t) => {
  const { client } = await started(t, {
    orchestrations: {
      *Main(ctx) {
        yield ctx.scheduleActivity('Unknown');
      },
    },
  });
  await client.startOrchestration('i', 'Main');
  const told = await phrase(client, 'i', /registered/);
  assert.match(told, /activity 'Unknown'/);
});
