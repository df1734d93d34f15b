// The rows of the API's page, the table that maps them to tests, and the names of the tests there are.
// What a row is: each name in the first column of a table, each name in a sentence that lists names (such as
// the history kinds), and each sentence of the rest, known by its first words.
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readTable as readGuide } from '../guide/table.mjs';

const FIRST_WORDS = 8;
const LEAST_NAMES = 4;

/** The rows of the page, in order: `{ section, row, better }`. */
export function rowsOf(page) {
  return page.split(/^## /m).slice(1).flatMap((part) => {
    const [section, ...lines] = part.split('\n');
    const rows = lines.filter((line) => line !== '').flatMap((line) => {
      if (!line.startsWith('|')) return sentences(line);
      return isHead(line) ? [] : tableRow(line);
    });
    return rows.map((row) => ({ section: section.replaceAll('`', ''), ...row }));
  });
}

function isHead(line) {
  return line.startsWith('|---') || !line.split('|')[1].includes('`');
}

/** A row for each name in the first cell, where `…Suffix` goes on from the first name. */
function tableRow(line) {
  const better = line.includes('**better**');
  const cell = line.slice(1).split(/ \| (?=(?:[^`]*`[^`]*`)*[^`]*$)/)[0];
  const names = [...cell.matchAll(/`(…?)(\w+)/g)].map(([, more, name]) => ({ more, name }));
  return names.map(({ more, name }) => ({ row: more ? names[0].name + name : name, better }));
}

function sentences(line) {
  const text = line.replace(/^- /, '');
  return text.split(/(?<=\.)\s+(?=[A-Z`“*])/).flatMap((sentence) => {
    const better = sentence.includes('**better**');
    const names = listed(sentence);
    if (names.length > 0) return names.map((row) => ({ row, better }));
    const words = sentence.replaceAll(/[`*|]/g, '').split(/\s+/).filter((word) => word !== '');
    return [{ row: words.slice(0, FIRST_WORDS).join(' '), better }];
  });
}

/** The names of a sentence that is little more than a list of names in code. */
function listed(sentence) {
  const bare = sentence.replaceAll(/ \([^()`]*(`[^`]*`[^()`]*)*\)/g, '');
  const spans = [...bare.matchAll(/`([^`]*)`/g)].map(([, span]) => span);
  const words = bare.replaceAll(/`[^`]*`/g, '').split(/[\s,·]+/).filter((word) => /[a-z]{2}/i.test(word));
  const names = spans.flatMap(namesIn);
  return names.length >= LEAST_NAMES && words.length <= names.length ? names : [];
}

/** The names in code: separated by blanks, with their arguments or data; or the fields of an object. */
function namesIn(span) {
  if (span.startsWith('{')) return span.includes('?:') ? [...span.matchAll(/[{,] (\w+)/g)].map(([, name]) => name) : [];
  const names = span.replaceAll(/ ?\([^)]*\)| \{[^}]*\}/g, '').split(' ');
  return names.filter((name) => /^[a-zA-Z]\w+/.test(name) && name !== 'null').map((name) => name.replace(/[<=].*/, ''));
}

/** The table: `{ section, row, promise, refusal }`, the last two lists of test names. */
export function readTable(markdown) {
  return markdown.split(/^## /m).slice(1).flatMap((part) => {
    const [section, ...lines] = part.split('\n');
    return lines
      .filter((line) => line.startsWith('| '))
      .slice(1)
      .map((line) => line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim().replaceAll('\\|', '|')))
      .map(([row, promise, refusal]) => ({ section, row, promise: promise.split('<br>'), refusal: refusal.split('<br>') }));
  });
}

const tests = fileURLToPath(new URL('..', import.meta.url));

/**
 * Which tests there are: as a literal, as a template whose variable parts stand in the same file, or as a case
 * of the guide.
 */
export function knownTests() {
  const sources = readdirSync(tests).filter((name) => /\.test\.[cm]js$/.test(name)).map((name) => readFileSync(`${tests}${name}`, 'utf8'));
  const literals = new Set();
  const templates = [];
  for (const source of sources) {
    for (const [, quote, name] of source.matchAll(/\btest\(\s*(['"`])((?:\\.|(?!\1).)+)\1/g)) {
      if (quote === '`' && name.includes('${')) templates.push(templateOf(name, source));
      else literals.add(name.replaceAll(/\\(.)/g, '$1'));
    }
  }
  const guide = readGuide(readFileSync(`${tests}guide/TABLE.md`, 'utf8'));
  for (const { heading, tests: names } of guide) for (const name of names) literals.add(`${heading} ${name}`);
  return { has: (name) => literals.has(name) || templates.some((fits) => fits(name)), literals };
}

const LEAST_TEXT = 12;

/** Whether a name is made by a template of this source; no name is if the template has too little text of its own. */
function templateOf(template, source) {
  const texts = template.split(/\$\{(?:[^{}]|\{[^{}]*\})*\}/);
  if (texts.join('').trim().length < LEAST_TEXT) return () => false;
  const pattern = new RegExp(`^${texts.map((text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('(.*)')}$`);
  const squeezed = squeeze(source);
  return (name) => name.match(pattern)?.slice(1).every((part) => squeezed.includes(squeeze(part))) ?? false;
}

/** Text without what differs between a value in code and the same value in a name. */
function squeeze(text) {
  return text.replaceAll(/['"`\s_]/g, '');
}
