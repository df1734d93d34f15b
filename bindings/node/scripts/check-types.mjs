// Compiles what TypeScript users write (test/types) against the types in dist/, with the
// oldest and the newest TypeScript that is supported and with the one that builds the package.
// A type test is an assertion that does not compile when it is wrong.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { manifest, root } from './packages.mjs';

const COMPILERS = ['typescript-oldest', 'typescript', 'typescript-newest'];

const failed = COMPILERS.filter((compiler) => {
  const version = manifest().devDependencies[compiler].replace(/.*@/, '');
  console.log(`types: TypeScript ${version}`);
  const tsc = join('node_modules', compiler, 'bin', 'tsc');
  const { status, error } = spawnSync(process.execPath, [tsc, '-p', join('test', 'types')], { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  return status !== 0;
});
if (failed.length > 0) {
  console.error(`the type tests do not compile with ${failed.join(', ')}`);
  process.exitCode = 1;
}
