// Reads a page: its headings and its fenced blocks, each with heading, number and the comment
// above it. Not here: running a block.

const FENCE = /^(\s*)(`{3,}|~{3,})\s*(\S*)\s*$/;
const HEADING = /^(#{1,6})\s+(.*?)\s*#*$/;
const RUN = /^\s*<!--\s*run:\s*(.*?)\s*-->\s*$/;
const OUTPUT = /^\s*<!--\s*output\s*-->\s*$/;

/**
 * `headings`: `{ title, level, line }`, in order. `blocks`: `{ heading, number, language, text,
 * line, run, isOutput }`; numbers count from 1 below each heading, `run` is the comment's text.
 */
export function readPage(markdown) {
  const headings = [];
  const blocks = [];
  const counts = new Map();
  let heading = '';
  let above = '';
  const lines = markdown.split('\n');
  for (let at = 0; at < lines.length; at += 1) {
    const fence = FENCE.exec(lines[at]);
    if (fence) {
      const end = closing(lines, at, fence);
      const number = (counts.get(heading) ?? 0) + 1;
      counts.set(heading, number);
      blocks.push({
        heading,
        number,
        language: fence[3],
        text: body(lines.slice(at + 1, end), fence[1].length),
        line: at + 1,
        run: RUN.exec(above)?.[1],
        isOutput: OUTPUT.test(above),
      });
      at = end;
      above = '';
      continue;
    }
    const title = HEADING.exec(lines[at]);
    if (title) {
      heading = title[2];
      headings.push({ title: heading, level: title[1].length, line: at + 1 });
    }
    if (lines[at].trim() !== '') above = lines[at];
  }
  return { headings, blocks };
}

function closing(lines, start, [, , marks]) {
  for (let at = start + 1; at < lines.length; at += 1) {
    const text = lines[at].trim();
    if (text.startsWith(marks) && text.replaceAll(marks[0], '') === '') return at;
  }
  throw new Error(`the block of line ${start + 1} has no end`);
}

function body(lines, indent) {
  return lines.map((line) => (line.slice(0, indent).trim() === '' ? line.slice(indent) : line) + '\n').join('');
}

const MANY = new Set(['expect', 'stderr', 'silent', 'throws']);
const ONE = new Set(['setup', 'start', 'input', 'file']);
const FLAGS = new Set(['continues']);

/** What a comment asks for: `expect`, `stderr`, `silent` and `throws` as lists, the others as text. */
export function readAttributes(comment = '') {
  const found = { expect: [], stderr: [], silent: [], throws: [] };
  for (const [, name, double, single, plain] of comment.matchAll(/(\w+)(?:="([^"]*)"|='([^']*)'|=(\S+))?/g)) {
    const value = double ?? single ?? plain;
    if (FLAGS.has(name) && value === undefined) found[name] = true;
    else if (ONE.has(name) && value !== undefined) found[name] = value;
    else if (MANY.has(name) && value !== undefined) found[name].push(value);
    else throw new Error(`'${name}' is no attribute of a block, see test/blocks/README.md`);
  }
  return found;
}
