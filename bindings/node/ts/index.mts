// The ESM entry: the same objects as the CommonJS one, so that every class exists once.
export * from './index.js';
