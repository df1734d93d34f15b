// What the Client is asked with and answers, as types. Not here: asking (`client.ts`).

/** How an instance stands; `NotFound` if there is none of that id. */
export type Status = 'Running' | 'Completed' | 'Failed' | 'Terminated' | 'NotFound';

/** What is known of a failure. */
export interface ErrorDetails {
  /** The `name` of the error that was thrown. */
  name?: string;
  /** The stable code of the error, such as `'ACTIVITY_FAILED'`. */
  code: string;
  /** The original message. */
  message: string;
  /** The activity that failed, if one did. */
  activityName?: string;
  /** Which attempt of the activity, from 1, as its `ctx.attempt` counted. */
  attempt?: number;
  /** The worker that it ran on. */
  workerId?: string;
  /** Where it was thrown. */
  stack?: string;
  /** What caused it, as the `cause` of the error said. */
  cause?: ErrorCause;
}

/** A cause of a failure, with its own. */
export interface ErrorCause {
  name?: string;
  message: string;
  cause?: ErrorCause;
}

/** How an orchestration stands, with its output or error. */
export interface OrchestrationStatus<O = unknown> {
  /** How the instance stands. */
  status: Status;
  /** What it returned, parsed; only when `Completed`. */
  output?: O;
  /** The message of what it failed with; only when `Failed` or `Terminated`. */
  error?: string;
  /** What is known of the failure, the stack among it. */
  errorDetails?: ErrorDetails;
  /** What `ctx.setCustomStatus` set last. */
  customStatus?: string;
  /** Rises by one with every turn that changes the custom status. */
  customStatusVersion: number;
  /** What a running instance waits on, in a phrase. */
  waitingFor?: string;
}

/** An instance, as `getInstanceInfo` shows it. Times are in ms since 1970. */
export interface InstanceInfo {
  instanceId: string;
  orchestrationName: string;
  /** null until its first turn has chosen one. */
  orchestrationVersion: string | null;
  /** From 1; continue-as-new starts the next. */
  currentExecutionId: number;
  status: Exclude<Status, 'NotFound'>;
  output?: unknown;
  error?: string;
  createdAt: number;
  updatedAt: number;
  /** Only of a child. */
  parentInstanceId?: string;
}

/** An execution of an instance. Times are in ms since 1970. */
export interface ExecutionInfo {
  /** From 1. */
  executionId: number;
  status: Exclude<Status, 'NotFound'> | 'ContinuedAsNew';
  output?: unknown;
  error?: string;
  startedAt: number;
  completedAt?: number;
  /** Events in its history. */
  eventCount: number;
}

/** A root and everything below it. */
export interface InstanceTree {
  rootId: string;
  /** The root and its children, theirs, and so on. */
  allIds: string[];
  /** How many ids these are. */
  size: number;
}

/** One event of a history. */
export interface HistoryEvent {
  /** From 1, without gaps. */
  eventId: number;
  /** What happened: `OrchestrationStarted`, `ActivityScheduled` … */
  kind: string;
  /** The event that scheduled what this one completes. */
  sourceEventId?: number;
  /** When it was recorded, in ms since 1970 by the store's clock. */
  timestampMs: number;
  /** What belongs to the kind, as JSON text. */
  data?: string;
  /** The turn that recorded it, from 1. */
  turn: number;
  /** Whether its turn was so long that it goes on in the next. */
  split?: boolean;
  /** The user's value, if it was written with a codec and is no JSON; `data` shows null. */
  payload?: unknown;
}

/** Counts over the whole store. */
export interface SystemMetrics {
  totalInstances: number;
  totalExecutions: number;
  runningInstances: number;
  completedInstances: number;
  failedInstances: number;
  terminatedInstances: number;
  /** Events in all histories. */
  totalEvents: number;
}

/** What waits in the store to be taken. */
export interface QueueDepths {
  /** Messages for orchestrations. */
  orchestratorQueue: number;
  /** Activities. */
  workerQueue: number;
  /** Timers that are not due. */
  timerQueue: number;
}

/** What one instance takes up. */
export interface OrchestrationStats {
  /** Events of the current execution. */
  historyEventCount: number;
  historySizeBytes: number;
  /** Messages that it has not taken. */
  queuePendingCount: number;
  kvUserKeyCount: number;
  kvTotalValueBytes: number;
}

/** What a deletion removed. */
export interface DeleteResult {
  instancesDeleted: number;
  executionsDeleted: number;
  eventsDeleted: number;
  queueMessagesDeleted: number;
}

/** What a pruning removed. */
export interface PruneResult {
  instancesProcessed: number;
  executionsDeleted: number;
  eventsDeleted: number;
}

/** Which instances a bulk call is for; everything given must hold. */
export interface InstanceFilter {
  /** Only these. */
  instanceIds?: string[] | undefined;
  /** Only those that ended before this time, in ms since 1970. */
  completedBefore?: number | undefined;
  /** At most so many, >= 1. */
  limit?: number | undefined;
}

/** Which executions to prune; the current one never is. */
export interface PruneOptions {
  /** The newest so many stay. */
  keepLast?: number | undefined;
  /** Only those that ended before this time, in ms since 1970. */
  completedBefore?: number | undefined;
}

/** Options of `client.startOrchestration`. */
export interface StartOptions {
  /** `'ignore'` (default) leaves an existing id alone; `'error'` throws `InstanceExistsError`. */
  ifExists?: 'ignore' | 'error' | undefined;
}
