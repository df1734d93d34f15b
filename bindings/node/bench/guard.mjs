// What the determinism guard costs a step: a generator that calls nothing forbidden, stepped
// with the guards put up and taken down around each step, and without. The difference of the
// medians of several rounds.
// node bench/guard.mjs [steps] [rounds]
import { createRequire } from 'node:module';

const { enter, leave } = createRequire(import.meta.url)('../dist/guard.js');
const steps = Number(process.argv[2] ?? 200_000);
const rounds = Number(process.argv[3] ?? 9);

function* counting() {
  for (let n = 0; ; n++) yield n;
}

/** Nanoseconds a step. */
function timed(watcher) {
  const generator = counting();
  const begun = process.hrtime.bigint();
  for (let n = 0; n < steps; n++) {
    const outer = enter(watcher);
    try {
      generator.next();
    } finally {
      leave(outer);
    }
  }
  return Number(process.hrtime.bigint() - begun) / steps;
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

const watched = [];
const off = [];
timed({ met: () => undefined });
for (let n = 0; n < rounds; n++) {
  off.push(timed(undefined));
  watched.push(timed({ met: () => undefined }));
}
const [first, last] = [Math.min(...watched), Math.max(...watched)];
const [cost, bare] = [median(watched), median(off)];
console.log(`${rounds} rounds of ${steps} steps, median: ${cost.toFixed(0)} ns guarded (${first.toFixed(0)} to ${last.toFixed(0)}), ${bare.toFixed(0)} ns with 'off'`);
console.log(`the guard costs ${(cost - bare).toFixed(0)} ns a step`);
