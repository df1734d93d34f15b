// The process that is killed: ten steps, each of which ends when the parent says so.
import { Runtime, SqliteProvider } from 'duroxide';

const provider = await SqliteProvider.open(process.argv[2]);
const runtime = new Runtime(provider, { logLevel: 'error' });
const resume = new Map();

process.on('message', ({ pass }) => resume.get(pass)?.());
process.on('disconnect', () => process.exit());

runtime.registerActivity('Step', async (ctx, step) => {
  const passed = new Promise((resolve) => resume.set(step, resolve));
  process.send({ mark: step, attempt: ctx.attempt });
  await passed;
});

runtime.registerOrchestration('TenSteps', function* (ctx) {
  for (let step = 1; step <= 10; step++) yield ctx.scheduleActivity('Step', step);
});

await runtime.start();
