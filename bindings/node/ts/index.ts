// What `require('duroxide')` and `import … from 'duroxide'` offer.

export { SqliteProvider, PostgresProvider, Provider } from './provider.js';
export type { SqliteOptions, PostgresOptions } from './provider.js';
export { Client } from './client.js';
export type {
  DeleteResult,
  ErrorDetails,
  ExecutionInfo,
  HistoryEvent,
  InstanceFilter,
  InstanceInfo,
  InstanceTree,
  OrchestrationStats,
  OrchestrationStatus,
  PruneOptions,
  PruneResult,
  QueueDepths,
  StartOptions,
  Status,
  SystemMetrics,
} from './client.js';
export { Runtime } from './runtime.js';
export type {
  ActivityFunction,
  MetricsSnapshot,
  OrchestrationFunction,
  RuntimeOptions,
  WorkerTagFilter,
} from './runtime.js';
export { OrchestrationContext } from './orchestration-context.js';
export type { ActivityOptions, Result, RetryPolicy, TypedTwins } from './orchestration-context.js';
export { ActivityContext } from './activity-context.js';
export { initTracing } from './tracing.js';
export type { TracingOptions } from './tracing.js';
export { defineActivity, defineOrchestration } from './define.js';
export { Descriptor, ActivityDescriptor } from './descriptors.js';
export type { AllResult, Durable, RaceResult } from './descriptors.js';
export {
  ActivityError,
  CancelledError,
  DuroxideError,
  InstanceExistsError,
  InstanceNotFoundError,
  LimitError,
  NondeterminismError,
  NotSupportedError,
  OrchestrationError,
  SubOrchestrationError,
  TimeoutError,
} from './errors.js';
export { MAX_KV_KEYS, MAX_KV_VALUE_BYTES, MAX_TAG_NAME_BYTES, MAX_WORKER_TAGS } from './limits.js';
