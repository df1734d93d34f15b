// Runs the blocks of one page in a folder of their own: programs and commands in processes,
// fragments in an app. Not here: which blocks there are (`page.mjs`).
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { App } from './app.mjs';
import { bash, execute, linkPackage, root } from './shell.mjs';
import { yields } from './snippet.mjs';

/** A page's folder. `npm` answers the environment in which npm finds the package. */
export class Page {
  #folder;
  #runs;
  #npm;
  #compiled;

  constructor(folder, runs, npm) {
    this.#folder = folder;
    this.#runs = runs;
    this.#npm = npm;
    // A page that installs the package shall not find it before.
    if (runs.some((run) => run.kind === 'sh' && run.text.includes('npm install'))) return;
    linkPackage(folder);
    mkdirSync(join(folder, 'node_modules', '@types'));
    symlinkSync(join(root, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'), 'dir');
  }

  async execute(t, run) {
    if (run.setup !== undefined) await fragment(t, run);
    else if (run.kind === 'sh') checkProcess(run, await bash(run.text, { cwd: this.#folder, env: await this.#environment(run) }));
    else await this.#program(run);
  }

  async #environment({ text }) {
    return /\bnpm\b/.test(text) ? this.#npm() : {};
  }

  async #program(run) {
    if (run.kind === 'mts') await (this.#compiled ??= this.#compile());
    else writeFileSync(join(this.#folder, run.file), run.text);
    if (run.saved) return;
    checkProcess(run, await execute(process.execPath, [run.file.replace(/\.mts$/, '.mjs')], { cwd: this.#folder }));
  }

  /** All TypeScript of the page at once, strictly. */
  async #compile() {
    const files = this.#runs.filter(({ kind }) => kind === 'mts');
    for (const { file, text } of files) writeFileSync(join(this.#folder, file), text);
    const flags = ['--strict', '--noUncheckedIndexedAccess', '--target', 'es2022', '--module', 'node16', '--typeRoots', join(root, 'node_modules/@types'), '--types', 'node', '--lib', 'es2022,esnext.disposable'];
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const { status, stdout } = await execute(process.execPath, [tsc, ...flags, ...files.map(({ file }) => file)], { cwd: this.#folder });
    assert.equal(status, 0, stdout);
  }
}

function checkProcess({ expect, stderr, silent, throws, output }, ran) {
  const printed = `${ran.stdout}\n--- standard error\n${ran.stderr}`;
  if (throws.length > 0) assert.notEqual(ran.status, 0, `it should fail: ${printed}`);
  else assert.equal(ran.status, 0, printed);
  for (const text of expect) assert.ok(ran.stdout.includes(text), `no '${text}' in: ${printed}`);
  for (const text of [...stderr, ...throws]) assert.ok(ran.stderr.includes(text), `no '${text}' in: ${printed}`);
  for (const text of silent) assert.ok(!ran.stderr.includes(text), `'${text}' is logged: ${printed}`);
  if (output !== undefined) shows(ran.stdout, output);
}

/** The output that the page shows is what was printed, line by line; `…` stands for anything. */
function shows(printed, shown) {
  const pattern = shown.trimEnd().split('…').map((part) => part.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&')).join('.*');
  assert.ok(new RegExp(`^${pattern}$`).test(printed.trimEnd()), `printed:\n${printed}\nbut the page shows:\n${shown}`);
}

async function fragment(t, run) {
  const { default: setup } = await import(`./setups/${run.setup}.mjs`);
  const start = run.start ?? (yields(run.text) ? 'Snippet' : undefined);
  const started = start !== undefined && {
    prepare: ({ client, instanceId }) => client.startOrchestration(instanceId, start, JSON.parse(run.input ?? 'null')),
  };
  const app = await App.open(t, { ...setup, ...started });
  const asserts = run.expect.length + run.throws.length > 0 || run.output !== undefined || setup.observe !== undefined;
  assert.ok(asserts && run.stderr.length + run.silent.length === 0, 'a fragment is told what to expect (stderr and silent are for programs), or its setup observes');
  const failed = await app.run(run.text).then(() => app.arrange()).catch((error) => error);
  const ended = start === undefined || failed ? {} : await app.client.waitForOrchestration(app.instanceId);
  const error = failed?.message ?? ended.error;
  if (run.throws.length === 0) assert.equal(error, undefined, failed?.stack);
  for (const text of run.throws) assert.ok(error?.includes(text), `no '${text}' in: ${error}`);
  const printed = [...app.lines, ...(ended.output === undefined ? [] : [JSON.stringify(ended.output)])];
  const seen = [...printed, ...app.traces()].join('\n');
  for (const text of run.expect) assert.ok(seen.includes(text), `no '${text}' in: ${seen}`);
  if (run.output !== undefined) shows(printed.join('\n'), run.output);
  await setup.observe?.({ client: app.client, instanceId: app.instanceId, lines: app.lines, calls: app.calls, traces: app.traces(), assert });
}
