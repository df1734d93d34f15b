// Setting up the log by hand. Not here: the log settings of a Runtime.

import { addon, nativeSync } from './native.js';
import { checked, oneOf, text } from './options.js';

/** Where and how `initTracing` logs. */
export interface TracingOptions {
  /** The file, which is appended to; its folder must exist. */
  logFile: string;
  /** The least level that is logged, unless `RUST_LOG` says otherwise. Default `'info'`. */
  logLevel?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'off' | undefined;
  /** Default `'pretty'`. */
  logFormat?: 'pretty' | 'json' | 'compact' | undefined;
}

/** Sends the log to a file. Must come before the first Runtime starts. */
export function initTracing(options: TracingOptions): void {
  const given = checked<TracingOptions>('initTracing', options, {
    logFile: text,
    logLevel: oneOf('trace', 'debug', 'info', 'warn', 'error', 'off'),
    logFormat: oneOf('pretty', 'json', 'compact'),
  });
  if (given.logFile === undefined) throw new TypeError("initTracing: option 'logFile' is missing");
  nativeSync(() => addon.initTracing(JSON.stringify(given)));
}
