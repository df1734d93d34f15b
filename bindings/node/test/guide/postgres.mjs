// The guide's block on PostgreSQL, on a server that has its user, password and database. Only the name of the host
// is another one.
import assert from 'node:assert/strict';
import { Client, PostgresProvider, Runtime } from 'duroxide';
import { psql, startCluster } from '../../scripts/postgres.mjs';
import { runBody, snippets } from '../blocks/snippet.mjs';
import { block } from './case.mjs';

/** The guide's server. */
async function server() {
  const cluster = await startCluster(['--password', 'of1superuser']);
  psql(cluster.url, `CREATE ROLE "user" LOGIN PASSWORD 'pass'`);
  psql(cluster.url, 'CREATE DATABASE mydb OWNER "user"');
  return new URL(cluster.url);
}

/** The provider's class as the block sees it. */
function reaching({ host }) {
  const moved = (url) => url.replace('@host:5432/', `@${host}/`);
  return {
    connect: (url, ...more) => PostgresProvider.connect(moved(url), ...more),
    connectWithSchema: (url, ...more) => PostgresProvider.connectWithSchema(moved(url), ...more),
  };
}

export default [
  block('PostgreSQL', 1, 'both connect with user and password, and run the same id each in its own schema', async (t, text) => {
    const url = await server();
    const parts = snippets(text);
    assert.equal(parts.length, 2);
    for (const [index, part] of parts.entries()) {
      const { provider } = await runBody(part, { PostgresProvider: reaching(url) });
      assert.ok(provider instanceof PostgresProvider);
      const runtime = new Runtime(provider, { logLevel: 'error' });
      runtime.registerOrchestration('Which', function* (ctx, schema) {
        return schema;
      });
      await runtime.start();
      const client = new Client(provider);
      await client.startOrchestration('same', 'Which', index);
      assert.equal(await client.waitForOrchestrationTyped('same'), index);
      await runtime.shutdown();
      await provider.close();
    }
    url.pathname = '/mydb';
    const schemas = psql(url.href, "SELECT nspname FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid WHERE relname = 'instances' ORDER BY 1");
    assert.equal(schemas, 'duroxide_app\npublic');
  }),
];
