// Packs what npm publishes: node scripts/pack.mjs [FOLDER] [--addons FOLDER]
// The tarballs go to FOLDER (target/npm in the repository). Native packages are made for the
// addons that lie in the folder of --addons: the checkout's own build, or a release's builds
// for every target. With --addons a target without its addon is an error.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { pack, repository, stage, targets } from './packages.mjs';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { addons: { type: 'string' } } });
const into = resolve(positionals[0] ?? join(repository, 'target/npm'));

mkdirSync(into, { recursive: true });
const folders = await stage(join(into, 'staged'), values.addons === undefined ? {} : { addons: resolve(values.addons) });
if (values.addons !== undefined && folders.length - 1 < targets().length) {
  throw new Error(`${values.addons} has addons for ${folders.length - 1} of ${targets().length} targets`);
}
if (folders.length === 1) console.error('no native addon is built: `npm run build` makes one for this machine');
for (const { file, size, files } of pack(folders, into)) {
  console.log(`${file}: ${(size / 1024).toFixed(0)} KiB, ${files.length} files`);
}
