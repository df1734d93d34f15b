// Makes the packages that npm publishes: `duroxide`, which holds JavaScript, types and documentation, and
// one `duroxide-<target>` for each native addon at hand. They are staged in a folder of their
// own and packed there; the checkout's package.json, whose optional dependencies nobody has
// published yet while one works on it, is never touched. Not here: compiling anything.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NapiCli, parseTriple } from '@napi-rs/cli';

/** The package's folder in the checkout, and the repository. */
export const root = fileURLToPath(new URL('..', import.meta.url));
export const repository = join(root, '../..');

const LICENSE = join(repository, 'LICENSE');

/** package.json as it is checked in. */
export const manifest = () => JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** The targets under napi's names, as in `linux-x64-gnu`. */
export const targets = () => manifest().napi.targets.map((triple) => parseTriple(triple).platformArchABI);

/**
 * What is published: nothing that only a checkout can use, and a package for each target. (The
 * overrides pin napi's own tools to versions that exist for every platform: `npm ci` refuses a
 * lock file that lacks some.)
 */
export function publishedManifest() {
  const { private: _private, scripts: _scripts, devDependencies: _dev, overrides: _overrides, napi: _napi, ...published } = manifest();
  const natives = targets().map((target) => [`${published.name}-${target}`, published.version]);
  return { ...published, optionalDependencies: Object.fromEntries(natives) };
}

/**
 * Stages the packages under a folder that is emptied first: `duroxide/`, and
 * `duroxide-<target>/` for each target whose addon lies in `addons`. Answers with the folders,
 * the main package's first.
 */
export async function stage(folder, { addons = root } = {}) {
  const main = join(folder, 'duroxide');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(main, { recursive: true });
  await createNativePackages(folder);
  cpSync(join(root, 'dist'), join(main, 'dist'), { recursive: true, filter: hasSource });
  stageDocumentation(main);
  cpSync(LICENSE, join(main, 'LICENSE'));
  writeJson(join(main, 'package.json'), publishedManifest());
  const folders = [main];
  for (const target of targets()) {
    const addon = `duroxide.${target}.node`;
    const native = join(folder, 'npm', target);
    if (!existsSync(join(addons, addon))) continue;
    cpSync(join(addons, addon), join(native, addon));
    cpSync(LICENSE, join(native, 'LICENSE'));
    folders.push(native);
  }
  return folders;
}

/** Packs staged folders. Answers with `{ manifest, file, size, files }` for each. */
export function pack(folders, into) {
  return folders.map((folder) => {
    const args = ['pack', '--json', '--silent', '--ignore-scripts', '--pack-destination', into];
    const [packed] = JSON.parse(npm(args, { cwd: folder }));
    const { size, files, filename } = packed;
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return { manifest, file: join(into, filename), size, files: files.map(({ path }) => path) };
  });
}

/** Runs npm and answers with what it printed. */
export function npm(args, options) {
  // npm is a batch file on Windows, which only a shell runs.
  return execFileSync('npm', args, { encoding: 'utf8', maxBuffer: 1 << 26, shell: process.platform === 'win32', ...options });
}

/** README, docs/ and llms.txt; they link to each other, and to nothing that only a checkout has. */
function stageDocumentation(main) {
  cpSync(join(repository, 'docs'), join(main, 'docs'), { recursive: true });
  cpSync(join(repository, 'llms.txt'), join(main, 'llms.txt'));
  const readme = readFileSync(join(root, 'README.md'), 'utf8').replace(/^## Building it from source\n[^]*?(?=^## |$(?![^]))/m, '');
  writeFileSync(join(main, 'README.md'), readme.replaceAll('](../../docs/', '](docs/'));
  for (const page of readdirSync(join(main, 'docs')).filter((name) => name.endsWith('.md'))) {
    const path = join(main, 'docs', page);
    writeFileSync(path, readFileSync(path, 'utf8').replace(/\[([^\]]*)\]\(\.\.\/(?!llms\.txt)[^)]*\)/g, '$1'));
  }
}

/** Whether something in dist/ is a folder or compiled from what is in ts/: tsc leaves behind what is not. */
function hasSource(path) {
  const compiled = /^(.*?)(?:\.d)?\.(m?)[jt]s$/.exec(relative(join(root, 'dist'), path));
  return compiled === null || existsSync(join(root, 'ts', `${compiled[1]}.${compiled[2]}ts`));
}

/** napi's own package.json for each target: name, os, cpu, libc. */
async function createNativePackages(folder) {
  writeJson(join(folder, 'package.json'), manifest());
  await new NapiCli().createNpmDirs({ cwd: folder });
  rmSync(join(folder, 'package.json'));
}

function writeJson(path, value) {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}
