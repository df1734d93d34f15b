// What `require('duroxide')` and `import … from 'duroxide'` offer.

/** @module duroxide */

export { SqliteProvider, Provider } from './provider.js';
export type { SqliteOptions } from './provider.js';
export { PostgresProvider } from './postgres.js';
export type { PostgresOptions, PostgresSslMode, PostgresSslOptions } from './postgres.js';
export { Client } from './client.js';
export type {
  DeleteResult,
  ErrorCause,
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
} from './answers.js';
export { Runtime } from './runtime.js';
export type { MetricsSnapshot, RuntimeOptions, WorkerTagFilter } from './runtime.js';
export { OrchestrationContext } from './orchestration-context.js';
export type { ActivityOptions, SchedulingContext } from './scheduling.js';
export type { TypedTwins } from './typed-twins.js';
export type { CustomBackoff, RetryPolicy } from './retry.js';
export { ActivityContext } from './activity-context.js';
export type { Determinism } from './guard.js';
export { initTracing } from './tracing.js';
export type { TracingOptions } from './tracing.js';
export { defineActivity, defineOrchestration } from './define.js';
export type {
  ActivityDefinition,
  ActivityFunction,
  DefinedOrchestrationFunction,
  InputArguments,
  OrchestrationDefinition,
  OrchestrationDefinitionOptions,
  OrchestrationFunction,
} from './define.js';
export { Descriptor, ActivityDescriptor } from './descriptors.js';
export type { AllResult, AllResults, Durable, RaceResult, Result, Tasks } from './descriptors.js';
export type { JsonObject, Jsonify } from './jsonify.js';
export {
  ActivityError,
  CancelledError,
  DeterminismError,
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
