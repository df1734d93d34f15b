// The orchestrations of the chaos: whatever happens to processes and connections, each has one
// outcome. Not here: their activities (`activities.mjs`), who starts them (`workload.mjs`).

const RETRY = { maxAttempts: 20, backoff: { initialMs: 10, maxMs: 100, factor: 2 } };
const HOUR = 3_600_000;

/** One step after the other. */
function* Steps(ctx, { steps }) {
  let sum = 0;
  for (let step = 1; step <= steps; step++) sum += (yield* ctx.scheduleActivity('Work', step)).value;
  return sum;
}

/** Many at once, timers and a child among them. */
function* FanOut(ctx, { width }) {
  const works = Array.from({ length: width }, (_, n) => ctx.scheduleActivity('Work', n));
  const others = [ctx.scheduleTimer(150), ctx.scheduleSubOrchestration('Steps', { steps: 2 })];
  const results = yield* ctx.all([...works, ...others]);
  return results.map(({ ok }) => ok?.value ?? ok);
}

/** Races that have one possible winner each. */
function* Races(ctx) {
  const work = yield* ctx.race(ctx.scheduleActivity('Work', 4), ctx.scheduleTimer(HOUR));
  const timer = yield* ctx.race(ctx.waitForEvent('never'), ctx.scheduleTimer(120));
  const patience = yield* ctx.race(ctx.scheduleActivity('Hang'), ctx.scheduleTimer(200));
  const child = yield* ctx.race(ctx.scheduleSubOrchestration('Waiter'), ctx.scheduleActivity('Work', 5));
  return [work.index, timer.index, patience.index, child.index];
}

/** Children: implicit and explicit ids, one that fails. */
function* Family(ctx) {
  const [one, two] = yield* ctx.all([
    ctx.scheduleSubOrchestration('Steps', { steps: 3 }),
    ctx.scheduleSubOrchestrationWithId('Steps', `${ctx.instanceId}/two`, { steps: 2 }),
  ]);
  try {
    yield* ctx.scheduleSubOrchestrationWithId('Failing', `${ctx.instanceId}/failing`);
  } catch (error) {
    return [one.ok, two.ok, error.message];
  }
}

function* Failing(ctx) {
  yield* ctx.scheduleTimer(50);
  yield* ctx.scheduleActivity('Fail', 'this child fails');
}

/** Executions, with values and a status that go on across them. */
function* Rounds(ctx, { rounds, round = 1, seen = [] }) {
  const before = ctx.getValue('round');
  const done = yield* ctx.scheduleActivity('Work', round);
  ctx.setValue('round', String(round));
  ctx.setCustomStatus(`round ${round}`);
  yield* ctx.scheduleTimer(40);
  const now = [...seen, [before, done.value, ctx.getCustomStatus()]];
  if (round === rounds) return now;
  return yield* ctx.continueAsNew({ rounds, round: round + 1, seen: now });
}

/** Two events: one that comes before anybody waits for it, and one that is asked for. */
function* Approval(ctx) {
  const early = yield* ctx.waitForEvent('early');
  const asked = yield* ctx.scheduleActivity('Work', 1);
  ctx.setCustomStatus('asking');
  const answer = yield* ctx.waitForEvent('answer');
  yield* ctx.scheduleActivity('Work', 2);
  return [early.n, asked.value, answer.n];
}

/** Messages in their order, a new execution after every third. */
function* Inbox(ctx, { total, got = [] }) {
  const now = [...got];
  for (let taken = 0; taken < 3; taken++) {
    const { n } = yield* ctx.dequeueEvent('inbox');
    now.push(n);
    if (now.length === total) return now;
    yield* ctx.scheduleActivity('Work', n);
  }
  return yield* ctx.continueAsNew({ total, got: now });
}

/** Until somebody cancels it; cleans up after itself. */
function* Cancelled(ctx) {
  try {
    const child = ctx.scheduleSubOrchestrationWithId('Waiter', `${ctx.instanceId}/waiter`);
    const hang = ctx.scheduleActivity('Hang');
    ctx.setCustomStatus('ready');
    yield* ctx.all([child, hang, ctx.waitForEvent('never')]);
  } finally {
    yield* ctx.scheduleTimer(30);
    yield* ctx.scheduleActivity('Work', 9);
  }
}

/** Until somebody terminates it. */
function* Terminated(ctx) {
  ctx.setCustomStatus('ready');
  yield* ctx.scheduleSubOrchestrationWithId('Waiter', `${ctx.instanceId}/waiter`);
}

function* Waiter(ctx) {
  yield* ctx.waitForEvent('never');
}

/** What fails undoes what was done before it, in reverse. */
function* Saga(ctx, { card }) {
  const undo = [];
  try {
    yield* ctx.scheduleActivity('Work', 1);
    undo.push(1);
    yield* ctx.scheduleActivity('Work', 2);
    undo.push(2);
    yield* ctx.scheduleActivityWithRetry('Charge', card, { ...RETRY, nonRetryable: ['CardDeclined'] });
    return 'paid';
  } catch (error) {
    const undone = [];
    for (const step of undo.reverse()) undone.push((yield* ctx.scheduleActivity('Work', -step)).value);
    return [error.message, undone];
  }
}

/** Activities that stay in one process while it lives. */
function* Session(ctx) {
  const session = yield* ctx.newGuid();
  let sum = 0;
  for (let step = 1; step <= 4; step++) sum += (yield* ctx.scheduleActivityOnSession('Work', step, session)).value;
  return sum;
}

/** An activity that fails until its third try. */
function* Retried(ctx) {
  return (yield* ctx.scheduleActivityWithRetry('Flaky', 3, RETRY)).value;
}

/**
 * Activities that send: each attempt a message of its own. What an earlier attempt sent before
 * its process died is taken too, so that none is left behind.
 */
function* Relay(ctx, { signals }) {
  const heard = new Set();
  for (let n = 1; n <= signals; n++) {
    yield* ctx.scheduleActivity('Signal', { to: ctx.instanceId, n });
    heard.add((yield* ctx.dequeueEvent('relay')).n);
    for (;;) {
      const more = yield* ctx.race(ctx.dequeueEvent('relay'), ctx.scheduleTimer(50));
      if (more.index === 1) break;
      heard.add(more.value.n);
    }
  }
  return [...heard];
}

/** Starts two others and waits for neither: one itself, one through an activity's client. */
function* Detached(ctx) {
  yield* ctx.startOrchestration('Steps', `${ctx.instanceId}/detached`, { steps: 2 });
  yield* ctx.scheduleActivity('Launch', `${ctx.instanceId}/launched`);
  return 'started';
}

/** By the name that they are registered by. */
export const orchestrations = {
  Steps,
  FanOut,
  Races,
  Family,
  Failing,
  Rounds,
  Approval,
  Inbox,
  Cancelled,
  Terminated,
  Waiter,
  Saga,
  Session,
  Retried,
  Relay,
  Detached,
};
