// Finds the native addon that fits this machine and loads it, and says what to do when
// there is none. Not here: what the addon offers (native.ts).

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuroxideError } from './errors.js';

/** What an addon must fit. */
export interface Platform {
  platform: string;
  arch: string;
  /** The C library, on Linux only. */
  libc: 'glibc' | 'musl' | null;
}

/** The targets that have a package; the same list as `napi.targets` in package.json. */
export const TARGETS = [
  'linux-x64-gnu',
  'linux-arm64-gnu',
  'linux-x64-musl',
  'linux-arm64-musl',
  'darwin-x64',
  'darwin-arm64',
  'win32-x64-msvc',
  'win32-arm64-msvc',
];

/** Resolves and loads modules: `require`, or what stands for it in a test. */
type Loader = Pick<NodeJS.Require, 'resolve'> & ((id: string) => unknown);

/** The machine that runs this. */
export function thisPlatform(): Platform {
  const { platform, arch } = process;
  return { platform, arch, libc: platform === 'linux' ? libc() : null };
}

/** A machine's target under napi's default name, whether or not there is a package for it. */
export function targetOf({ platform, arch, libc }: Platform): string {
  if (platform === 'linux') return `linux-${arch}-${libc === 'musl' ? 'musl' : 'gnu'}`;
  return platform === 'win32' ? `win32-${arch}-msvc` : `${platform}-${arch}`;
}

/**
 * The addon: a checkout's own build beside package.json, else the target's package.
 * Throws a DuroxideError `NATIVE_ADDON` that says what is missing and what to do.
 */
export function loadAddon(machine = thisPlatform(), load: Loader = require, root = join(__dirname, '..')): unknown {
  const target = targetOf(machine);
  const built = join(root, `duroxide.${target}.node`);
  const name = existsSync(built) ? built : `duroxide-${target}`;
  if (name !== built && !isInstalled(name, load)) throw missing(machine, target, load, root);
  if (name !== built) checkVersion(name, load, root);
  try {
    return load(name);
  } catch (error) {
    throw failure(`the native addon ${name} does not load on ${described(machine)}: ${(error as Error).message}`);
  }
}

function libc(): 'glibc' | 'musl' {
  // Without the network's interfaces, which are slow to list and of no interest here.
  const report = process.report as typeof process.report & { excludeNetwork?: boolean };
  const before = report.excludeNetwork;
  report.excludeNetwork = true;
  const { header } = report.getReport() as { header: { glibcVersionRuntime?: string } };
  report.excludeNetwork = before ?? false;
  return header.glibcVersionRuntime ? 'glibc' : 'musl';
}

function isInstalled(name: string, load: Loader): boolean {
  try {
    load.resolve(`${name}/package.json`);
    return true;
  } catch {
    return false;
  }
}

function checkVersion(name: string, load: Loader, root: string): void {
  const version = (path: string) => (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
  const ours = version(join(root, 'package.json'));
  const its = version(load.resolve(`${name}/package.json`));
  if (its !== ours) {
    throw failure(`duroxide ${ours} needs ${name} ${ours}, but ${its} is installed: npm install ${name}@${ours}`);
  }
}

function missing(machine: Platform, target: string, load: Loader, root: string): DuroxideError {
  if (!TARGETS.includes(target)) {
    return failure(
      `there is no native addon for ${described(machine)}. Supported are ${TARGETS.join(', ')}. ` +
        `Elsewhere it can be built from source: \`npm run build\` in bindings/node of the repository.`,
    );
  }
  const others = TARGETS.filter((other) => isInstalled(`duroxide-${other}`, load));
  const hint =
    others.length > 0
      ? `node_modules has duroxide-${others.join(', duroxide-')} instead: it was installed on another platform, ` +
        'or copied from one. Run `npm ci` on this one.'
      : 'It is an optional dependency of duroxide, which npm leaves out with --omit=optional (or omit=optional in ' +
        '.npmrc), or when package-lock.json was written on another platform and lacks it: install without --omit, ' +
        'or remove node_modules and package-lock.json and run `npm install`.';
  return failure(
    `the native addon for ${described(machine)} is missing: neither the package duroxide-${target} is installed, ` +
      `nor is there a build at ${join(root, `duroxide.${target}.node`)}. ${hint}`,
  );
}

function described({ platform, arch, libc }: Platform): string {
  return libc === null ? `${platform} ${arch}` : `${platform} ${arch} (${libc})`;
}

function failure(message: string): DuroxideError {
  return new DuroxideError('NATIVE_ADDON', message);
}
