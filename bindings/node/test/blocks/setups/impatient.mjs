// A Runtime that does not wait long for names that nobody has.
export default { options: { unregisteredTimeoutMs: 50 } };
