// Compiled, never run: the types of the CommonJS entry.
import duroxide = require('duroxide');

const runtime: (provider: duroxide.Provider) => duroxide.Runtime = (provider) => new duroxide.Runtime(provider);
void runtime;
