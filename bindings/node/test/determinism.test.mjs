// The determinism guard: what orchestration code must not call, and that nothing outside
// of that code ever meets a guard.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import nodeCrypto from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { DeterminismError, DuroxideError } from 'duroxide';
import { folder, started } from './helpers.mjs';

const { Places, eachPlaceOnce, enter, leave } = createRequire(import.meta.url)('../dist/guard.js');

/** What is guarded: the call, and what its error must name instead. */
const FORBIDDEN = {
  'Date.now()': [() => Date.now(), 'ctx.utcNow()'],
  'new Date()': [() => new Date(), 'ctx.utcNow()'],
  'Date()': [() => Date(), 'ctx.utcNow()'],
  'Math.random()': [() => Math.random(), 'ctx.newGuid()'],
  'crypto.randomUUID()': [() => crypto.randomUUID(), 'ctx.newGuid()'],
  'crypto.getRandomValues()': [() => crypto.getRandomValues(new Uint8Array(1)), 'ctx.newGuid()'],
  'performance.now()': [() => performance.now(), 'ctx.utcNow()'],
  'setTimeout()': [() => clearTimeout(setTimeout(() => undefined, 1)), 'ctx.scheduleTimer('],
  'setInterval()': [() => clearInterval(setInterval(() => undefined, 1)), 'ctx.scheduleTimer('],
  'setImmediate()': [() => clearImmediate(setImmediate(() => undefined)), 'ctx.scheduleTimer('],
  'fetch()': [() => fetch('http://127.0.0.1:1/').catch(() => undefined), 'ctx.scheduleActivity('],
};

/** Runs one orchestration and gives its status. */
async function ran(t, code, options, activities = {}) {
  const { client } = await started(t, { options, activities, orchestrations: { Main: code } });
  return client.run('Main');
}

for (const [call, [violate, instead]] of Object.entries(FORBIDDEN)) {
  test(`${call} throws under 'throw' and names ${instead}`, async (t) => {
    let error;
    const ended = await ran(
      t,
      function* () {
        try {
          violate();
        } catch (thrown) {
          error = thrown;
        }
        return 'caught';
      },
      { determinism: 'throw' },
    );
    assert.equal(ended.output, 'caught');
    assert.ok(error instanceof DeterminismError && error instanceof DuroxideError, String(error));
    assert.equal(error.code, 'DETERMINISM');
    assert.ok(error.message.startsWith(`${call} is nondeterministic`) && error.message.includes(instead), error.message);
  });
}

test("randomUUID of the module node:crypto throws under 'throw'", async (t) => {
  const ended = await ran(t, function* () { return nodeCrypto.randomUUID(); }, { determinism: 'throw' });
  assert.match(ended.error, /^crypto\.randomUUID\(\) is nondeterministic/);
});

test('a violation that nobody catches fails the run with its name, message and code', async (t) => {
  const ended = await ran(t, function* () { return Date.now(); }, { determinism: 'throw' });
  assert.equal(ended.status, 'Failed');
  const { name, code, stack } = ended.errorDetails;
  assert.deepEqual([name, code], ['DeterminismError', 'DETERMINISM']);
  assert.match(stack, /determinism\.test\.mjs/);
});

test('every step is guarded: the first, one after a yield, one that throws, and clean-up', async (t) => {
  const met = [];
  const look = (where) => {
    try {
      Math.random();
    } catch (error) {
      met.push([where, error.code]);
    }
  };
  await ran(
    t,
    function* (ctx) {
      look('first');
      yield ctx.scheduleActivity('Fine');
      look('later');
      yield ctx.utcNow();
      look('after an instant');
      try {
        yield ctx.scheduleActivity('Fails');
      } catch {
        look('catch');
      } finally {
        look('finally');
      }
    },
    { determinism: 'throw' },
    { Fine: () => 1, Fails: () => { throw new Error('no'); } },
  );
  const steps = ['first', 'later', 'after an instant', 'catch', 'finally'];
  assert.deepEqual(met, steps.map((step) => [step, 'DETERMINISM']));
});

test("an arrow function that calls a generator is guarded in itself", async (t) => {
  const ended = await ran(t, () => (Date.now(), (function* () {})()), { determinism: 'throw' });
  assert.match(ended.error, /^Date\.now\(\) is nondeterministic/);
});

test('what is deterministic is let through: dates of a number, JSON, instanceof, ctx and traces', async (t) => {
  const ended = await ran(
    t,
    function* (ctx) {
      const at = new Date(yield ctx.utcNow());
      ctx.traceInfo(`at ${at}`);
      ctx.setCustomStatus('on');
      class Day extends Date {}
      const echoed = yield ctx.scheduleActivity('Echo', { at: new Date(7) });
      return {
        echoed,
        same: at instanceof Date && new Day(1) instanceof Day && new Day(1) instanceof Date,
        utc: Date.UTC(1970, 0, 1),
        parsed: Date.parse('1970-01-01T00:00:00.007Z'),
        copied: new Date(new Date(5)).getTime(),
      };
    },
    { determinism: 'throw' },
    { Echo: (ctx, value) => value },
  );
  const echoed = { at: new Date(7).toJSON() };
  assert.deepEqual(ended.output, { echoed, same: true, utc: 0, parsed: 7, copied: 5 });
});

/** What the guards replace, as it stands now. */
function standing() {
  const web = Object.getPrototypeOf(crypto);
  return [
    Date, Date.now, Math.random, web.randomUUID, web.getRandomValues, nodeCrypto.randomUUID,
    Object.getPrototypeOf(performance).now, setTimeout, setInterval, setImmediate, fetch,
  ];
}

test('code outside of an orchestration never meets a guard, also after a step that threw', async (t) => {
  const before = standing();
  const inside = [];
  const outside = [];
  const activity = async () => {
    outside.push(standing());
    await null;
    outside.push(standing());
    return new Date() instanceof Date && Date.now() > 0;
  };
  const { client } = await started(t, {
    options: { determinism: 'throw' },
    activities: { Look: activity },
    orchestrations: {
      Main: function* (ctx) {
        inside.push(standing());
        const seen = yield ctx.scheduleActivity('Look');
        if (seen) throw new Error('thrown out of a step');
      },
    },
  });
  assert.equal((await client.run('Main')).error, 'thrown out of a step');
  outside.push(standing());
  for (const now of outside) assert.ok(now.every((value, n) => value === before[n]));
  assert.equal(inside.length, 1);
  assert.ok(inside[0].every((value, n) => value !== before[n]), 'every one was guarded inside');
});

test('what somebody has put in place of a guarded function comes back, and is what is called', (t) => {
  const { now } = Date;
  t.after(() => {
    Date.now = now;
  });
  const mock = () => 42;
  Date.now = mock;
  const outer = enter({ met: () => undefined });
  const seen = Date.now();
  leave(outer);
  assert.deepEqual([seen, Date.now === mock], [42, true]);
});

test('code of one Runtime inside that of another is held to its own rule, and gives the outer one back', () => {
  const told = [];
  const watch = (name) => ({ met: () => told.push(name) });
  const look = () => void Date.now();
  const { now } = Date;
  const first = enter(watch('outer'));
  look();
  const second = enter(watch('inner'));
  look();
  leave(second);
  const off = enter(undefined);
  look();
  const innermost = enter(watch('innermost'));
  look();
  leave(innermost);
  leave(off);
  look();
  leave(first);
  look();
  assert.deepEqual(told, ['outer', 'inner', 'innermost', 'outer']);
  assert.equal(Date.now, now);
});

test('a call that a package makes is told at the place of the user’s code that called the package', (t) => {
  const lib = join(folder(t), 'node_modules', 'noisy');
  mkdirSync(lib, { recursive: true });
  writeFileSync(join(lib, 'index.cjs'), 'exports.id = () => Math.random();');
  const noisy = createRequire(import.meta.url)(join(lib, 'index.cjs'));
  const told = [];
  const outer = enter({ met: (_, place) => told.push(place()) });
  noisy.id();
  leave(outer);
  assert.equal(told.length, 1);
  assert.match(told[0], /determinism\.test\.mjs:\d+:\d+$/);
});

test('a guard that code has kept is silent once no orchestration runs', async (t) => {
  let kept;
  await ran(t, function* () { kept = [Date.now, Date]; }, { determinism: 'throw' });
  const [now, KeptDate] = kept;
  assert.ok(now() > 0 && new KeptDate() instanceof Date);
});

test('a step that calls nothing forbidden makes no guard: they are made once', () => {
  const seen = new Set();
  for (let n = 0; n < 100; n++) {
    const outer = enter({ met: () => undefined });
    for (const guard of standing()) seen.add(guard);
    leave(outer);
  }
  assert.equal(seen.size, standing().length);
});

test("under 'off' nothing stands and nothing is said", async (t) => {
  const before = standing();
  let inside;
  const ended = await ran(t, function* () { inside = standing(); return Date.now() > 0; }, { determinism: 'off' });
  assert.equal(ended.output, true);
  assert.ok(inside.every((value, n) => value === before[n]));
});

const store = JSON.stringify(new URL('store.mjs', import.meta.url).href);

/** Runs a program in a process of its own, and gives the warnings of its log. */
function warned(determinism, cold = false) {
  const program = `
import { Client, Runtime } from 'duroxide';
const provider = await (await import(${store})).newStore();
const runtime = new Runtime(provider, { logLevel: 'warn', logFormat: 'json', ${determinism}residentInstances: ${cold ? 1 : 1000} });
runtime.registerActivity('Echo', (ctx, n) => n);
runtime.registerOrchestration('O', function* (ctx) {
  for (let n = 0; n < 3; n++) {
    Math.random(); new Date();
    yield ctx.scheduleActivity('Echo', n);
  }
  return [typeof Date.now(), typeof crypto.randomUUID()];
});
await runtime.start();
const client = new Client(provider);
for (const id of ['a', 'b']) await client.startOrchestration(id, 'O');
for (const id of ['a', 'b']) console.log(JSON.stringify((await client.waitForOrchestration(id)).output));
await runtime.shutdown();
`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: new URL('..', import.meta.url),
    env: { ...process.env, RUST_LOG: '' },
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  assert.equal(stdout, '["number","string"]\n["number","string"]\n');
  return stderr.split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

for (const determinism of ['', "determinism: 'warn', "]) {
  test(`a violation goes on and is warned of once for each place${determinism ? " under 'warn'" : ', as by default'}`, () => {
    const lines = warned(determinism);
    const told = lines.map(({ target, level, fields }) => [target, level, fields.message.split(' is ')[0], fields.orchestration_name]);
    assert.deepEqual(told, [
      ['duroxide::orchestration', 'WARN', 'Math.random()', 'O'],
      ['duroxide::orchestration', 'WARN', 'new Date()', 'O'],
      ['duroxide::orchestration', 'WARN', 'Date.now()', 'O'],
      ['duroxide::orchestration', 'WARN', 'crypto.randomUUID()', 'O'],
    ]);
    // The program's own lines: 8 has two calls, 11 has two.
    const places = lines.map(({ fields }) => /\(at \S*\[eval1\]:(\d+):\d+\)$/.exec(fields.message)?.[1]);
    assert.deepEqual(places, ['8', '8', '11', '11']);
  });
}

test('an execution that calls on and on is looked at a thousand times, not for ever', () => {
  const told = [];
  let looked = 0;
  const { met } = eachPlaceOnce(new Places(), (message, place) => told.push([message, place]));
  for (let n = 0; n < 5000; n++) met('m', () => (looked += 1, n % 2 ? 'a' : 'b'));
  assert.deepEqual([looked, told], [1000, [['m', 'b'], ['m', 'a']]]);
});

test('a violation is warned of once, however often it is replayed', () => {
  assert.equal(warned('', true).length, 4);
});

for (const frozen of ['Date', 'Math']) {
  test(`where ${frozen} is frozen after the package was loaded, orchestrations run unguarded, and nothing stays behind`, () => {
    const program = `
import { Client, Runtime } from 'duroxide';
import { newStore } from ${store};
const now = Date.now;
const Was = Date;
Object.freeze(${frozen});
const provider = await newStore();
const runtime = new Runtime(provider, { logLevel: 'error' });
runtime.registerOrchestration('O', function* (ctx) {
  yield ctx.utcNow();
  return [typeof Date.now(), typeof Math.random()];
});
await runtime.start();
const client = new Client(provider);
await client.startOrchestration('a', 'O');
console.log(JSON.stringify((await client.waitForOrchestration('a', 10_000)).output), Date === Was, Date.now === now);
await runtime.shutdown();
`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      cwd: new URL('..', import.meta.url),
      encoding: 'utf8',
    });
    assert.equal(stderr, '');
    assert.equal(stdout, '["number","number"] true true\n');
  });
}
