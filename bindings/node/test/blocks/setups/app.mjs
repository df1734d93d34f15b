// No stubs: the block registers what it needs.
export default {};
