// The types that users see. test/types is compiled in a project of its own that has this package
// installed, as ESM and as CommonJS, by the oldest, the building and the newest TypeScript, and the
// examples in the documentation comments with it; and the declarations themselves are read.
// Nothing in test/types is ever run.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as ours from 'duroxide';
import ts from 'typescript';
import { folder } from './helpers.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const written = join(root, 'test/types');
const version = (compiler) => createRequire(import.meta.url)(`${compiler}/package.json`).version;

const declared = (path) =>
  readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.name.endsWith('.d.ts'))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));

/** Every example of the documentation comments. */
const examples = declared(join(root, 'dist')).flatMap((path) =>
  [...readFileSync(path, 'utf8').matchAll(/\/\*\*[^]*?\*\//g)].flatMap(([comment]) =>
    [...comment.replace(/^ *\* ?/gm, '').matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code),
  ),
);

/** The examples as a module, each in a function of its own, with all that they take for granted. */
function exampleModule() {
  const imported = (names, from) => `import { ${[...new Set(names)].join(', ')} } from '${from}';`;
  const given = [...readFileSync(join(written, 'surroundings.ts'), 'utf8').matchAll(/^export .*?(?:const|function) (\w+)/gm)];
  const offered = Object.keys(ours).filter((name) => /^\w+$/.test(name) && name !== 'default');
  const types = ['Durable', 'Jsonify', 'RetryPolicy'].map((name) => `type ${name}`);
  return [
    imported([...offered.filter((name) => examples.some((code) => code.includes(name))), ...types], 'duroxide'),
    imported([...given.map(([, name]) => name), 'Charge', 'Order', 'assert', 'readFile'], './surroundings.js'),
    `import { replay } from 'duroxide/testing';`,
    ...examples.map((code, index) => `export async function* example${index}() {\n${code}}`),
  ].join('\n');
}

/** A project that has the package installed, its types checked down to the declarations. */
function project(t, type, options) {
  const path = folder(t);
  cpSync(written, path, { recursive: true });
  writeFileSync(join(path, 'examples.ts'), exampleModule());
  mkdirSync(join(path, 'node_modules'));
  symlinkSync(root, join(path, 'node_modules/duroxide'));
  for (const name of ['expect-type', '@types']) symlinkSync(join(root, 'node_modules', name), join(path, 'node_modules', name));
  writeFileSync(join(path, 'package.json'), JSON.stringify({ name: 'user', type }));
  const compilerOptions = {
    noEmit: true,
    strict: true,
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    module: 'nodenext',
    skipLibCheck: false,
    types: ['node'],
    ...options,
  };
  writeFileSync(join(path, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  return path;
}

/** The place of each error that a compiler reports, as `file:line`; and all that it printed. */
async function reported(compiler, path) {
  const tsc = spawn(process.execPath, [join(root, 'node_modules', compiler, 'bin/tsc'), '-p', path, '--pretty', 'false']);
  let printed = '';
  tsc.stdout.on('data', (data) => (printed += data));
  tsc.stderr.on('data', (data) => (printed += data));
  await once(tsc, 'close');
  const lines = printed.split('\n').filter((line) => /^\S.*error TS/.test(line));
  const places = lines.map((line) => line.replace(/^(?:.*\/)?(.+?)\((\d+),.*$/, '$1:$2'));
  return { places: places.sort(), printed };
}

const deliberate = readFileSync(join(written, 'errors.ts'), 'utf8')
  .split('\n')
  .flatMap((line, index) => (/\/\/ error: /.test(line) ? [`errors.ts:${index + 1}`] : []))
  .sort();

test('the file of type errors holds fifteen, and there are examples', () => {
  assert.equal(deliberate.length, 15);
  assert.ok(examples.length > 20);
});

const exacting = { exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true };
const COMPILERS = ['typescript-oldest', 'typescript', 'typescript-newest'];
for (const compiler of COMPILERS) {
  for (const [type, options] of [['module', exacting], ['commonjs', {}]]) {
    const exact = options === exacting ? ', exact' : '';
    test(`TypeScript ${version(compiler)}, ${type}, strict${exact}: reports the fifteen errors and nothing else`, async (t) => {
      const { places, printed } = await reported(compiler, project(t, type, options));
      assert.deepEqual(places, deliberate, printed);
    });
  }
}

for (const compiler of COMPILERS) {
  test(`TypeScript ${version(compiler)} writes declarations of what users export, without the types of Node or the DOM`, async (t) => {
    const path = project(t, 'module', { ...exacting, noEmit: false, declaration: true, lib: ['es2022'], types: [] });
    for (const name of readdirSync(path).filter((name) => name.endsWith('.ts') && name !== 'exported.ts')) rmSync(join(path, name));
    const { places, printed } = await reported(compiler, path);
    assert.deepEqual(places, [], printed);
    const written = readFileSync(join(path, 'exported.d.ts'), 'utf8').replace(/import\("duroxide"\)\.|\s+/g, (found) => (found.trim() ? '' : ' '));
    const holds = (text) => assert.ok(written.includes(text), `${text}\n${written}`);
    holds('Charged: OrchestrationDefinition<number, { receipt: string; at: string; }>');
    holds(`Parsed: OrchestrationDefinition<string, ${/Parse: ActivityDefinition<string, (.*?)>;/.exec(written)[1]}>;`);
    const inner = '{ name: string; since: string; parts: JsonObject<Category>[]; }';
    const loaded = `{ name: string; since: string; parts: { name: string; since: string; parts: ${inner}[]; }[]; }`;
    holds(`Loaded: OrchestrationDefinition<string, ${loaded}>`);
    holds('Generator<Descriptor<unknown>, Jsonify<O>, any>');
  });
}

// The declarations.

const program = ts.createProgram(declared(join(root, 'dist')), { module: ts.ModuleKind.NodeNext, types: ['node'] });
const checker = program.getTypeChecker();
const sources = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(join(root, 'dist/')));
const nameOf = (file) => file.fileName.slice(join(root, 'dist/').length);

function walk(node, visit) {
  visit(node);
  node.forEachChild((child) => walk(child, visit));
}

/** The class, interface or type that a node stands in, and the member of it. */
function placeOf(node) {
  const names = [];
  for (let at = node; at !== undefined; at = at.parent) {
    if (at.name !== undefined && !ts.isTypeParameterDeclaration(at) && !ts.isParameter(at)) names.unshift(at.name.getText());
  }
  return names.join('.');
}

// Where the declarations say `any`, and how often, with the reason.
const ALLOWED = {
  // What is sent to a generator: it lets `const x = yield …` compile.
  'define.d.ts OrchestrationFunction': 1,
  'define.d.ts DefinedOrchestrationFunction': 1,
  'descriptors.d.ts Durable': 1,
  'descriptors.d.ts Descriptor.[Symbol.iterator]': 1,
  // The input of a generator that is registered by name.
  'runtime.d.ts Runtime.registerOrchestration': 1,
  'runtime.d.ts Runtime.registerOrchestrationVersioned': 1,
  // The result of a call by name without a type argument.
  'scheduling.d.ts SchedulingContext.scheduleActivity': 1,
  'scheduling.d.ts SchedulingContext.scheduleActivityOnSession': 1,
  'scheduling.d.ts SchedulingContext.scheduleActivityWithRetry': 1,
  'scheduling.d.ts SchedulingContext.scheduleActivityWithRetryOnSession': 1,
  'scheduling.d.ts SchedulingContext.waitForEvent': 1,
  'scheduling.d.ts SchedulingContext.dequeueEvent': 1,
  'scheduling.d.ts SchedulingContext.scheduleSubOrchestration': 1,
  'scheduling.d.ts SchedulingContext.scheduleSubOrchestrationWithId': 1,
  'scheduling.d.ts SchedulingContext.scheduleSubOrchestrationVersioned': 1,
  'scheduling.d.ts SchedulingContext.scheduleSubOrchestrationVersionedWithId': 1,
};

test('the declarations say any only where a reason is given', () => {
  const found = {};
  for (const file of sources) {
    walk(file, (node) => {
      if (node.kind !== ts.SyntaxKind.AnyKeyword) return;
      const place = `${nameOf(file)} ${placeOf(node)}`;
      found[place] = (found[place] ?? 0) + 1;
    });
  }
  assert.deepEqual(found, ALLOWED);
});

const resolved = (symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
const offered = new Set(
  ['index.d.ts', 'testing/index.d.ts'].flatMap((name) => {
    const file = program.getSourceFile(join(root, 'dist', name));
    return checker.getExportsOfModule(checker.getSymbolAtLocation(file)).map(resolved);
  }),
);
const isOurs = (declaration) => sources.includes(declaration.getSourceFile());

test('every type that a signature mentions is exported', () => {
  const missing = new Set();
  for (const symbol of offered) {
    for (const declaration of symbol.declarations) {
      walk(declaration, (node) => {
        const named = ts.isTypeReferenceNode(node) ? node.typeName : ts.isExpressionWithTypeArguments(node) ? node.expression : undefined;
        if (named === undefined) return;
        const meant = resolved(checker.getSymbolAtLocation(named));
        const [at] = meant.declarations;
        // (What others declare too is global.)
        if (!meant.declarations.every(isOurs) || ts.isTypeParameterDeclaration(at) || offered.has(meant)) return;
        // The parts of a computed type are its own affair.
        if (ts.isTypeAliasDeclaration(declaration) && at.getSourceFile() === declaration.getSourceFile()) return;
        missing.add(`${symbol.name}: ${meant.name}`);
      });
    }
  }
  assert.deepEqual([...missing], []);
});

test('everything that is exported is documented, and so is every method', () => {
  const silent = [];
  const check = (symbol, place) => {
    if (symbol.getDocumentationComment(checker).length === 0) silent.push(place);
  };
  for (const symbol of offered) {
    check(symbol, symbol.name);
    for (const member of [...(symbol.members?.values() ?? []), ...(symbol.exports?.values() ?? [])]) {
      const [declaration] = member.declarations ?? [];
      if (declaration === undefined || !ts.isMethodDeclaration(declaration) || ts.isPrivateIdentifier(declaration.name)) continue;
      check(member, `${symbol.name}.${member.name}`);
    }
  }
  assert.deepEqual(silent, []);
});
