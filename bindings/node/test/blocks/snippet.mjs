// Runs a block as printed, as the body of a function whose parameters are the names in scope.
// Not here: what those names are (`app.mjs`), and blocks that are programs (`program.mjs`).
import { createRequire } from 'node:module';

const AsyncFunction = (async () => {}).constructor;
const GeneratorFunction = function* () {}.constructor;

/** What `require('duroxide')` gives, whichever file a block is in. */
export const require = createRequire(import.meta.url);

/** The names that a block declares at its top level, which is where a line begins. */
export function declared(text) {
  const names = [];
  for (const [, one, several] of text.matchAll(/^(?:const|let|var)\s+(?:(\w+)|[{[]([^}\]]*)[}\]])/gm)) {
    if (one !== undefined) names.push(one);
    else names.push(...several.split(',').map((part) => part.split(':').at(-1).trim()));
  }
  return names;
}

/**
 * The snippets of a block: one, unless it declares a name twice. Then it is cut before the
 * statement that declares the name again, and the comment above that.
 */
export function snippets(text) {
  const parts = [];
  let part = [];
  let names = new Set();
  let comments = 0;
  for (const line of text.split(/(?<=\n)/)) {
    const fresh = declared(line);
    if (fresh.some((name) => names.has(name))) {
      const moved = comments > 0 ? part.splice(-comments) : [];
      parts.push(part.join(''));
      part = moved;
      names = new Set();
    }
    for (const name of fresh) names.add(name);
    part.push(line);
    comments = line.startsWith('//') ? comments + 1 : 0;
  }
  return [...parts, part.join('')];
}

/** Whether it yields outside of any function, so that it is the body of an orchestration. */
export function yields(text) {
  return !compiles(AsyncFunction, text) && compiles(GeneratorFunction, text);
}

function compiles(Kind, text) {
  try {
    // Only in strict code is `yield` always the keyword.
    return Kind('"use strict";' + text) instanceof Function;
  } catch {
    return false;
  }
}

/** Runs it with these names in scope; what it declares is the answer. A second snippet sees the first's names. */
export async function runBody(text, scope) {
  const known = { ...scope };
  for (const part of snippets(text)) Object.assign(known, await wrapped(AsyncFunction, [], part, known)());
  return Object.fromEntries(declared(text).map((name) => [name, known[name]]));
}

/** The orchestration whose body it is; what it declares is its output. */
export function orchestrationOf(text, scope) {
  return wrapped(GeneratorFunction, ['ctx', 'input'], text, scope);
}

function wrapped(Kind, parameters, text, scope) {
  const own = declared(text);
  const names = Object.keys(scope).filter((name) => !own.includes(name) && !parameters.includes(name));
  const code = Kind(...names, ...parameters, `${text}\nreturn { ${own.join(', ')} };`);
  return (...given) => code(...names.map((name) => scope[name]), ...given);
}
