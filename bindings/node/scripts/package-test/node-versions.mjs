// The Nodes that the package is tested on. The one that runs this serves for its own version;
// the others are binaries from the registry's `node-<platform>-<arch>` packages, installed by npm
// into target/node-versions and kept there.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { npm, repository } from '../packages.mjs';

/** Every Node that is supported, the oldest first. */
export const MAJORS = [20, 22, 24];

const { platform, arch } = process;
const PACKAGE = `node-${platform === 'win32' ? 'win' : platform}-${arch}`;

/** The path of a Node of this major version; installs it if need be. */
export function nodeOf(major) {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const folder = join(repository, 'target/node-versions', String(major));
  const binary = join(folder, 'node_modules', PACKAGE, 'bin', platform === 'win32' ? 'node.exe' : 'node');
  if (!existsSync(binary)) install(major, folder);
  const version = execFileSync(binary, ['--version'], { encoding: 'utf8' });
  if (!version.startsWith(`v${major}.`)) throw new Error(`${binary} is Node ${version.trim()}: remove ${folder}`);
  return binary;
}

function install(major, folder) {
  mkdirSync(folder, { recursive: true });
  try {
    npm(['install', '--no-save', '--no-package-lock', '--loglevel=error', '--prefix', folder, `${PACKAGE}@${major}`], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    throw new Error(
      `Node ${major} is not in ${folder}, and the package ${PACKAGE}@${major} cannot be installed there. ` +
        `The npm registry must be reachable once; what is there stays.\n${error.stderr ?? error.message}`,
    );
  }
}
