// A rolling upgrade of a cluster: one node after the other is drained, upgraded and watched
// until it is healthy. If one is not, those that were upgraded go back, last first.
// node upgrade.mjs
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Runtime, SqliteProvider, defineActivity, defineOrchestration } from 'duroxide';

const SETTLE_MS = 5;
const HEALTH_CHECKS = 3;

// The cluster. Version 3 does not run on node-c.
const cluster = new Map(['node-a', 'node-b', 'node-c'].map((name) => [name, { version: 1, drained: false }]));
const isHealthy = ({ name, version }) => !(name === 'node-c' && version === 3);

const drain = defineActivity('Drain', async (ctx, name) => void (cluster.get(name).drained = true));
const undrain = defineActivity('Undrain', async (ctx, name) => void (cluster.get(name).drained = false));
const install = defineActivity('Install', async (ctx, { name, version }) => {
  // To set a version is idempotent by nature. What stood there before is the way back.
  console.log(`  ${name}: version ${version}`);
  cluster.get(name).version = version;
});
const versionOf = defineActivity('VersionOf', async (ctx, name) => cluster.get(name).version);
const probe = defineActivity('Probe', async (ctx, name) => isHealthy({ name, ...cluster.get(name) }));

const upgradeNode = defineOrchestration('UpgradeNode', function* (ctx, { name, version }) {
  yield* ctx.scheduleActivity(drain, name);
  try {
    yield* ctx.scheduleActivity(install, { name, version });
    for (let check = 1; check <= HEALTH_CHECKS; check++) {
      yield* ctx.scheduleTimer(SETTLE_MS);
      if (yield* ctx.scheduleActivity(probe, name)) return;
    }
    throw new Error(`${name} is not healthy with version ${version}`);
  } finally {
    yield* ctx.scheduleActivity(undrain, name);
  }
});

const upgrade = defineOrchestration('Upgrade', function* (ctx, { nodes, version }) {
  const wayBack = [];
  try {
    for (const name of nodes) {
      ctx.setCustomStatus(`${wayBack.length} of ${nodes.length}: ${name}`);
      const before = yield* ctx.scheduleActivity(versionOf, name);
      wayBack.push({ name, version: before });
      yield* ctx.scheduleSubOrchestration(upgradeNode, { name, version });
    }
    return { upgraded: nodes.length };
  } catch (error) {
    ctx.setCustomStatus(`rolling back: ${error.message}`);
    for (const step of wayBack.reverse()) yield* ctx.scheduleSubOrchestration(upgradeNode, step);
    return { upgraded: 0, because: error.message };
  }
});

const folder = mkdtempSync(join(tmpdir(), 'duroxide-'));
const provider = await SqliteProvider.open(join(folder, 'upgrade.db'));
const runtime = new Runtime(provider, { logLevel: 'error' });
for (const activity of [drain, undrain, install, versionOf, probe]) runtime.registerActivity(activity);
for (const orchestration of [upgrade, upgradeNode]) runtime.registerOrchestration(orchestration);
await runtime.start();
const client = new Client(provider);

const outcomes = [];
for (const version of [2, 3]) {
  const id = `upgrade-to-${version}`;
  console.log(id);
  await client.startOrchestration(id, upgrade, { nodes: [...cluster.keys()], version });
  const { output, customStatus } = await client.waitForOrchestration(id);
  console.log(`  ${output.upgraded} upgraded; last shown: ${customStatus}`);
  outcomes.push(output);
}
console.log(`versions now: ${[...cluster.values()].map(({ version }) => version).join(' ')}`);

await runtime.shutdown();
await provider.close();
rmSync(folder, { recursive: true });

assert.deepEqual(outcomes, [{ upgraded: 3 }, { upgraded: 0, because: 'node-c is not healthy with version 3' }]);
assert.ok([...cluster.values()].every(({ version, drained }) => version === 2 && !drained));
