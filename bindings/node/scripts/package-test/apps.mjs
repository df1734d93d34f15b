// Apps that use the packages as a stranger would: in a folder outside the repository, installed
// from the tarballs by an npm that reaches no registry, with the guide's minimal example in every
// form. Not here: what they must print.
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repository, root } from '../packages.mjs';

const GUIDE = join(repository, '../shared/spec/user-guide.md');
const OUR_COPY = join(root, 'test/minimal-example.js.txt');
const TSCONFIG = {
  compilerOptions: {
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    module: 'nodenext',
    strict: true,
    skipLibCheck: false,
    typeRoots: [join(root, 'node_modules/@types')],
    types: ['node'],
    outDir: 'compiled',
  },
  files: ['typescript-esm.mts', 'typescript-cjs.cts'],
};

/** The example in each form, by the file that Node runs. */
export const FORMS = {
  ESM: 'esm.mjs',
  CommonJS: 'commonjs.cjs',
  'TypeScript, compiled to ESM': 'compiled/typescript-esm.mjs',
  'TypeScript, compiled to CommonJS': 'compiled/typescript-cjs.cjs',
};

/** The guide's minimal example as printed; where the guide is not at hand, our own copy. */
function minimalExample() {
  if (!existsSync(GUIDE)) return readFileSync(OUR_COPY, 'utf8');
  const [, section] = readFileSync(GUIDE, 'utf8').split('## Minimal Example');
  return /```javascript\n([\s\S]*?)```/.exec(section)[1];
}

/** Writes the example in each form and compiles what is TypeScript; answers with the files that tsc read. */
export function writeExample(folder) {
  const commonJs = minimalExample();
  const esm = commonJs.replace(/const (\{.*\}) = require\('duroxide'\);/, "import $1 from 'duroxide';");
  if (esm === commonJs) throw new Error('the minimal example does not begin with `const { … } = require(\'duroxide\')`');
  const files = { 'commonjs.cjs': commonJs, 'esm.mjs': esm, 'typescript-esm.mts': esm, 'typescript-cjs.cts': esm };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(TSCONFIG));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '--listFiles'], { cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(`tsc refuses the minimal example:\n${stdout}`);
  return stdout.split('\n');
}

/** Runs a file with a Node: `{ status, stdout, stderr }`. */
export function run(node, args, cwd) {
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: undefined, RUST_LOG: undefined };
  const { status, stdout, stderr, error } = spawnSync(node, args, { cwd, env, encoding: 'utf8', timeout: 300_000 });
  if (error) throw error;
  return { status, stdout, stderr };
}

/** npm for a folder, with an empty cache and a registry behind a closed port. */
export async function npmWithoutNetwork(folder) {
  const address = `http://127.0.0.1:${await closedPort()}/`;
  const env = {
    ...process.env,
    npm_config_registry: address,
    npm_config_proxy: address,
    npm_config_https_proxy: address,
    npm_config_userconfig: join(folder, 'no-npmrc'),
    npm_config_cache: join(folder, 'npm-cache'),
    npm_config_fetch_retries: '0',
    npm_config_loglevel: 'error', // What runs these tests may be an npm that was told to be silent.
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
  };
  return (args, name) => {
    const cwd = join(folder, name);
    mkdirSync(cwd, { recursive: true });
    return promisify(execFile)('npm', args, { cwd, env, shell: process.platform === 'win32' });
  };
}

async function closedPort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
