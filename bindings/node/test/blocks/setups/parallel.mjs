// The activities and blocks of docs/parallel-patterns.md.
const left = new Map();

export default {
  activities: {
    Step: (ctx, name) => `${name}.done`,
    Hang: (ctx) => new Promise((resolve) => ctx.signal.addEventListener('abort', resolve)),
    Flaky(ctx, { name, failures }) {
      const key = `${ctx.instanceId}/${name}`;
      const still = left.get(key) ?? failures;
      left.set(key, still - 1);
      if (still > 0) throw new Error(`${name}: ${still} to go`);
      return `${name}.done`;
    },
  },
  orchestrations: {
    *TwoSteps(ctx, name) {
      const first = yield ctx.scheduleActivity('Step', `${name}1`);
      const second = yield ctx.scheduleActivity('Step', `${name}2`);
      return [first, second];
    },
    *TimerThenStep(ctx, { name, ms }) {
      yield ctx.scheduleTimer(ms);
      return yield ctx.scheduleActivity('Step', name);
    },
  },
};
