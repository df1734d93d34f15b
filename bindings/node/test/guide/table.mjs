// Reads TABLE.md, which maps each heading of the guide to its tests.

const SECTIONS = '(its sections)';

/** Rows in order: `{ heading, tests }`; no tests where the cell refers to the sections below. */
export function readTable(markdown) {
  return markdown
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1)
    .map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()))
    .map(([heading, cell]) => ({ heading, tests: cell === SECTIONS ? [] : cell.split('<br>') }));
}
