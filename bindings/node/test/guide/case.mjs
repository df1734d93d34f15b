// What a case of the guide is: a heading, the number of its block there (none for prose), the
// observable that it asserts, and the code that does. Not here: the cases themselves.

/** The case of a block: `run(t, text)` gets the block as printed. A block may have several. */
export function block(heading, number, observes, run) {
  return { heading, number, observes, run };
}

/** The case of a claim that the guide makes in words. */
export function prose(heading, observes, run) {
  return { heading, number: undefined, observes, run };
}

/** How a case is named below its heading, in the table and in the test output. */
export function label({ number, observes }) {
  return number === undefined ? observes : `${number}: ${observes}`;
}

/** The blocks that no case is for, by heading and number. Whatever their language: none is left out. */
export function withoutCase(blocks, cases) {
  return blocks
    .filter(({ heading, number }) => !cases.some((each) => each.heading === heading && each.number === number))
    .map(({ heading, number }) => `${heading} ${number}`);
}

/** The block with a failure as its first statement: what executes it must fail. */
export function failing({ language, text }) {
  return `${language === 'bash' ? 'false' : "throw new Error('the block is executed');"}\n${text}`;
}

/** The cases whose block is not in the guide. */
export function withoutBlock(blocks, cases) {
  return cases
    .filter(({ number }) => number !== undefined)
    .filter(({ heading, number }) => !blocks.some((each) => each.heading === heading && each.number === number))
    .map((each) => `${each.heading} ${label(each)}`);
}
