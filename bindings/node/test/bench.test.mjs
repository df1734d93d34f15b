// Every benchmark workload runs in Node and tells what a suite needs. Not here: how fast.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../bench/one.mjs', import.meta.url));
const stepsOfOne = { hello: 1, seq: 20, fanout: 100, stagger: 100, event: 1, timer: 1, subs: 10, can: 50, backlog: 1, cold: 1 };

/** One measurement of a few ms: what it printed last. */
async function one(t, workload) {
  const folder = mkdtempSync(join(tmpdir(), 'duroxide-bench-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const args = [program, workload, '--store', 'sqlite-process', '--at-once', '2', '--ms', '40', '--count', '20', '--folder', folder];
  const process_ = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => process_.once('close', resolve));
  const lines = createInterface({ input: process_.stdout })[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, 'ready');
  process_.stdin.write('go\n');
  const told = JSON.parse((await lines.next()).value);
  process_.stdin.end();
  assert.equal(await ended, 0);
  return told;
}

for (const [workload, steps] of Object.entries(stepsOfOne)) {
  test(`the workload ${workload} completes workflows and counts their steps and commits`, async (t) => {
    const told = await one(t, workload);
    assert.ok(told.workflows > 0, JSON.stringify(told));
    assert.equal(told.steps, told.workflows * steps);
    assert.ok(told.commits > 0, JSON.stringify(told));
  });
}

test('one long workflow tells whether its steps grow dearer', async (t) => {
  const told = await one(t, 'longhist');
  assert.equal(told.steps, 20);
  assert.ok(told.growth > 0, JSON.stringify(told));
});
