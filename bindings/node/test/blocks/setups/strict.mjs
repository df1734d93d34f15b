// A Runtime that throws at what is not deterministic.
export default { options: { determinism: 'throw' } };
