// What only PostgreSQL has: connection strings, passwords, schemas, TLS, a server that refuses or goes away. Not
// here: what every store does.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, DuroxideError, NotSupportedError, PostgresProvider } from 'duroxide';
import { psql, startCluster } from '../scripts/postgres.mjs';
import { evaluated } from './api/evaluated.mjs';
import { folder, started, until } from './helpers.mjs';

const { DATABASE_URL } = process.env;
const SECRET = 'hush5ecret';
const Echo = {
  activities: { Echo: (ctx, value) => value },
  orchestrations: {
    *Echo(ctx, value) {
      return yield ctx.scheduleActivity('Echo', value);
    },
  },
};

const newSchema = () => `test_${randomUUID().replaceAll('-', '')}`;

/** A database of its own: the tests of the schema `public` leave the others alone. */
function newDatabase(t) {
  const name = newSchema();
  psql(DATABASE_URL, `CREATE DATABASE ${name}`);
  t.after(() => psql(DATABASE_URL, `DROP DATABASE ${name} WITH (FORCE)`));
  return withPart(DATABASE_URL, 'pathname', `/${name}`);
}

function withPart(url, part, value) {
  const changed = new URL(url);
  changed[part] = value;
  return changed.href;
}

async function connected(t, url, schema, options) {
  const provider = await (schema === undefined ? PostgresProvider.connect(url, options) : PostgresProvider.connectWithSchema(url, schema, options));
  t.after(() => provider.close());
  return provider;
}

/** An error of ours that names the call and says this, without the secret. */
function refused(call, says, code = 'STORE_UNUSABLE') {
  return (error) => {
    assert.ok(error instanceof DuroxideError, String(error));
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.startsWith(`${call}: `), error.message);
    for (const part of [says].flat()) assert.match(error.message, part);
    assert.doesNotMatch(`${error.message} ${error.stack} ${JSON.stringify(error)}`, new RegExp(SECRET));
    return true;
  };
}

test('connect keeps everything in the schema public, connectWithSchema in one that it creates', async (t) => {
  const url = newDatabase(t);
  const schema = newSchema();
  const [one, other] = [await connected(t, url), await connected(t, url, schema)];
  await new Client(one).startOrchestration('same', 'Echo', 1);
  await new Client(other).startOrchestration('same', 'Echo', 2);
  await new Client(other).startOrchestration('more', 'Echo');
  assert.deepEqual(await new Client(one).listAllInstances(), ['same']);
  assert.deepEqual(await new Client(other).listAllInstances(), ['more', 'same']);
  const schemas = psql(url, "SELECT DISTINCT schemaname FROM pg_tables WHERE schemaname !~ '^(pg_|information_schema)' ORDER BY 1");
  assert.deepEqual(schemas.split('\n').sort(), ['public', schema].sort());
});

test('a schema is named as it is written, whatever stands in it', async (t) => {
  const url = newDatabase(t);
  for (const schema of ['Mixed Case', 'a"; DROP SCHEMA public; --', 'ünïcode', 'x'.repeat(63), '{schema}']) {
    const provider = await connected(t, url, schema);
    const { client } = await started(t, { provider, ...Echo });
    assert.equal((await client.run('Echo', schema)).output, schema);
    const quoted = schema.replaceAll("'", "''");
    assert.equal(psql(url, `SELECT count(*) FROM pg_namespace WHERE nspname = '${quoted}'`), '1');
  }
});

test('ten that connect at once to an empty database all find one store', async (t) => {
  const url = newDatabase(t);
  const providers = await Promise.all(Array.from({ length: 10 }, () => connected(t, url, 'crowd', { maxConnections: 2 })));
  await Promise.all(providers.map((provider, n) => new Client(provider).startOrchestration(`i${n}`, 'Echo', n)));
  for (const provider of providers) assert.equal((await new Client(provider).listAllInstances()).length, 10);
});

for (const [url, says] of [
  ['not a url', /postgres:\/\/USER:PASSWORD@HOST/],
  [`mysql://u:${SECRET}@127.0.0.1/d`, /postgres:\/\/USER:PASSWORD@HOST/],
  [`postgres://u:${SECRET}@127.0.0.1:notaport/d`, /URL/],
  [`postgres://u:${SECRET}@127.0.0.1/d?sslmode=always`, /ssl_?mode/],
  [`postgres://u:${SECRET}@127.0.0.1/d?no_such_thing=${SECRET}`, /no_such_thing/],
  [`postgres://u:a#${SECRET}@127.0.0.1/d`, /%23/],
]) {
  test(`the connection string ${url.replaceAll(SECRET, '…')} is refused, and what was wrong in it is named`, async () => {
    await assert.rejects(PostgresProvider.connect(url), refused('PostgresProvider.connect', says));
    const call = PostgresProvider.connectWithSchema(url, 'app');
    await assert.rejects(call, refused('PostgresProvider.connectWithSchema', says));
  });
}

test('a url that is no text, or an empty one, is a TypeError that repeats nothing of it', async () => {
  for (const url of [undefined, null, 7, {}, '', `postgres://u:${SECRET}\ud800@h/d`]) {
    await assert.rejects(PostgresProvider.connect(url), (error) => {
      assert.ok(error instanceof TypeError && error.message.startsWith('PostgresProvider.connect: the url must be'), String(error));
      return !error.message.includes(SECRET);
    });
  }
});

test('wrong options are refused by name, with the nearest known one', async () => {
  for (const [options, message] of [
    [{ maxConnection: 5 }, /unknown option 'maxConnection'; did you mean 'maxConnections'/],
    [{ maxConnections: 0 }, /option 'maxConnections' must be an integer from 1 to 10000, not 0/],
    [{ acquireTimeoutMs: -1 }, /option 'acquireTimeoutMs' must be an integer >= 1, not -1/],
    [{ ssl: 'require' }, /option 'ssl' must be a boolean or an object, not 'require'/],
    [{ ssl: { rejectUnauthorised: false } }, /option 'ssl': unknown option 'rejectUnauthorised'; did you mean 'rejectUnauthorized'/],
    [{ ssl: { mode: 'always' } }, /option 'mode' must be one of 'disable', .*'verify-full', not 'always'/],
    [{ ssl: { ca: '/etc/ca.pem' } }, /option 'ca' must be certificates as PEM text/],
    [{ ssl: { mode: 'require', rejectUnauthorized: true } }, /both 'mode' and 'rejectUnauthorized'/],
    [{ ssl: { ca: '-----BEGIN CERTIFICATE-----', rejectUnauthorized: false } }, /a 'ca' that nobody would look at/],
  ]) {
    for (const connecting of [PostgresProvider.connect('postgres://h/d', options), PostgresProvider.connectWithSchema('postgres://h/d', 's', options)]) {
      await assert.rejects(connecting, (error) => error instanceof TypeError && message.test(error.message));
    }
  }
});

test('a schema that cannot be one is refused', async () => {
  for (const [schema, says] of [['pg_app', /pg_/], ['information_schema', /reserved/], ['x'.repeat(64), /63 bytes/], ['a\0b', /NUL/]]) {
    await assert.rejects(PostgresProvider.connectWithSchema(DATABASE_URL, schema), refused('PostgresProvider.connectWithSchema', says));
  }
  for (const schema of ['', undefined, 7]) {
    await assert.rejects(PostgresProvider.connectWithSchema(DATABASE_URL, schema), (error) => {
      return error instanceof TypeError && /connectWithSchema: the schema must be a non-empty string/.test(error.message);
    });
  }
});

test('a wrong password, user or database is refused at once, and the password stands in no error', async (t) => {
  const { url } = await startCluster(['--password', 'right1']);
  const wrong = withPart(url, 'password', SECRET);
  await assert.rejects(PostgresProvider.connect(wrong), refused('PostgresProvider.connect', [/127\.0\.0\.1:\d+\/postgres/, /password/]));
  await assert.rejects(PostgresProvider.connect(withPart(wrong, 'username', 'nobody')), refused('PostgresProvider.connect', /user/));
  await assert.rejects(PostgresProvider.connect(withPart(url, 'pathname', '/absent')), refused('PostgresProvider.connect', /absent/));
  const provider = await connected(t, url);
  assert.deepEqual(await new Client(provider).listAllInstances(), []);
});

test('a user who may not create the schema is told so', async (t) => {
  const url = newDatabase(t);
  const role = newSchema();
  psql(url, `CREATE ROLE ${role} LOGIN PASSWORD '${SECRET}'`);
  t.after(() => psql(DATABASE_URL, `DROP ROLE ${role}`));
  const poor = withPart(withPart(url, 'username', role), 'password', SECRET);
  const denied = [/permission denied/, /127\.0\.0\.1|localhost|:/];
  await assert.rejects(PostgresProvider.connectWithSchema(poor, 'app'), refused('PostgresProvider.connectWithSchema', denied));
  // With a schema of its own it needs nothing else.
  psql(url, `CREATE SCHEMA app AUTHORIZATION ${role}`);
  const provider = await PostgresProvider.connectWithSchema(poor, 'app');
  assert.deepEqual(await new Client(provider).listAllInstances(), []);
  await provider.close();
  psql(url, 'DROP SCHEMA app CASCADE');
});

test('a host that cannot be reached is named, and what to check; the event loop goes on meanwhile', async () => {
  const says = [/127\.0\.0\.1:9/, /check host and port/];
  let turns = 0;
  const counting = setInterval(() => (turns += 1), 1);
  const connecting = PostgresProvider.connect(`postgres://u:${SECRET}@127.0.0.1:9/d`);
  await assert.rejects(connecting, refused('PostgresProvider.connect', says)).finally(() => clearInterval(counting));
  assert.ok(turns > 20, `${turns} turns of the event loop`);
});

test('a password with every kind of sign is written with % and works, and is in no log', async (t) => {
  const { url } = await startCluster(['--password', 'right1']);
  const password = `${SECRET}@/?#:% "'`;
  psql(url, `CREATE ROLE app SUPERUSER LOGIN PASSWORD '${password.replaceAll("'", "''")}'`);
  const encoded = `postgres://app:${encodeURIComponent(password).replaceAll("'", '%27')}@${new URL(url).host}/postgres`;
  const { status, stdout, stderr } = evaluated(
    `const provider = await d.PostgresProvider.connect(process.env.URL);
    const runtime = new d.Runtime(provider, { logLevel: 'trace' });
    runtime.registerOrchestration('O', function* () { return 1; });
    await runtime.start();
    const client = new d.Client(provider);
    await client.startOrchestration('i', 'O');
    console.log(await client.waitForOrchestrationTyped('i'));
    await runtime.shutdown();
    await provider.close();
    const wrong = process.env.URL.replace('app:', 'app:x');
    await d.PostgresProvider.connect(wrong).catch((error) => console.log(error.code));`,
    { URL: encoded, RUST_LOG: 'trace' },
  );
  assert.deepEqual([status, stdout], [0, '1\nSTORE_UNUSABLE\n'], stderr);
  assert.match(stderr, /TRACE|DEBUG/);
  for (const secret of [SECRET, encodeURIComponent(password)]) assert.ok(!stderr.includes(secret));
});

/** An authority, and a certificate that it signed for 127.0.0.1 alone. */
function certificate(t) {
  const dir = folder(t);
  const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const key = (name) => ['-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`];
  openssl('req', '-x509', ...key('ca'), '-days', '2', '-subj', '/CN=duroxide authority', '-out', 'ca.crt');
  openssl('req', ...key('server'), '-subj', '/CN=duroxide server', '-out', 'server.csr');
  writeFileSync(join(dir, 'names'), 'subjectAltName=IP:127.0.0.1\n');
  openssl('x509', '-req', '-in', 'server.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names', '-out', 'server.crt');
  const [authority, crt, serverKey] = ['ca.crt', 'server.crt', 'server.key'].map((name) => join(dir, name));
  return { authority, crt, key: serverKey, ca: readFileSync(authority, 'utf8') };
}

test('ssl encrypts, checks the certificate and the host unless told otherwise, and beats the url', async (t) => {
  const { authority, crt, key, ca } = certificate(t);
  const { url } = await startCluster(['--tls', crt, key]);
  const localhost = withPart(url, 'hostname', 'localhost');
  const call = (...given) => PostgresProvider.connect(...given);
  const encrypted = async (...given) => {
    const provider = await call(...given);
    await new Client(provider).listAllInstances();
    const lines = psql(url, "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'duroxide'");
    await provider.close();
    return lines;
  };
  for (const ssl of [{ ca }, { ca: Buffer.from(ca) }, { ca, rejectUnauthorized: true }, { mode: 'verify-full', ca }, { rejectUnauthorized: false }, { mode: 'require' }]) {
    assert.equal(await encrypted(url, { ssl }), 't', JSON.stringify(ssl));
  }
  assert.equal(await encrypted(url), 't', 'prefer, by default');
  for (const ssl of [false, { mode: 'disable' }]) assert.equal(await encrypted(`${url}?sslmode=require`, { ssl }), 'f');
  assert.equal(await encrypted(`${url}?sslmode=verify-full&sslrootcert=${encodeURIComponent(authority)}`), 't');
  const wrong = refused('PostgresProvider.connect', /certificate/);
  for (const ssl of [true, {}, { rejectUnauthorized: true }, { mode: 'verify-ca' }]) await assert.rejects(call(url, { ssl }), wrong);
  await assert.rejects(call(localhost, { ssl: { ca } }), wrong);
  assert.equal(await encrypted(localhost, { ssl: { ca, mode: 'verify-ca' } }), 't');
  await assert.rejects(call(DATABASE_URL, { ssl: { mode: 'require' } }), refused('PostgresProvider.connect', /encrypt/));
});

test('a backup is refused, and names what to use', async (t) => {
  const provider = await connected(t, DATABASE_URL, newSchema());
  await assert.rejects(provider.backup('copy.sql'), (error) => {
    assert.ok(error instanceof NotSupportedError);
    assert.deepEqual([error.code, error.message.includes('PostgresProvider.backup')], ['NOT_SUPPORTED', true]);
    return /use pg_dump/.test(error.message);
  });
});

test('a closed provider leaves no connection, refuses calls, and is closed more than once', async (t) => {
  const url = newDatabase(t);
  const provider = await PostgresProvider.connect(url, { maxConnections: 3 });
  const client = new Client(provider);
  await Promise.all(Array.from({ length: 20 }, (_, n) => client.startOrchestration(`i${n}`, 'Echo')));
  const connections = () => Number(psql(DATABASE_URL, `SELECT count(*) FROM pg_stat_activity WHERE datname = '${new URL(url).pathname.slice(1)}'`));
  const most = connections();
  assert.ok(most >= 2 && most <= 4, `${most} connections`);
  await provider.close();
  await provider[Symbol.asyncDispose]();
  await until(() => connections() === 0);
  await assert.rejects(client.listAllInstances(), { code: 'STORE_UNUSABLE' });
});

test('one connection is enough, however much is asked at once', async (t) => {
  const provider = await connected(t, DATABASE_URL, newSchema(), { maxConnections: 1 });
  const { client } = await started(t, { provider, ...Echo });
  const runs = Array.from({ length: 30 }, (_, n) => client.run('Echo', n));
  assert.deepEqual((await Promise.all(runs)).map(({ output }) => output), Array.from({ length: 30 }, (_, n) => n));
});

for (const mode of ['fast', 'immediate']) {
  test(`a server that is restarted (${mode}) while workflows run loses nothing, and no caller notices`, async (t) => {
    const server = await startCluster();
    const provider = await connected(t, server.url);
    const runs = [];
    const { client } = await started(t, {
      provider,
      options: { logLevel: 'off' },
      activities: { Step: (ctx, n) => runs.push(n) && n },
      orchestrations: {
        *Steps(ctx) {
          let sum = 0;
          for (let n = 0; n < 200; n++) sum += yield ctx.scheduleActivity('Step', n);
          return sum;
        },
      },
    });
    for (let n = 0; n < 4; n++) await client.startOrchestration(`i${n}`, 'Steps');
    await until(() => runs.length > 50);
    assert.equal(await server.restart(mode), 'restarted');
    for (let n = 0; n < 4; n++) {
      assert.equal(await client.waitForOrchestrationTyped(`i${n}`, 60_000), 19_900);
      const history = await client.readExecutionHistory(`i${n}`, 1);
      assert.equal(history.filter(({ kind }) => kind === 'ActivityCompleted').length, 200);
    }
  });
}
