// The guide's blocks that need a process of their own: installation, the minimal example,
// tracing, files in the working folder, the options of a Runtime.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { registry } from '../blocks/registry.mjs';
import { bash, execute, linkPackage } from '../blocks/shell.mjs';
import { snippets } from '../blocks/snippet.mjs';
import { folder } from '../helpers.mjs';
import { block } from './case.mjs';

/** A program around a block, with the names that it expects. */
function around(text, { before = '', after }) {
  return `
const { Client, Runtime, SqliteProvider } = require('duroxide');
const id = 'i';
(async () => {
${before}
${text}
${after}
})();
`;
}

const STORE = JSON.stringify(new URL('../store.mjs', import.meta.url).href);
const OPENED = `const provider = await (await import(${STORE})).newStore();`;
const RUNTIME = `${OPENED}
const client = new Client(provider);
const runtime = new Runtime(provider);`;

/** Starts the Runtime, runs the instance `id`, and prints its output alone. */
const run = (name, input) => `
await runtime.start();
await client.startOrchestration(id, '${name}', ${JSON.stringify(input)});
const { output } = await client.waitForOrchestration(id);
process.stdout.write(JSON.stringify(output));
await runtime.shutdown();`;

/** A folder with the package and an app.js. */
function project(t, program) {
  const cwd = folder(t);
  linkPackage(cwd);
  writeFileSync(join(cwd, 'app.js'), program);
  return cwd;
}

async function node(t, program, env) {
  const ran = await execute(process.execPath, ['app.js'], { cwd: project(t, program), env });
  assert.equal(ran.status, 0, ran.stderr);
  return ran;
}

const TRACED = `
${RUNTIME}
runtime.registerActivity('Work', (ctx) => { ctx.traceInfo('activity says info'); ctx.traceDebug('activity says debug'); return 'ok'; });
runtime.registerOrchestration('Flow', function* (ctx) {
  ctx.traceInfo('flow says info');
  ctx.traceDebug('flow says debug');
  return yield ctx.scheduleActivity('Work');
});
process.stderr.write('--- app starts\\n');`;

export default [
  block('Installation', 1, 'the installed package runs the minimal example', async (t, text, guide) => {
    const cwd = folder(t);
    mkdirSync(join(cwd, 'registry'));
    const env = await registry(t, join(cwd, 'registry'));
    const app = join(cwd, 'app');
    mkdirSync(app);
    writeFileSync(join(app, 'package.json'), '{ "private": true }');
    const installed = await bash(text, { cwd: app, env });
    assert.equal(installed.status, 0, installed.stderr);
    assert.match(installed.stdout, /added \d+ package/);
    writeFileSync(join(app, 'app.js'), guide('Minimal Example', 1));
    const ran = await execute(process.execPath, ['app.js'], { cwd: app });
    assert.deepEqual([ran.status, ran.stdout], [0, 'Hello, World!\n'], ran.stderr);
  }),

  block('Minimal Example', 1, 'it prints its greeting, nothing else, and exits by itself', async (t, text) => {
    const { stdout, stderr } = await node(t, text);
    assert.deepEqual([stdout, stderr], ['Hello, World!\n', '']);
  }),

  block('Orchestration Tracing', 1, 'both traces are on standard error once, the debug one only when asked for', async (t, text) => {
    const program = around(text, {
      before: `${RUNTIME}\nruntime.registerActivity('Work', (ctx, input) => 'worked on ' + input.what);`,
      after: run('Traced', { what: 'it' }),
    });
    for (const [level, debugs] of [['debug', 1], ['info', 0]]) {
      const { stdout, stderr } = await node(t, program, { RUST_LOG: `duroxide::orchestration=${level}` });
      assert.equal(stdout, '"worked on it"');
      assert.equal(count(stderr, '[v1.0.0] starting workflow'), 1, stderr);
      assert.equal(count(stderr, '[v1.0.0] completed: worked on it'), 1, stderr);
      assert.equal(count(stderr, 'input: {"what":"it"}'), debugs, stderr);
    }
  }),

  block('Activity Tracing', 1, 'its traces are on standard error with activity name, id and worker', async (t, text) => {
    const program = around(text, {
      before: `${RUNTIME.replace('Runtime(provider)', "Runtime(provider, { workerNodeId: 'node-1' })")}
        const fetch = async (url) => 'body of ' + url;
        runtime.registerOrchestration('Fetches', function* (ctx, input) { return yield ctx.scheduleActivity('FetchData', input); });`,
      after: run('Fetches', { id: 7, url: 'x:y' }),
    });
    const { stdout, stderr } = await node(t, program, { RUST_LOG: 'duroxide::activity=info' });
    assert.equal(stdout, '"body of x:y"');
    const lines = stderr.split('\n').filter((line) => line.includes('activity_name'));
    assert.equal(lines.length, 2, stderr);
    assert.match(lines[0], /fetching data for 7/);
    assert.match(lines[1], /got 11 bytes/);
    for (const line of lines) {
      for (const field of [/activity_name="?FetchData/, /activity_id=\d+/, /worker_id="?node-1/]) assert.match(line, field);
    }
  }),

  block('Controlling Log Level', 1, 'each line logs what its comment says, on standard error', async (t, text) => {
    const cwd = project(t, around('', { before: TRACED, after: run('Flow') }));
    const { status, stdout, stderr } = await bash(text, { cwd });
    assert.deepEqual([status, stdout], [0, '"ok""ok""ok"'], stderr);
    const says = stderr.split('--- app starts').slice(1).map((log) => ['flow', 'activity'].flatMap((who) =>
      ['info', 'debug'].filter((level) => log.includes(`${who} says ${level}`)).map((level) => `${who} ${level}`)));
    assert.deepEqual(says, [['flow info', 'activity info'], ['flow info', 'flow debug'], ['activity info']]);
  }),

  block('SQLite', 1, 'the file keeps an instance after the process has ended; memory does not', async (t, text) => {
    const [file, memory] = snippets(text);
    const use = (what) => `
      const runtime = new Runtime(provider);
      const client = new Client(provider);
      runtime.registerOrchestration('O', function* (ctx, input) { return input; });
      const { status } = await client.getOrchestrationStatus(id);
      ${run('O', what)}
      process.stdout.write(' ' + status);`;
    for (const [snippet, second] of [[file, '"kept" Completed'], [memory, '"kept" NotFound']]) {
      const cwd = project(t, around(snippet, { after: use('kept') }));
      const printed = [];
      for (let times = 0; times < 2; times += 1) printed.push((await execute(process.execPath, ['app.js'], { cwd })).stdout);
      assert.deepEqual(printed, ['"kept" NotFound', second]);
      assert.equal(existsSync(join(cwd, 'myapp.db')), snippet === file);
    }
  }),

  block('Runtime Options', 1, 'eight activities run at once on pod-1, and the log has the service and the pretty format', async (t, text) => {
    const program = around(text, {
      before: `${OPENED} const client = new Client(provider);`,
      after: `
        let [now, most, release] = [0, 0];
        const eight = new Promise((resolve) => { release = resolve; });
        runtime.registerActivity('Counted', async (ctx) => {
          most = Math.max(most, ++now);
          if (now === 8) release();
          await eight;
          now -= 1;
          ctx.traceInfo('counted');
          return ctx.workerId;
        });
        runtime.registerOrchestration('Many', function* (ctx) {
          const done = yield ctx.all(Array.from({ length: 20 }, () => ctx.scheduleActivity('Counted')));
          return [most, ...new Set(done.map(({ ok }) => ok))];
        });
        ${run('Many')}`,
    });
    const { stdout, stderr } = await node(t, program);
    assert.equal(stdout, '[8,"pod-1"]');
    assert.equal(stderr.match(/^\S+Z +INFO duroxide::activity: counted instance_id=/gm)?.length, 20, stderr);
    assert.match(stderr, /service_name="my-service" service_version="1\.0\.0" worker_node_id="pod-1"/);
    assert.doesNotMatch(stderr, /^\S+Z +(DEBUG|TRACE) /m, 'RUST_LOG asks for them');
    assert.match((await node(t, program, { RUST_LOG: 'debug' })).stderr, /^\S+Z +DEBUG /m);
  }),
];

function count(text, part) {
  return text.split(part).length - 1;
}
