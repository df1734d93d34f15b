// Orchestrations that catch everything and try again, without an end: they fail, and stop nothing else.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { folder, started } from './helpers.mjs';

// In a process of its own: what never ends cannot be ended from inside.
const program = `
import { Client, Runtime } from ${JSON.stringify(new URL('../dist/index.mjs', import.meta.url).href)};
import { newStore } from ${JSON.stringify(new URL('store.mjs', import.meta.url).href)};
const LOOPS = {
  'no descriptor': () => 1,
  'the same descriptor': (ctx, same) => same,
  'a name that is too long': (ctx) => ctx.scheduleActivity('n'.repeat(257)),
  'what waits for nothing': (ctx) => ctx.utcNow(),
};
const provider = await newStore();
const runtime = new Runtime(provider, { logLevel: 'error' });
for (const [name, yielded] of Object.entries(LOOPS)) {
  runtime.registerOrchestration(name, function* (ctx) {
    const same = ctx.scheduleTimer(0);
    yield same;
    for (;;) {
      try {
        yield yielded(ctx, same);
      } catch {
        // and again
      }
    }
  });
}
await runtime.start();
const client = new Client(provider);
for (const name of Object.keys(LOOPS)) {
  await client.startOrchestration(name, name);
  const { status, error, errorDetails } = await client.waitForOrchestration(name);
  console.log(name, status, errorDetails.code, error);
}
await runtime.shutdown();
`;

test('an orchestration that yields what is refused for ever fails, and says what was refused last', (t) => {
  const file = join(folder(t), 'loops.mjs');
  writeFileSync(file, program);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--max-old-space-size=500', file], { encoding: 'utf8', timeout: 60_000 });
  assert.equal(status, 0, stderr);
  const lines = stdout.trim().split('\n');
  for (const [at, last] of [/not a number/, /yielded already/, /257 bytes/, /wait for nothing/].entries()) {
    assert.match(lines[at], /Failed LIMIT more than 1000 yields in a row were refused, the last: /);
    assert.match(lines[at], last);
  }
});

test('refusals that are not in a row do not count', async (t) => {
  const { client } = await started(t, {
    orchestrations: {
      *Careless(ctx) {
        let refused = 0;
        for (let round = 0; round < 1_500; round += 1) {
          try {
            yield round;
          } catch {
            refused += 1;
          }
          yield ctx.utcNow();
        }
        return refused;
      },
    },
  });
  assert.equal((await client.run('Careless')).output, 1_500);
});
