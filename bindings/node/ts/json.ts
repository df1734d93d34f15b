// Values cross as JSON text, encoded once. Not here: what they mean.

/** The JSON text of a user's value; what cannot be encoded is refused, naming the call. @internal */
export function encode(value: unknown, call: string): string {
  if (value === undefined) return 'null';
  if (isThenable(value)) {
    throw new TypeError(`${call}: the value is a Promise; did you forget await?`);
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new TypeError(`${call}: the value cannot be encoded as JSON: ${reason}`);
  }
  if (text === undefined) {
    throw new TypeError(`${call}: a ${typeof value} cannot be encoded as JSON`);
  }
  return text;
}

/** Whether this is a promise, or looks like one to `await`. @internal */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
