// Plans a page of the docs: which of its blocks form one run, and whether each is told what to
// do and what to expect. Not here: running (`docs.mjs`). The convention stands in README.md.
import { readAttributes, readPage } from './markdown.mjs';

const EXTENSIONS = { js: 'mjs', javascript: 'mjs', mjs: 'mjs', cjs: 'cjs', ts: 'mts', typescript: 'mts', bash: 'sh', sh: 'sh' };
const SHOWN = new Set(['text', 'json', 'toml', 'mermaid']);

/**
 * The runs of a page, in order: `{ name, file, kind, text, setup?, start?, input?, saved, expect,
 * stderr, silent, throws, output? }`. `kind` is the file's extension. What is wrong with the page is thrown.
 */
export function runsOf(markdown) {
  const runs = [];
  for (const block of readPage(markdown).blocks) {
    const where = `'${block.heading}' block ${block.number} (line ${block.line})`;
    if (SHOWN.has(block.language)) {
      if (block.run !== undefined) throw new Error(`${where}: a block of '${block.language}' is not run`);
      if (block.isOutput) shown(runs, block, where);
      continue;
    }
    const kind = EXTENSIONS[block.language];
    if (kind === undefined) throw new Error(`${where}: '${block.language}' is no language of the docs, see test/blocks/README.md`);
    try {
      planned(runs, block, kind);
    } catch (error) {
      throw new Error(`${where}: ${error.message}`, { cause: error });
    }
  }
  for (const [index, run] of runs.entries()) verify(run, runs.slice(index + 1));
  return runs;
}

function planned(runs, { heading, number, text, run }, kind) {
  const { continues, file, expect, stderr, silent, throws, ...rest } = readAttributes(run);
  if (continues) {
    const before = runs.at(-1);
    if (before?.kind !== kind) throw new Error('there is no block of its language above that it continues');
    if (file !== undefined || Object.keys(rest).length > 0) throw new Error('only expectations may stand beside continues');
    before.text += text;
    before.expect.push(...expect);
    before.stderr.push(...stderr);
    before.silent.push(...silent);
    before.throws.push(...throws);
    return;
  }
  if (rest.setup !== undefined && kind !== 'mjs') throw new Error('only a JavaScript block can be a fragment');
  if (rest.setup === undefined && (rest.start ?? rest.input) !== undefined) throw new Error('start and input belong to a setup');
  const slug = `${heading} ${number}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  runs.push({ ...rest, name: `${heading} ${number}`, kind, text, file: file ?? `${slug}.${kind}`, saved: file !== undefined, expect, stderr, silent, throws });
}

function shown(runs, { text }, where) {
  const before = runs.at(-1);
  if (before === undefined || before.output !== undefined) throw new Error(`${where}: there is no block above whose output it is`);
  before.output = text;
}

function verify(run, below) {
  if (run.saved) {
    const name = run.file.replace(/\.mts$/, '.m');
    if (!below.some(({ text }) => text.includes(name))) throw new Error(`'${run.name}': no block below runs '${run.file}'`);
  } else if (run.setup === undefined && run.expect.length + run.stderr.length + run.silent.length + run.throws.length === 0 && run.output === undefined) {
    throw new Error(`'${run.name}': nothing is expected of it, see test/blocks/README.md`);
  }
}
