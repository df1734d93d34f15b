// Packs the main package and has publint and attw look at it: whether its entries and their
// types resolve for every kind of importer. Even a suggestion fails. The native packages hold no
// code and no types; package-test.mjs installs them.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { pack, root, stage } from './packages.mjs';

const ATTW = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js');

const folder = mkdtempSync(join(tmpdir(), 'duroxide-package-'));
try {
  const [main] = await stage(join(folder, 'staged'), { addons: folder });
  const { messages, pkg } = await publint({ pkgDir: main, strict: true, pack: 'npm' });
  for (const message of messages) console.error(`publint: ${formatMessage(message, pkg)}`);
  if (messages.length === 0) console.log('publint: nothing to say');

  const [{ file }] = pack([main], folder);
  const attw = spawnSync(process.execPath, [ATTW, file, '--no-color', '--format', 'ascii'], { stdio: 'inherit' });
  if (attw.error) throw attw.error;
  if (messages.length > 0 || attw.status !== 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
