// Which native addon is loaded, and what the user reads when none fits.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { targets } from '../scripts/packages.mjs';
import { folder } from './helpers.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { TARGETS, loadAddon, targetOf, thisPlatform } = createRequire(import.meta.url)('../dist/addon.js');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const MUSL = { platform: 'linux', arch: 'arm64', libc: 'musl' };

/** An app with `duroxide` and these native packages, and how its copy of `duroxide` loads an addon. */
function app(t, packages = {}) {
  const modules = join(folder(t), 'node_modules');
  for (const [name, code] of Object.entries({ duroxide: '', ...packages })) {
    mkdirSync(join(modules, name), { recursive: true });
    writeFileSync(join(modules, name, 'package.json'), JSON.stringify({ name, version, main: 'addon.js' }));
    writeFileSync(join(modules, name, 'addon.js'), code);
  }
  const main = join(modules, 'duroxide');
  const load = createRequire(join(main, 'package.json'));
  return { modules, main, load: (machine) => loadAddon(machine, load, main) };
}

const refused = (message) => (error) => {
  assert.equal(error.code, 'NATIVE_ADDON');
  assert.match(error.message, message);
  return true;
};

test('the loader knows the targets that package.json configures', () => {
  assert.deepEqual([...TARGETS].sort(), targets().sort());
});

test('this machine is one of the targets', () => {
  assert.ok(TARGETS.includes(targetOf(thisPlatform())), targetOf(thisPlatform()));
});

test('each platform has its target under napi\'s default name', () => {
  const names = [
    ['linux', 'x64', 'glibc'], ['linux', 'arm64', 'musl'], ['darwin', 'arm64', null], ['win32', 'x64', null],
  ].map(([platform, arch, libc]) => targetOf({ platform, arch, libc }));
  assert.deepEqual(names, ['linux-x64-gnu', 'linux-arm64-musl', 'darwin-arm64', 'win32-x64-msvc']);
});

test('the package of the target is loaded', (t) => {
  const { load } = app(t, { 'duroxide-linux-arm64-musl': 'module.exports = "musl";' });
  assert.equal(load(MUSL), 'musl');
});

test('a build in the checkout comes before the package', (t) => {
  const { load, main } = app(t, { 'duroxide-linux-arm64-musl': 'module.exports = "package";' });
  mkdirSync(join(main, 'duroxide.linux-arm64-musl.node'));
  writeFileSync(join(main, 'duroxide.linux-arm64-musl.node/index.js'), 'module.exports = "checkout";');
  assert.equal(load(MUSL), 'checkout');
});

test('a missing package is named, with the platform and what to do', (t) => {
  assert.throws(() => app(t).load(MUSL), refused(/linux arm64 \(musl\) is missing.*duroxide-linux-arm64-musl.*--omit=optional.*package-lock\.json was written on another platform/));
});

test('node_modules of another platform are recognised', (t) => {
  const { load } = app(t, { 'duroxide-darwin-arm64': '' });
  assert.throws(() => load(MUSL), refused(/node_modules has duroxide-darwin-arm64 instead.*`npm ci`/));
});

test('a platform without an addon is named, with those that have one', (t) => {
  const { load } = app(t);
  assert.throws(() => load({ platform: 'freebsd', arch: 'x64', libc: null }), refused(/no native addon for freebsd x64\. Supported are linux-x64-gnu, /));
  assert.throws(() => load({ platform: 'linux', arch: 's390x', libc: 'glibc' }), refused(/no native addon for linux s390x \(glibc\)/));
});

test('a package of another version is refused, with the command that mends it', (t) => {
  const { load, modules } = app(t, { 'duroxide-linux-arm64-musl': '' });
  const path = join(modules, 'duroxide-linux-arm64-musl/package.json');
  writeFileSync(path, JSON.stringify({ version: '9.9.9' }));
  assert.throws(() => load(MUSL), refused(new RegExp(`9\\.9\\.9 is installed: npm install duroxide-linux-arm64-musl@${version}`)));
});

test('an addon that does not load says why', (t) => {
  const { load } = app(t, { 'duroxide-linux-arm64-musl': 'throw new Error("GLIBC_2.99 not found");' });
  assert.throws(() => load(MUSL), refused(/duroxide-linux-arm64-musl does not load on linux arm64 \(musl\): GLIBC_2\.99 not found/));
});

test('without an addon `require` throws that error', (t) => {
  const { main } = app(t);
  cpSync(join(root, 'dist'), join(main, 'dist'), { recursive: true });
  const load = createRequire(join(main, 'package.json'));
  assert.throws(() => load(join(main, 'dist/index.js')), refused(new RegExp(`${process.platform} ${process.arch}.* is missing`)));
});
