// 1 000 sequential steps of one workflow on a SQLite file with full durability: the total
// time, and whether a step at the end costs more than one at the beginning. Several
// rounds, because a neighbour's disk traffic is easily louder than either.
// node bench/longhist.mjs [steps] [full|process] [rounds]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Runtime, SqliteProvider } from 'duroxide';

const steps = Number(process.argv[2] ?? 1000);
const durability = process.argv[3] ?? 'full';
const rounds = Number(process.argv[4] ?? 5);

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

async function round() {
  const folder = mkdtempSync(join(tmpdir(), 'duroxide-bench-'));
  const provider = await SqliteProvider.open(join(folder, 'bench.db'), { durability });
  const runtime = new Runtime(provider, { logLevel: 'error' });
  const begun = [];
  runtime.registerActivity('Step', (ctx, n) => {
    begun.push(performance.now());
    return n + 1;
  });
  runtime.registerOrchestration('Long', function* (ctx, count) {
    let n = 0;
    while (n < count) n = yield ctx.scheduleActivity('Step', n);
    return n;
  });
  await runtime.start();
  const client = new Client(provider);

  const start = performance.now();
  await client.startOrchestration('long', 'Long', steps);
  const done = await client.waitForOrchestrationTyped('long', 600_000);
  const total = performance.now() - start;

  await runtime.shutdown();
  await provider.close();
  rmSync(folder, { recursive: true });
  if (done !== steps) throw new Error(`${done} steps instead of ${steps}`);

  const durations = begun.slice(1).map((at, i) => at - begun[i]);
  const tenth = Math.floor(durations.length / 10);
  const first = median(durations.slice(0, tenth));
  const last = median(durations.slice(-tenth));
  return { total, first, last, ratio: last / first };
}

const measured = [];
for (let n = 1; n <= rounds; n++) {
  const { total, first, last, ratio } = await round();
  measured.push({ total, ratio });
  console.log(
    `round ${n}: ${steps} steps in ${total.toFixed(0)} ms (${(steps / (total / 1000)).toFixed(0)}/s); ` +
      `median step: first decile ${first.toFixed(3)} ms, last decile ${last.toFixed(3)} ms, ratio ${ratio.toFixed(2)}`,
  );
}
const total = median(measured.map((one) => one.total));
const ratio = median(measured.map((one) => one.ratio));
console.log(`durability ${durability}, median of ${rounds}: ${total.toFixed(0)} ms, last decile / first decile ${ratio.toFixed(2)}`);
