// A registry on this machine that has what this package publishes, and nothing else, so that
// `npm install duroxide` can be run as printed. The native packages of other platforms are not
// there: npm leaves out an optional package that it cannot find.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { execute, root } from './shell.mjs';

/** Serves the packages until the test is over; answers npm's environment. Packs and caches below a folder. */
export async function registry(t, folder) {
  const from = await packed(folder);
  const packages = packagesIn(from);
  const server = createServer((request, response) => {
    const name = request.url.slice(1);
    if (packages.has(name)) {
      response.setHeader('content-type', 'application/json').end(packument(packages.get(name), from, server.address().port));
    } else if (name.endsWith('.tgz') && existsSync(join(from, name))) response.end(readFileSync(join(from, name)));
    else response.writeHead(404).end('{}');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  return {
    npm_config_registry: `http://127.0.0.1:${server.address().port}/`,
    npm_config_cache: join(folder, 'cache'),
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
  };
}

/** The folder with the packages: packed once for all test files if they have one in common (scripts/test.mjs). */
async function packed(folder) {
  const shared = process.env.DUROXIDE_TEST_PACKAGES;
  if (shared && existsSync(shared)) return shared;
  const into = shared ? `${shared}-${process.pid}` : folder;
  const { status, stderr } = await execute(process.execPath, [join(root, 'scripts/pack.mjs'), into]);
  if (status !== 0) throw new Error(stderr);
  if (!shared) return folder;
  try {
    renameSync(into, shared);
  } catch (error) {
    // Another one was faster.
    if (!existsSync(shared)) throw error;
    rmSync(into, { recursive: true });
  }
  return shared;
}

/** The packages by name: manifest and tarball. */
function packagesIn(folder) {
  const staged = join(folder, 'staged');
  const natives = readdirSync(join(staged, 'npm')).map((target) => join(staged, 'npm', target));
  return new Map(
    [join(staged, 'duroxide'), ...natives]
      .map((path) => JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')))
      .map((manifest) => ({ manifest, tarball: `${manifest.name}-${manifest.version}.tgz` }))
      .filter(({ tarball }) => existsSync(join(folder, tarball)))
      .map((each) => [each.manifest.name, each]),
  );
}

function packument({ manifest, tarball }, folder, port) {
  const { name, version } = manifest;
  const integrity = `sha512-${createHash('sha512').update(readFileSync(join(folder, tarball))).digest('base64')}`;
  const dist = { tarball: `http://127.0.0.1:${port}/${tarball}`, integrity };
  return JSON.stringify({ name, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } } });
}
