// Logs: to stderr or a file, as RUST_LOG, the first Runtime or initTracing says.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { evaluated } from './api/evaluated.mjs';
import { folder } from './helpers.mjs';

function run(code, env) {
  const ran = evaluated(code, env);
  assert.equal(ran.status, 0, ran.stderr);
  return ran;
}

const workflow = (options) => `
  const provider = await newStore();
  const runtime = new d.Runtime(provider, ${JSON.stringify(options)});
  runtime.registerActivity('A', (ctx) => { ctx.traceInfo('from A'); });
  runtime.registerOrchestration('O', function* (ctx) { ctx.traceDebug('from O'); yield ctx.scheduleActivity('A'); ctx.traceWarn('O warns'); });
  await runtime.start();
  const client = new d.Client(provider);
  await client.startOrchestration('i', 'O');
  await client.waitForOrchestration('i');
  await runtime.shutdown();`;

test('the level is that of the Runtime', () => {
  const { stderr } = run(workflow({ logLevel: 'warn' }));
  assert.match(stderr, /O warns/);
  assert.doesNotMatch(stderr, /from/);
});

test('RUST_LOG beats the level of the Runtime', () => {
  const { stderr } = run(workflow({ logLevel: 'error' }), { RUST_LOG: 'duroxide::orchestration=debug' });
  assert.match(stderr, /from O/);
  assert.doesNotMatch(stderr, /from A/);
});

test('a later Runtime is told that its log settings do not hold only if it asks for others', () => {
  const told = (first, later) => {
    const { stderr } = run(`
      const provider = await newStore();
      for (const options of ${JSON.stringify([first, later])}) {
        const runtime = new d.Runtime(provider, options);
        await runtime.start();
        await runtime.shutdown();
      }`);
    return stderr.split('\n').filter((line) => /WARN.*of a later Runtime are ignored/.test(line)).length;
  };
  assert.equal(told({}, { logLevel: 'info', logFormat: 'pretty' }), 0, 'the defaults');
  assert.equal(told({ logLevel: 'warn', logFormat: 'compact' }, { logLevel: 'warn' }), 0, 'the same level');
  assert.equal(told({ logLevel: 'warn', logFormat: 'compact' }, {}), 0, 'nothing');
  assert.equal(told({}, { logLevel: 'debug' }), 1, 'another level');
  assert.equal(told({ logLevel: 'warn' }, { logLevel: 'warn', logFormat: 'compact' }), 1, 'another format');
});

test('traces carry their structured fields', () => {
  const { stderr } = run(workflow({ logLevel: 'info', logFormat: 'json' }));
  const line = stderr.split('\n').filter((text) => text.includes('from A')).map((text) => JSON.parse(text))[0];
  const { activity_id, worker_id, ...fields } = line.fields;
  assert.equal(line.target, 'duroxide::activity');
  assert.deepEqual([typeof activity_id, typeof worker_id], ['number', 'string']);
  assert.deepEqual(fields, {
    message: 'from A',
    instance_id: 'i',
    execution_id: 1,
    orchestration_name: 'O',
    orchestration_version: '1.0.0',
    activity_name: 'A',
  });
});

test('initTracing writes to a file, once', (t) => {
  const logFile = join(folder(t), 'out.log');
  const { stdout, stderr } = run(`
    d.initTracing({ logFile: ${JSON.stringify(logFile)}, logLevel: 'info' });
    ${workflow({ logLevel: 'error' })}
    try { d.initTracing({ logFile: ${JSON.stringify(logFile)} }); } catch (error) { console.log(error.message); }`);
  assert.match(stdout, /^Failed to init tracing: /);
  assert.equal(stderr, '');
  assert.match(readFileSync(logFile, 'utf8'), /from A/);
});

test('initTracing creates no folder', (t) => {
  const logFile = join(folder(t), 'absent', 'out.log');
  const { stdout } = run(`try { d.initTracing({ logFile: ${JSON.stringify(logFile)} }); } catch (error) { console.log(error.message); }`);
  assert.ok(stdout.startsWith(`Failed to open log file '${logFile}': `), stdout);
});
