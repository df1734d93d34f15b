// A PostgreSQL database for one run of the tests: on the server of DATABASE_URL, else on a private cluster
// that ends with this process. Not here: the cluster itself (providers/postgres/cluster).
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../..', import.meta.url));

/** A new, empty database; `drop()` it at the end. */
export async function startDatabase() {
  const server = process.env.DATABASE_URL ? { url: process.env.DATABASE_URL, stop: () => undefined } : await startCluster();
  const name = `duroxide_test_${process.pid}`;
  psql(server.url, `CREATE DATABASE ${name}`);
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  const drop = async () => {
    psql(server.url, `DROP DATABASE ${name} WITH (FORCE)`);
    await server.stop();
  };
  return { url: url.href, drop };
}

/** A cluster with these arguments: its URL, `restart(mode)`, and `stop()`. It ends with this process in any case. */
export async function startCluster(args = []) {
  const command = ['run', '--quiet', '--package', 'duroxide-postgres-cluster', '--', ...args];
  const program = spawn('cargo', command, { cwd: repository, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => program.once('close', resolve));
  const failed = new Promise((_, reject) => program.once('error', reject));
  const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
  // It keeps this process alive only while somebody waits for its answer.
  const all = [program, program.stdin, program.stdout];
  const next = async () => {
    for (const each of all) each.ref();
    const { value, done } = await Promise.race([lines.next(), failed]);
    for (const each of all) each.unref();
    if (done) throw new Error('no PostgreSQL for the tests; see above why');
    return value;
  };
  return {
    url: await next(),
    restart: (mode) => {
      program.stdin.write(`restart ${mode}\n`);
      return next();
    },
    stop: () => {
      program.ref();
      program.stdin.end();
      return ended;
    },
  };
}

/** Runs SQL and gives what it answers, a row a line. */
export function psql(url, sql) {
  const { status, stdout, stderr, error } = spawnSync('psql', ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', sql, url], { encoding: 'utf8' });
  if (error) throw new Error("psql is needed for the tests on PostgreSQL (Debian's package postgresql-client)", { cause: error });
  if (status !== 0) throw new Error(`psql: ${stderr}`);
  return stdout.trim();
}
