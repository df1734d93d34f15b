// What JSON makes of a value, as a type. Not here: encoding (`json.ts`).

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
export type Jsonify<T> = IsAny<T> extends true
  ? T
  : unknown extends T
    ? unknown
    : T extends { toJSON(key: string): infer J }
      ? Plain<J>
      : Plain<T>;

type IsAny<T> = 0 extends 1 & T ? true : false;

/** The same for what `toJSON` gave, on which `toJSON` is not called again. */
type Plain<T> = IsAny<T> extends true
  ? T
  : unknown extends T
    ? unknown
    : T extends string | number | boolean | null
      ? T
      : T extends undefined | void
        ? null
        : T extends bigint | symbol | Callable
          ? never
          : T extends object
            ? OfObject<T>
            : never;

type Callable = ((...args: never) => unknown) | (abstract new (...args: never) => unknown);

type OfObject<T extends object> = T extends readonly unknown[]
  ? OfArray<T>
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
              ? OfData<Omit<T, keyof Error>>
              : OfData<T>;

/** A tuple stays one. A plain array is told apart because only so may a type name itself in one. */
type OfArray<T extends readonly unknown[]> = T[number][] extends T
  ? Element<T[number]>[]
  : { -readonly [K in keyof T]: Element<T[K]> };

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
type Element<T> = IsAny<T> extends true ? T : Jsonify<Exclude<T, Dropped>> | (Extract<T, Dropped> extends never ? never : null);

type Dropped = undefined | void | symbol | Callable;

/** An object's own data; what may be dropped is optional. */
type OfData<T> = Flat<
  { -readonly [K in keyof T as Kept<K, T[K], 'always'>]: Jsonify<Exclude<T[K], Dropped>> } & {
    -readonly [K in keyof T as Kept<K, T[K], 'sometimes'>]?: Jsonify<Exclude<T[K], Dropped>>;
  }
>;

type Flat<T> = { [K in keyof T]: T[K] };

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
