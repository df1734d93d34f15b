// The two entries of the package, and its loader.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import * as esm from 'duroxide';
import { folder } from './helpers.mjs';

const cjs = createRequire(import.meta.url)('duroxide');
const root = fileURLToPath(new URL('..', import.meta.url));

const EXPORTS = [
  'ActivityContext', 'ActivityDescriptor', 'ActivityError', 'CancelledError', 'Client', 'Descriptor',
  'DuroxideError', 'InstanceExistsError', 'InstanceNotFoundError', 'LimitError', 'MAX_KV_KEYS',
  'MAX_KV_VALUE_BYTES', 'MAX_TAG_NAME_BYTES', 'MAX_WORKER_TAGS', 'NondeterminismError',
  'NotSupportedError', 'OrchestrationContext', 'OrchestrationError', 'PostgresProvider', 'Provider',
  'Runtime', 'SqliteProvider', 'SubOrchestrationError', 'TimeoutError', 'defineActivity',
  'defineOrchestration', 'initTracing',
];

test('import and require give the same objects', () => {
  // Names that Node itself adds when a module re-exports a CommonJS one.
  const nodes = ['default', 'module.exports', '__esModule'];
  const named = Object.keys(esm).filter((name) => !nodes.includes(name));
  assert.deepEqual(named.sort(), EXPORTS);
  assert.deepEqual(Object.keys(cjs).sort(), EXPORTS);
  for (const name of EXPORTS) assert.equal(esm[name], cjs[name], name);
});

test('the limits are those of the API', () => {
  assert.deepEqual(
    [esm.MAX_KV_KEYS, esm.MAX_KV_VALUE_BYTES, esm.MAX_WORKER_TAGS, esm.MAX_TAG_NAME_BYTES],
    [150, 65536, 5, 256],
  );
});

test('a missing native addon is an error that names the platform', (t) => {
  const copy = folder(t);
  cpSync(join(root, 'dist'), join(copy, 'dist'), { recursive: true });
  const run = spawnSync(process.execPath, ['-e', `require(${JSON.stringify(join(copy, 'dist/index.js'))})`], { encoding: 'utf8' });
  assert.equal(run.status, 1);
  assert.match(run.stderr, new RegExp(`no native addon for this platform \\(${process.platform}-${process.arch}`));
});
