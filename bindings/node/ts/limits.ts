// The limits that users may want to know. The engine holds them.

/** Keys of one instance. */
export const MAX_KV_KEYS = 150;
/** A value under a key, in bytes. */
export const MAX_KV_VALUE_BYTES = 65_536;
/** Tags that one Runtime may take. */
export const MAX_WORKER_TAGS = 5;
/** A tag, in bytes. */
export const MAX_TAG_NAME_BYTES = 256;
