// The limits that users may want to know. The engine holds them.

/** Most keys of one instance (`ctx.setValue`). */
export const MAX_KV_KEYS = 150;
/** Longest value under a key, in bytes. */
export const MAX_KV_VALUE_BYTES = 65_536;
/** Most tags that one Runtime may take (`workerTagFilter`). */
export const MAX_WORKER_TAGS = 5;
/** Longest tag, in bytes. */
export const MAX_TAG_NAME_BYTES = 256;
