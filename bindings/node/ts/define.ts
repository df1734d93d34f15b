// `defineActivity` and `defineOrchestration`: in the API, not in this build yet.

import { NotSupportedError } from './errors.js';

/** Not in this build yet: throws. */
export function defineActivity(..._definition: unknown[]): never {
  throw new NotSupportedError('defineActivity');
}

/** Not in this build yet: throws. */
export function defineOrchestration(..._definition: unknown[]): never {
  throw new NotSupportedError('defineOrchestration');
}
