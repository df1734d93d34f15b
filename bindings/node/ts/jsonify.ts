// What JSON makes of a value, as a type. Not here: encoding (`json.ts`).

import type { AllResult } from './descriptors.js';
import type { DuroxideError } from './errors.js';

/**
 * The type of a value after it has been stored as JSON and read back, which is how every result
 * arrives: a `Date` is a string, `undefined` is `null` where it stands alone or in an array and
 * absent in an object, functions and methods are dropped, `toJSON` is honoured, an instance of a
 * class has only its data left, and `Map` and `Set` are empty objects. What JSON refuses, a
 * `bigint` or a lone function, is `never`. `any` and `unknown` stay what they are.
 *
 * ```ts
 * interface Order { id: number; at: Date; note: string | undefined; total(): number }
 * type Read = Jsonify<Order>; // { id: number; at: string; note?: string }
 * ```
 */
export type Jsonify<T> = unknown extends T ? T : Stored<T, [0, 0, 0]>;

/** The same, with objects spelt out so many levels deep. `any` and `unknown` come first here. */
type Stored<T, Levels extends 0[]> = unknown extends T
  ? T
  : T extends { toJSON(key: string): infer J }
    ? Plain<J, Levels>
    : Plain<T, Levels>;

/** What JSON does not change; it keeps its name. (No symbol is a key.) */
type Json = string | number | boolean | null | Json[] | { [key: string]: Json; [key: symbol]: never };

/** The same for what `toJSON` gave, on which `toJSON` is not called again. */
type Plain<T, Levels extends 0[]> = unknown extends T
  ? T
  : T extends Json
    ? T
    : T extends undefined | void
      ? null
      : T extends bigint | symbol | Callable
        ? never
        : T extends object
          ? OfObject<T, Levels>
          : never;

type Callable = ((...args: never) => unknown) | (abstract new (...args: never) => unknown);

type OfObject<T extends object, Levels extends 0[]> = T extends readonly unknown[]
  ? OfArray<T, Levels>
  : T extends String
    ? string
    : T extends Number
      ? number
      : T extends Boolean
        ? boolean
        : T extends TypedArray
          ? Record<string, number>
          : T extends Keyed
            ? {}
            : T extends Error
              ? OfData<Omit<T, keyof Error>, Levels>
              : T extends Failed
                ? OfData<Omit<T, 'error'>, Levels>
                : OfData<T, Levels>;

/** What `all` gives for a task that failed: its error is not enumerable. */
type Failed = Extract<AllResult<unknown>, { error: DuroxideError }>;

/** A tuple stays one. A plain array is told apart because only so may a type name itself in one. */
type OfArray<T extends readonly unknown[], Levels extends 0[]> = T[number][] extends T
  ? Element<T[number], Levels>[]
  : { -readonly [K in keyof T]: Element<T[K], Levels> };

/** What keeps its content where JSON does not look. */
type Keyed =
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | WeakMap<object, unknown>
  | WeakSet<object>
  | RegExp
  | Promise<unknown>
  | ArrayBuffer
  | DataView;

type TypedArray = ArrayBufferView & { readonly BYTES_PER_ELEMENT: number; readonly [index: number]: number };

/** An element of an array: what JSON would drop holds its place as null. */
type Element<T, Levels extends 0[]> = unknown extends T
  ? T
  : Stored<Exclude<T, Dropped>, Levels> | (Extract<T, Dropped> extends never ? never : null);

type Dropped = undefined | void | symbol | Callable;

/**
 * An object's own data, spelt out so many levels deep: an editor shows it, and a declaration file holds
 * it, without a name, and where a type holds itself it has an end.
 */
type OfData<T, Levels extends 0[]> = Levels extends [0, ...infer Rest extends 0[]]
  ? Data<T> extends infer D
    ? { [K in keyof D]: Stored<Exclude<D[K], Dropped>, Rest> }
    : never
  : JsonObject<T>;

/** An object's own data as JSON, by a name: what a {@link Jsonify} calls the objects deep in it. */
export type JsonObject<T> = { [K in keyof Data<T>]: Stored<Exclude<Data<T>[K], Dropped>, []> };

/** What of an object is kept; what may be dropped is optional. */
type Data<T> = { -readonly [K in keyof T as Kept<K, T[K], 'always'>]: T[K] } & {
  -readonly [K in keyof T as Kept<K, T[K], 'sometimes'>]?: T[K];
};

/** The key `K`, if whether a value of type `V` is there under it is `When`. */
type Kept<K, V, When> = K extends symbol ? never : When extends Presence<K, V> ? K : never;

type Presence<K, V> = unknown extends V
  ? 'always'
  : [V] extends [Dropped]
    ? 'never'
    : [Extract<V, Dropped>] extends [never]
      ? 'always'
      : string extends K
        ? 'always'
        : number extends K
          ? 'always'
          : 'sometimes';
