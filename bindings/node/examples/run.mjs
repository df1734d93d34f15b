// Runs every example, one after the other, each output under its heading: node run.mjs [NAME …]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const EXAMPLES = [
  'order',
  'approval',
  'chat',
  'monitor',
  'import',
  'provisioning',
  'billing',
  'transfer',
  'batch',
  'upgrade',
];

/** Where an example stands. */
export const pathOf = (name) => fileURLToPath(new URL(`${name}.mjs`, import.meta.url));

function main(names) {
  const unknown = names.filter((name) => !EXAMPLES.includes(name));
  if (unknown.length > 0) {
    console.error(`no such example: ${unknown.join(', ')}; there are ${EXAMPLES.join(', ')}`);
    return 2;
  }
  const chosen = names.length > 0 ? names : EXAMPLES;
  const failed = [];
  for (const name of chosen) {
    console.log(`\n== ${name} ==`);
    const { status } = spawnSync(process.execPath, [pathOf(name)], { stdio: 'inherit' });
    if (status !== 0) failed.push(name);
  }
  console.log(`\n${chosen.length - failed.length} of ${chosen.length} examples ended as expected`);
  if (failed.length > 0) console.error(`failed: ${failed.join(', ')}`);
  return failed.length > 0 ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.slice(2));
