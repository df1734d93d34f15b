// Tests what npm would publish: packs it, installs it into empty folders without a network, and
// runs the guide's minimal example in every form on every supported Node: node scripts/package-test.mjs
// Needs a build (`npm run build`), and the registry once, for the other Nodes.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { FORMS, npmWithoutNetwork, run, writeExample } from './package-test/apps.mjs';
import { MAJORS, nodeOf } from './package-test/node-versions.mjs';
import { pack, publishedManifest, repository, root, stage } from './packages.mjs';

/** Tests of the package that are run on every Node; all of them run on the one that tests. */
const QUICK = ['minimal', 'package', 'patterns', 'errors', 'shutdown'].map((name) => `test/${name}.test.mjs`);
const LARGEST_MAIN = 256 * 1024;

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'duroxide-package-')));
after(() => rmSync(folder, { recursive: true, force: true }));

mkdirSync(join(folder, 'tarballs'));
const packages = pack(await stage(join(folder, 'staged'), { addons: stripped() }), join(folder, 'tarballs'));
const [main, native] = packages;
const tarballs = packages.map(({ file }) => file);
const npm = await npmWithoutNetwork(folder);
const app = join(folder, 'app');
// What Node itself adds when a module re-exports a CommonJS one.
const NODES_OWN = ['default', 'module.exports', '__esModule'];

/** The checkout's addons in a folder, without what a debugger reads: packing that takes longer than all else. */
function stripped() {
  const addons = join(folder, 'addons');
  mkdirSync(addons);
  for (const name of readdirSync(root).filter((name) => name.endsWith('.node'))) {
    cpSync(join(root, name), join(addons, name));
    spawnSync('strip', ['--strip-debug', join(addons, name)]); // Where there is no such program, it stays as it is.
  }
  return addons;
}

test('the main package holds the compiled code, its types and the documentation, nothing else', (t) => {
  t.diagnostic(`${main.files.length} files, ${(main.size / 1024).toFixed(0)} KiB packed`);
  const rest = main.files.filter((path) => !/^dist\/[\w/-]+(\.d)?\.(js|mjs|ts|mts)$/.test(path));
  assert.deepEqual(rest.filter((path) => !/^docs\/[\w/-]+\.md$/.test(path)).sort(), ['LICENSE', 'README.md', 'llms.txt', 'package.json']);
  const source = main.files.filter((path) => /(?<!\.d)\.m?ts$/.test(path));
  assert.deepEqual(source, [], 'source in the package');
  assert.ok(main.size < LARGEST_MAIN, `${main.size} bytes`);
});

test('every link of the package\'s documentation leads to a file of the package', () => {
  const links = main.files.filter((path) => /\.(md|txt)$/.test(path)).flatMap((path) => {
    const text = readFileSync(join(folder, 'staged/duroxide', path), 'utf8').replace(/^```[^]*?^```/gm, '').replace(/`[^`\n]*`/g, '');
    const targets = [...text.matchAll(/\]\(([^)\s#]+)[^)]*\)/g)].map(([, target]) => target).filter((target) => !/^[a-z]+:/.test(target));
    return targets.map((target) => ({ path, target, to: join(path, '..', target).replaceAll('\\', '/') }));
  });
  assert.ok(links.length > 100);
  assert.deepEqual(links.filter(({ to }) => !main.files.includes(to)), []);
});

test('nothing in the package points outside of it, or shows what is internal', () => {
  for (const path of main.files.filter((path) => path.startsWith('dist/'))) {
    const text = readFileSync(join(folder, 'staged/duroxide', path), 'utf8');
    assert.doesNotMatch(text, /sourceMappingURL/, path);
    if (/\.d\.m?ts$/.test(path)) assert.doesNotMatch(text, /@internal/, path);
  }
});

test('the native package holds the addon of this machine', (t) => {
  assert.notEqual(native, undefined, 'no addon is built: npm run build');
  t.diagnostic(`${native.manifest.name}: ${(native.size / 1024 / 1024).toFixed(1)} MiB packed`);
  const { name, os, cpu } = native.manifest;
  assert.deepEqual([os, cpu], [[process.platform], [process.arch]]);
  const addon = `${name.replace('-', '.')}.node`;
  assert.deepEqual(native.files.toSorted(), ['LICENSE', 'README.md', addon, 'package.json']);
});

test('every package has the version of the Rust workspace, and the main one asks for exactly that', () => {
  const [, version] = /^\[workspace\.package\]\nversion = "(.*)"$/m.exec(readFileSync(join(repository, 'Cargo.toml'), 'utf8'));
  const { optionalDependencies, scripts } = main.manifest;
  assert.deepEqual(packages.map(({ manifest }) => manifest.version), [version, version]);
  assert.deepEqual(new Set(Object.values(optionalDependencies)), new Set([version]));
  assert.equal(Object.keys(optionalDependencies).length, 8);
  assert.equal(scripts, undefined, 'no script runs when it is installed');
});

test('the npm of these tests reaches no registry', async () => {
  await assert.rejects(npm(['install', 'typescript'], 'unreachable'), /ECONNREFUSED/);
  await assert.rejects(npm(['install', '--offline', 'typescript'], 'unreachable'), /ENOTCACHED/);
});

test('the tarballs install into an empty folder without a network', async () => {
  await npm(['install', '--offline', ...tarballs], 'app');
  const installed = readdirSync(join(app, 'node_modules')).filter((name) => !name.startsWith('.'));
  assert.deepEqual(installed, [main.manifest.name, native.manifest.name]);
});

test('TypeScript finds the types of the installed package, for each kind of module its own', () => {
  const read = writeExample(app).filter((path) => path.includes('/duroxide/dist/index.d.'));
  const types = ['index.d.mts', 'index.d.ts'].map((name) => join(app, 'node_modules/duroxide/dist', name));
  assert.deepEqual(read.sort(), types);
});

for (const major of MAJORS) {
  for (const [form, file] of Object.entries(FORMS)) {
    test(`the minimal example runs as ${form} on Node ${major}`, () => {
      assert.deepEqual(run(nodeOf(major), [file], app), { status: 0, stdout: 'Hello, World!\n', stderr: '' });
    });
  }

  test(`every entry gives the same to import and require on Node ${major}`, () => {
    for (const entry of Object.keys(publishedManifest().exports).filter((entry) => !entry.endsWith('.json'))) {
      const id = JSON.stringify(join('duroxide', entry).replaceAll('\\', '/'));
      const code = `import * as esm from ${id}; import { createRequire } from 'node:module';
        const cjs = createRequire(import.meta.url)(${id});
        const names = Object.keys(esm).filter((name) => !${JSON.stringify(NODES_OWN)}.includes(name));
        const same = names.every((name) => esm[name] === cjs[name]);
        console.log(JSON.stringify({ same, esm: names.sort(), cjs: Object.keys(cjs).sort(), version: process.version }));`;
      const { stdout, stderr } = run(nodeOf(major), ['--input-type=module', '--eval', code], app);
      assert.equal(stderr, '');
      const { same, esm, cjs, version } = JSON.parse(stdout);
      assert.ok(version.startsWith(`v${major}.`), version);
      assert.ok(same && esm.length > 0, `${entry}: ${esm}`);
      assert.deepEqual(esm, cjs, entry);
    }
  });
}

test('what is inside of the package cannot be imported', () => {
  for (const id of ['duroxide/dist/index.js', 'duroxide/dist/native.js', 'duroxide/native']) {
    for (const load of [`require('${id}')`, `import('${id}')`]) {
      assert.match(run(process.execPath, ['-e', load], app).stderr, /ERR_PACKAGE_PATH_NOT_EXPORTED/, load);
    }
  }
});

for (const major of MAJORS.filter((major) => !process.versions.node.startsWith(`${major}.`))) {
  test(`the package's quick tests pass on Node ${major}`, (t) => {
    const { status, stdout, stderr } = run(nodeOf(major), ['--test', '--test-reporter=spec', ...QUICK], root);
    // The reporter ends with what failed.
    assert.equal(status, 0, (stdout + stderr).slice(-10_000));
    const passed = Number(/^ℹ pass (\d+)$/m.exec(stdout)[1]);
    t.diagnostic(`${passed} tests of ${QUICK.length} files`);
    assert.ok(passed > QUICK.length, stdout);
  });
}

test('an app installed without its optional dependencies is told what is missing', async () => {
  await npm(['install', '--offline', '--omit=optional', main.file], 'omitted');
  const { status, stderr } = run(process.execPath, ['-e', "require('duroxide')"], join(folder, 'omitted'));
  assert.equal(status, 1);
  assert.match(stderr, new RegExp(`is missing: neither the package ${native.manifest.name} is installed.*--omit=optional`));
});
