// The host by itself, against an addon that is played: which copy of an execution runs.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

const { Host } = createRequire(import.meta.url)('../dist/host.js');

/** A host with one orchestration, and what it asked of the addon, in order. */
function played(code = function* () {}, faults = {}) {
  const asked = [];
  const queue = [];
  let opened = 0;
  const execution = (name) => {
    const activations = ['{"start":null}'];
    return {
      begin: (turn) => asked.push(`${name} begins ${turn}`),
      next: () => activations.shift() ?? null,
      await: () => '"pending"',
      complete: () => asked.push(`${name} completes`),
      fail: (failure) => asked.push(`${name} fails: ${JSON.parse(failure).message}`),
      isReplaying: () => false,
      finish: () => false,
      release: () => asked.push(`${name} is released`),
      ...faults,
    };
  };
  const host = new Host(
    { orchestrations: new Map([['O', new Map([['1.0.0', code]])]]), activities: new Map() },
    () => undefined,
  );
  host.attach({
    drain: () => JSON.stringify(queue.splice(0)),
    open: () => execution(`copy ${++opened}`),
    notResident: (turn) => asked.push(`${turn} has no copy`),
    refuse: (turn, reason) => asked.push(`${turn} is refused: ${reason}`),
  });
  const turn = (number, cold, version = '1.0.0') => ({
    job: 'turn', turn: number, resident: '7/1', cold, instanceId: 'i', executionId: 1, orchestrationName: 'O', orchestrationVersion: version,
  });
  const run = (...jobs) => {
    queue.push(...jobs);
    host.drain();
    return asked.splice(0);
  };
  return { run, turn };
}

function* waits(ctx) {
  yield ctx.waitForEvent('never');
}

test('a turn without history continues the resident copy', () => {
  const { run, turn } = played(waits);
  assert.deepEqual(run(turn(1, true), turn(2, false)), ['copy 1 begins 1', 'copy 1 begins 2']);
});

test('a turn with history voids the resident copy', () => {
  const { run, turn } = played(waits);
  assert.deepEqual(run(turn(1, true), turn(2, true)), ['copy 1 begins 1', 'copy 1 is released', 'copy 2 begins 2']);
});

test('an evicted copy is gone, and its generator is not told', () => {
  let told = false;
  const { run, turn } = played(function* (ctx) {
    try {
      yield ctx.waitForEvent('never');
    } finally {
      told = true;
    }
  });
  assert.deepEqual(run(turn(1, true), { job: 'evict', resident: '7/1' }, turn(2, false)), [
    'copy 1 begins 1',
    'copy 1 is released',
    '2 has no copy',
  ]);
  assert.equal(told, false);
});

test('a fault of the addon gives the turn back and voids the copy', () => {
  const { run, turn } = played(waits, { await: () => '{ no JSON' });
  assert.deepEqual(run(turn(1, true)).map((asked) => asked.replace(/: .*/, '')), ['copy 1 begins 1', 'copy 1 is released', '1 is refused']);
});

test('code that is not registered here is not guessed', () => {
  const { run, turn } = played();
  assert.deepEqual(run(turn(1, true, '2.0.0')), ["1 is refused: 'O' 2.0.0 is not registered"]);
});
