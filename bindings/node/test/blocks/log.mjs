// The log of this process, in a file, so that a test can ask what an instance logged.
// Import it before any Runtime starts.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initTracing } from 'duroxide';

delete process.env.RUST_LOG;
const folder = mkdtempSync(join(tmpdir(), 'duroxide-log-'));
const logFile = join(folder, 'log');
initTracing({ logFile, logLevel: 'debug', logFormat: 'json' });
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** What an instance logged, in order: `{ level, target, message, fields }`. */
export function logged(instanceId) {
  return readFileSync(logFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
    .filter(({ fields }) => fields.instance_id === instanceId)
    .map(({ level, target, fields }) => ({ level, target, message: fields.message, fields }));
}
