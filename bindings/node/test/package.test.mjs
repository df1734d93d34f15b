// The two entries of the package.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import * as esm from 'duroxide';

const cjs = createRequire(import.meta.url)('duroxide');

const EXPORTS = [
  'ActivityContext', 'ActivityDescriptor', 'ActivityError', 'CancelledError', 'Client', 'Descriptor',
  'DeterminismError', 'DuroxideError', 'InstanceExistsError', 'InstanceNotFoundError', 'LimitError', 'MAX_KV_KEYS',
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
