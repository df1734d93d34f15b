// The activities of the chaos, and where they can be killed: each leaves its effect in a file that
// is none of the engine's, and can be told to stop before or after it. Not here: who kills.
import { setTimeout as pause } from 'node:timers/promises';
import { append } from './store.mjs';

const LONGEST_MS = 200;
/** One in so many takes so many times as long: still under way when a process comes back that was
 *  taken for dead, with its own result of the same. */
const LONG_ONE_IN = 8;

class CardDeclined extends Error {
  name = 'CardDeclined';
}

/** What each does, besides its effect. */
const WORKS = {
  Work: async (ctx, n) => {
    const times = Math.random() * LONG_ONE_IN < 1 ? LONG_ONE_IN : 1;
    await pause(Math.random() * LONGEST_MS * times);
    return 2 * n;
  },
  Fail: async (ctx, message) => {
    throw new Error(message);
  },
  Flaky: async (ctx, tries) => {
    if (ctx.attempt < tries) throw new Error(`try ${ctx.attempt} fails`);
    return 'done';
  },
  Charge: async (ctx, card) => {
    if (card === 'empty') throw new CardDeclined('the card was declined');
    return 'receipt';
  },
  // Until nobody wants it any more.
  Hang: async (ctx) => {
    const { signal } = ctx;
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  },
  Launch: async (ctx, id) => ctx.getClient().startOrchestration(id, 'Steps', { steps: 2 }),
};

/** Sends a message that is this attempt's own, and notes that it was taken. */
async function signal(folder, ctx, { to, n }) {
  const mid = `${ctx.instanceId}/${ctx.executionId}/${ctx.activityId}/${ctx.attempt}`;
  const line = { mid, to, channel: 'Queue', name: 'relay', by: 'activity' };
  append(folder, 'mail.ndjson', { ...line, state: 'sending' });
  await ctx.getClient().enqueueEvent(to, 'relay', { mid, n });
  append(folder, 'mail.ndjson', { ...line, state: 'sent' });
}

/** By name. `reach(where, what)` is told of every place at which a process may be killed. */
export function activities(folder, reach) {
  const works = { ...WORKS, Signal: (ctx, input) => signal(folder, ctx, input) };
  const surrounded = Object.entries(works).map(([name, work]) => {
    const activity = async (ctx, input) => {
      const { instanceId: instance, executionId: execution, activityId: event, attempt } = ctx;
      await reach('before', `${instance}#${event}`);
      append(folder, 'effects.ndjson', { instance, execution, event, attempt, pid: process.pid, session: ctx.sessionId, at: Date.now() });
      try {
        // With the attempt, so that history says whose result it recorded.
        return { value: await work(ctx, input), attempt };
      } finally {
        await reach('after', `${instance}#${event}`);
      }
    };
    return [name, activity];
  });
  return Object.fromEntries(surrounded);
}
