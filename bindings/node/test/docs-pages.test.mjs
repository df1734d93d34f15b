// What holds for the pages of docs/ as a whole: links, and that nothing which users meet is
// missing. Not here: their code blocks (docs-blocks.test.mjs).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'node:test';
import * as duroxide from 'duroxide';
import { readPage } from './blocks/markdown.mjs';
import { readTable } from './guide/table.mjs';
import { folder } from './helpers.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const docs = join(root, 'docs');
const addon = join(root, 'bindings/node');

const read = (path) => readFileSync(path, 'utf8');
const pages = readdirSync(docs, { recursive: true }).filter((name) => name.endsWith('.md'));
const written = pages.filter((name) => !name.startsWith('api'));

/** The name under which a heading is linked to. */
function anchor(title) {
  const text = title.replace(/`/g, '').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
  return text.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');
}

/** The anchors of a page; a repeated heading gets a number. */
function anchors(markdown) {
  const seen = new Map();
  return new Set(
    readPage(markdown).headings.map(({ title }) => {
      const name = anchor(title.replace(/\\/g, ''));
      const times = seen.get(name) ?? 0;
      seen.set(name, times + 1);
      return times === 0 ? name : `${name}-${times}`;
    }),
  );
}

/** The text outside of code. */
const prose = (markdown) => markdown.replace(/^(```|~~~)[^]*?^\1/gm, '').replace(/`[^`\n]*`/g, '');

/** Links of a page that lead nowhere. */
function broken(path, markdown) {
  const wrong = [];
  for (const [, target] of prose(markdown).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target)) continue;
    const [file, fragment] = target.split('#');
    const to = join(dirname(path), file);
    if (file !== '' && !existsSync(to)) wrong.push(target);
    else if (fragment !== undefined && !anchors(file === '' ? markdown : read(to)).has(fragment)) wrong.push(target);
  }
  return wrong;
}

describe('links', () => {
  const others = ['llms.txt', 'README.md', 'bindings/node/README.md'].map((name) => join(root, name));
  for (const page of [...pages.map((name) => join(docs, name)), ...others]) {
    test(`${relative(root, page)} links to pages and headings that exist`, () => {
      assert.deepEqual(broken(page, read(page)), []);
    });
  }

  test('a link to a page or a heading that does not exist is found', () => {
    const page = join(docs, 'x.md');
    const markdown = '# One\n[a](#one) [b](#two) [c](no.md) [d](errors.md#codes) [e](errors.md#no) `[f](no.md)`\n';
    assert.deepEqual(broken(page, markdown), ['#two', 'no.md', 'errors.md#no']);
  });

  test('every page can be reached from the index', () => {
    const index = prose(read(join(docs, 'README.md')));
    const missing = written.filter((page) => page !== 'README.md' && !index.includes(`](${page})`));
    assert.deepEqual(missing, []);
  });

  test('llms.txt names every page', () => {
    const list = read(join(root, 'llms.txt'));
    assert.deepEqual(written.filter((page) => !list.includes(`(docs/${page})`)), []);
  });
});

test('the API reference is what the types give now, and names no place of this machine', (t) => {
  const out = join(folder(t), 'api');
  const typedoc = join(addon, 'node_modules/typedoc/bin/typedoc');
  const made = spawnSync(process.execPath, [typedoc, '--out', out], { cwd: addon, encoding: 'utf8' });
  assert.equal(made.status, 0, made.stderr);
  const files = (base) => readdirSync(base, { recursive: true }).filter((name) => name.endsWith('.md')).sort();
  const again = 'made again by: npm run docs';
  assert.deepEqual(files(join(docs, 'api')), files(out), again);
  for (const name of files(out)) {
    const text = read(join(out, name));
    assert.ok(text === read(join(docs, 'api', name)), `docs/api/${name} is to be ${again}`);
    assert.ok(!text.includes(root) && !text.includes(out), name);
  }
});

const headings = (page) => readPage(read(join(docs, page))).headings.map(({ title }) => title);

/** Where the pages tell what the guide tells under a heading. */
const TOPICS = {
  'User Guide': 'README.md',
  Installation: 'getting-started.md#installation',
  'Core Concepts': 'getting-started.md#core-concepts',
  'Minimal Example': 'getting-started.md#a-minimal-program',
  'Orchestration Patterns': 'orchestrations.md',
  'Sequential Steps': 'getting-started.md#steps-after-one-another',
  'Fan-Out / Fan-In': 'parallel.md#all',
  'Race / Select': 'parallel.md#race',
  'Durable Timers': 'timers.md',
  'External Events': 'events-and-queues.md#events',
  'Sub-Orchestrations': 'children.md#children',
  'Fire-and-Forget Orchestrations': 'children.md#detached-orchestrations',
  'Continue-as-New (Eternal Orchestrations)': 'continue-as-new.md',
  'Error Handling': 'orchestrations.md#failures',
  'Retry Policies': 'retry.md',
  'Custom Status — Progress Reporting': 'status-and-values.md#custom-status',
  'Event Queues — Persistent FIFO Messaging': 'events-and-queues.md#queues',
  'Retry with Session Affinity': 'retry.md#on-one-session',
  'Real-World Pattern: Multi-Turn Chat': 'events-and-queues.md#a-conversation',
  'Activity Patterns': 'activities.md',
  'Basic Activity': 'activities.md#activities',
  'Activity with Client Access': 'activities.md#the-client-from-an-activity',
  'Returning Errors': 'activities.md#errors',
  'Activity Sessions': 'sessions-and-tags.md#sessions',
  'Schedule Activity on Session': 'sessions-and-tags.md#sessions',
  'Reading Session ID in Activities': 'sessions-and-tags.md#sessions',
  'Session Runtime Options': 'runtime.md#options',
  Tracing: 'runtime.md#logging',
  'Orchestration Tracing': 'runtime.md#logging',
  'Activity Tracing': 'runtime.md#logging',
  'Controlling Log Level': 'runtime.md#logging',
  Providers: 'providers.md',
  SQLite: 'providers.md#sqlite',
  PostgreSQL: 'providers.md#postgresql',
  'Runtime Options': 'runtime.md#options',
  Metrics: 'runtime.md#metrics',
  'Client Operations': 'client.md',
  Versioning: 'versioning.md',
  'Multi-Step Parallel Blocks (Sub-Orchestration Pattern)': 'parallel-patterns.md',
  'Determinism Rules': 'orchestrations.md#determinism',
};

test('every topic of the guide has its place', () => {
  // The table is held against the guide itself by guide.test.mjs.
  const guide = readTable(read(join(addon, 'test/guide/TABLE.md'))).map(({ heading }) => heading);
  assert.deepEqual(Object.keys(TOPICS), guide);
  const links = Object.values(TOPICS).map((to) => `[x](${to})`).join('\n');
  assert.deepEqual(broken(join(docs, 'x.md'), links), []);
});

test('every error class has a section', () => {
  const classes = Object.entries(duroxide).filter(([, value]) => typeof value === 'function' && value.prototype instanceof Error);
  assert.ok(classes.length >= 11);
  const sections = headings('errors.md');
  assert.deepEqual(classes.map(([name]) => name).filter((name) => !sections.includes(name)), []);
});

/** The codes that stand in the sources: what is thrown, what the addon tells, and the kinds of failures. */
function codes() {
  const sources = (folder, ending) =>
    readdirSync(join(addon, folder), { recursive: true })
      .filter((name) => name.endsWith(ending))
      .map((name) => read(join(addon, folder, name)).replace(/\/\*[^]*?\*\/|\/\/.*/g, ''))
      .join('\n');
  const inTypeScript = sources('ts', '.ts').matchAll(/'([A-Z][A-Z]+(?:_[A-Z]+)*)'/g);
  const inRust = sources('src', '.rs').matchAll(/"([A-Z]{4,}(?:_[A-Z]+)*)"/g);
  const [kinds] = /type FailureKind =[^;]*;/.exec(read(join(addon, 'ts/failures.ts')));
  const ofKinds = [...kinds.matchAll(/'(\w+)'/g)].map(([, kind]) => [, kind.toUpperCase()]);
  return [...new Set([...inTypeScript, ...inRust, ...ofKinds].map(([, code]) => code))].sort();
}

test('every code has a section, and every section of a code is one', () => {
  const found = codes();
  assert.ok(found.length > 25, String(found));
  const all = headings('errors.md');
  const sections = all.slice(all.indexOf('Codes') + 1);
  assert.deepEqual([...sections].sort(), found);
});

test('every option of the Runtime is explained', () => {
  const rules = /const RULES[^]*?= \{\n([^]*?)\n\};/.exec(read(join(addon, 'ts/runtime.ts')))[1];
  const options = [...rules.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name);
  assert.ok(options.length >= 18, String(options));
  const page = read(join(docs, 'runtime.md'));
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  assert.deepEqual(options.filter((option) => !rows.some((row) => row.split('|')[1].includes(`\`${option}\``))), []);
});

test('every counter of the metrics is explained', async () => {
  const provider = await duroxide.SqliteProvider.inMemory();
  const counters = Object.keys(new duroxide.Runtime(provider).metricsSnapshot());
  await provider.close();
  const page = read(join(docs, 'runtime.md'));
  assert.deepEqual(counters.filter((counter) => !page.includes(`\`${counter}\``)), []);
});

test('every kind of event is explained', () => {
  const [kinds] = /fn public_kind[^]*?\n}/.exec(read(join(addon, 'src/history.rs')));
  const names = [...kinds.matchAll(/"(\w+)"/g)].map(([, name]) => name);
  assert.ok(names.length > 25, String(names));
  const page = read(join(docs, 'history.md'));
  assert.deepEqual(names.filter((name) => !page.includes(`\`${name}\``)), []);
});

test('every limit that is exported is told with its value', () => {
  const page = read(join(docs, 'limits.md'));
  const limits = Object.keys(duroxide).filter((name) => name.startsWith('MAX_'));
  assert.deepEqual(limits.filter((name) => !page.includes(`(\`${name}\`)`)), []);
});

test('every method of contexts, Client and Runtime is mentioned on a page', () => {
  const text = written.map((page) => read(join(docs, page))).join('\n');
  const { OrchestrationContext, ActivityContext, Client, Runtime, SqliteProvider } = duroxide;
  const missing = [OrchestrationContext, ActivityContext, Client, Runtime, SqliteProvider].flatMap(methods).filter((name) => !text.includes(name));
  assert.deepEqual(missing, []);
});

/** Public methods, inherited ones too, without the twins that do the same under another name. */
function methods({ prototype }) {
  const names = [];
  for (let at = prototype; at !== Object.prototype; at = Object.getPrototypeOf(at)) names.push(...Object.getOwnPropertyNames(at));
  return [...new Set(names)].filter((name) => name !== 'constructor' && !name.startsWith('_') && !name.endsWith('Typed'));
}
