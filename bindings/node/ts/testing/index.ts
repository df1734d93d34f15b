// `duroxide/testing`: whether code still does what a recorded history says, without a store, a
// Runtime or a clock. Not here: how code and history are compared, which is the core's.

/** @module duroxide/testing */

import type { HistoryEvent } from '../answers.js';
import { Coroutine, type OrchestrationCode } from '../coroutine.js';
import type { OrchestrationDefinition, OrchestrationFunction } from '../define.js';
import { Places, eachPlaceOnce } from '../guard.js';
import { encode } from '../json.js';
import { addon, nativeSync } from '../native.js';
import { anyText, argument, checked, nearest, rule } from '../options.js';
import type { Identity } from '../orchestration-context.js';

/** An orchestration to replay with: what `defineOrchestration` gave, or its name, version and function. */
export type Replayable =
  | OrchestrationDefinition<never, unknown>
  | { readonly name: string; readonly version?: string | undefined; readonly gen: OrchestrationFunction<never, unknown> };

/** The code to replay with. A function without a version stands for every version of its name; a definition has one. */
export type Replayables = Replayable | readonly Replayable[] | { readonly [name: string]: OrchestrationFunction<never, unknown> };

/** What an execution began with that its own history does not say; only after a continue-as-new. */
export interface ReplayOptions {
  /** The custom status that the execution before it left. Default none. */
  customStatus?: string | null | undefined;
  /** The key-value pairs that the execution before it left. Default none. */
  values?: Readonly<Record<string, string>> | undefined;
}

/** Something that does not change what the code does, but may be a mistake. */
export interface Remark {
  /** The event that was recorded with another input or output. */
  eventId?: number;
  /** File, line and column of a call that is not deterministic. */
  place?: string;
  message: string;
}

/** The code does what the history says, to its end. */
export interface Compatible {
  compatible: true;
  /** How many events were replayed. */
  events: number;
  /** Inputs other than recorded, and calls that are not deterministic. */
  remarks: Remark[];
}

/** The code does something else than the history says. */
export interface Divergent {
  compatible: false;
  /** The first event at which they differ. */
  eventId: number;
  /** What the history holds there. */
  expected: string;
  /** What the code asked for instead. */
  actual: string;
  /** Both as a two-line diff, with the likely cause. */
  message: string;
}

/** What {@link replay} answers. */
export type ReplayResult = Compatible | Divergent;

/**
 * Replays a recorded history against today's code: the check that a deployment does not break what
 * is running. Nothing is run but the generator, on this thread; activities are not called, nothing
 * is written, unfinished histories are replayed as far as they go.
 *
 * ```ts
 * const history = JSON.parse(await readFile('order-1.json', 'utf8')); // client.readExecutionHistory('order-1', 1)
 * const result = replay(history, { Order: orderCode });
 * assert.ok(result.compatible, result.compatible ? '' : result.message);
 * ```
 *
 * @param history the rows that `client.readExecutionHistory(id, n)` gave, also after a round trip through JSON
 * @param orchestrations the code: by name, one definition, or several
 * @param options what the execution inherited, if it is not the first of its instance
 * @returns where code and history differ, if they do; that is never thrown
 * @throws DuroxideError `MALFORMED_HISTORY`, naming the row, for rows that are no history
 * @throws TypeError for arguments of another type
 */
export function replay(
  history: readonly HistoryEvent[],
  orchestrations: Replayables,
  options?: ReplayOptions,
): ReplayResult {
  const call = 'replay';
  argument(call, 'the history', history, ROWS);
  const inherited = checked<ReplayOptions>(call, options, { customStatus: TEXT_OR_NULL, values: TEXTS });
  const codes = listed(call, orchestrations);
  const rows = encode(history, `${call}: the history`);
  const native = nativeSync(() => addon.openRecorded(rows, JSON.stringify(inherited)));
  const identity = identityOf(history);
  const code = chosen(codes, identity);
  if (typeof code !== 'function') return code;

  const remarks: Remark[] = [];
  const watcher = eachPlaceOnce(new Places(), (message, place) => void remarks.push({ place, message }));
  const coroutine = new Coroutine(native, identity, code, watcher);
  try {
    coroutine.runTurn(0);
    const { divergence, inputChanges } = JSON.parse(native.verdict()) as Verdict;
    if (divergence !== null) return { compatible: false, ...divergence };
    return { compatible: true, events: history.length, remarks: [...inputChanges, ...remarks] };
  } finally {
    coroutine.release();
  }
}

/** What the addon says of a replay. */
interface Verdict {
  divergence: Omit<Divergent, 'compatible'> | null;
  inputChanges: Remark[];
}

/** The data of the first row. */
interface Started {
  name: string;
  version: string;
  instanceId: string;
  executionId: number;
}

interface Code {
  name: string;
  /** undefined: any. */
  version: string | undefined;
  code: OrchestrationCode;
}

const ROWS = rule('the array that client.readExecutionHistory gives', Array.isArray);
const TEXT_OR_NULL = rule('a string or null', (v) => v === null || anyText.holds(v));
const TEXTS = rule('an object of strings', (v) => typeof v === 'object' && v !== null && Object.values(v).every(anyText.holds));
const CODES = rule('an object of generator functions by name, a definition, or an array of definitions', (v) => {
  return typeof v === 'object' && v !== null;
});

function listed(call: string, given: Replayables): Code[] {
  argument(call, 'the orchestrations', given, CODES);
  if (Array.isArray(given)) return (given as readonly Replayable[]).map((one) => coded(call, one));
  if (typeof (given as { name?: unknown }).name === 'string') return [coded(call, given as Replayable)];
  return Object.entries(given as object).map(([name, code]) => named(call, name, undefined, code));
}

function coded(call: string, given: Replayable): Code {
  argument(call, 'every orchestration', given, rule('a definition, or { name, version?, gen }', (v) => typeof v === 'object' && v !== null));
  return named(call, given.name, given.version, 'gen' in given ? given.gen : given.code);
}

function named(call: string, name: string, version: string | undefined, code: unknown): Code {
  argument(call, `orchestration '${String(name)}'`, code, rule('a generator function', (v) => typeof v === 'function'));
  return { name, version, code: code as OrchestrationCode };
}

/** Whose history it is; the addon has found it well-formed. */
function identityOf(history: readonly HistoryEvent[]): Identity {
  const { name, version, instanceId, executionId } = JSON.parse(history[0]?.data ?? '') as Started;
  return { instanceId, executionId, orchestrationName: name, orchestrationVersion: version };
}

/** The code of the recorded name and version, or that there is none. */
function chosen(codes: Code[], { orchestrationName: name, orchestrationVersion: version }: Identity): OrchestrationCode | Divergent {
  const same = codes.filter((code) => code.name === name);
  const found = same.find((code) => code.version === version) ?? same.find((code) => code.version === undefined);
  if (found !== undefined) return found.code;
  const names = codes.map((code) => code.name);
  const versions = same.map((code) => code.version).join(', ');
  const hint = names.length > 0 ? `no orchestration '${name}', the nearest name is '${nearest(name, names)}'` : 'no orchestration at all';
  const actual = same.length > 0 ? `'${name}' only in version ${versions}` : hint;
  const expected = `OrchestrationStarted name=${name} version=${version}`;
  const message = `there is no code for this history\n  - history: ${expected}\n  + code:    ${actual}`;
  return { compatible: false, eventId: 1, expected, actual, message };
}
