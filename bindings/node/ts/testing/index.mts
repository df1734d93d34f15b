// The ESM entry of `duroxide/testing`: the same objects as the CommonJS one.
export * from './index.js';
