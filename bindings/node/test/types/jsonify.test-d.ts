// Compiled, never run: what JSON makes of a type, case by case.
import { expectTypeOf } from 'expect-type';
import type { AllResult, JsonObject, Jsonify } from 'duroxide';

// Values that stand alone.
expectTypeOf<Jsonify<'a' | 1 | true | null>>().toEqualTypeOf<'a' | 1 | true | null>();
expectTypeOf<Jsonify<Date>>().toEqualTypeOf<string>();
expectTypeOf<Jsonify<undefined>>().toEqualTypeOf<null>();
expectTypeOf<Jsonify<void>>().toEqualTypeOf<null>();
expectTypeOf<Jsonify<string | undefined>>().toEqualTypeOf<string | null>();
expectTypeOf<Jsonify<any>>().toBeAny();
expectTypeOf<Jsonify<unknown>>().toBeUnknown();
expectTypeOf<Jsonify<never>>().toBeNever();
expectTypeOf<Jsonify<string & { readonly brand: 'id' }>>().toEqualTypeOf<string & { readonly brand: 'id' }>();

// What JSON refuses.
expectTypeOf<Jsonify<bigint>>().toBeNever();
expectTypeOf<Jsonify<symbol>>().toBeNever();
expectTypeOf<Jsonify<() => void>>().toBeNever();
expectTypeOf<Jsonify<string | bigint>>().toEqualTypeOf<string>();

// Objects: what may be dropped is optional, what is always dropped is gone.
interface Order {
  readonly id: number;
  at: Date;
  note: string | undefined;
  due?: Date;
  onDone?: () => void;
  total(): number;
  [Symbol.iterator]: 5;
}
expectTypeOf<Jsonify<Order>>().toEqualTypeOf<{ id: number; at: string; note?: string; due?: string }>();
expectTypeOf<Jsonify<{ a: unknown; b: any }>>().toEqualTypeOf<{ a: unknown; b: any }>();
expectTypeOf<Jsonify<Record<string, Date | undefined>>>().toEqualTypeOf<Record<string, string>>();
expectTypeOf<Jsonify<{ a: 1 } | { b: Date }>>().toEqualTypeOf<{ a: 1 } | { b: string }>();
expectTypeOf<Jsonify<{}>>().toEqualTypeOf<{}>();
enum Colour { Red, Green }
expectTypeOf<Jsonify<{ c: Colour }>>().toEqualTypeOf<{ c: Colour }>();
expectTypeOf<Jsonify<{ a: string; b?: 5; f?(): void; [Symbol.iterator]: 5 }>>().toEqualTypeOf<{ a: string; b?: 5 }>();
expectTypeOf<Jsonify<{ id: 1 } & { readonly brand: 'id' }>>().toEqualTypeOf<{ id: 1 } & { readonly brand: 'id' }>();
// The error of a task that failed is not enumerable.
expectTypeOf<Jsonify<AllResult<Date>>>().toEqualTypeOf<{ ok: string } | { err: string }>();

// Instances of classes: their public data.
class Money {
  readonly #secret = 1;
  constructor(readonly cents: number, protected hidden = 2) {}
  format(): string {
    return `${this.cents}${this.#secret}${this.hidden}`;
  }
}
expectTypeOf<Jsonify<Money>>().toEqualTypeOf<{ cents: number }>();
expectTypeOf<Jsonify<Error>>().toEqualTypeOf<{}>();
expectTypeOf<Jsonify<TypeError & { code: string }>>().toEqualTypeOf<{ code: string }>();
expectTypeOf<Jsonify<String>>().toEqualTypeOf<string>();
expectTypeOf<Jsonify<Map<string, Date>>>().toEqualTypeOf<{}>();
expectTypeOf<Jsonify<Set<string>>>().toEqualTypeOf<{}>();
expectTypeOf<Jsonify<ReadonlyMap<string, number>>>().toEqualTypeOf<{}>();
expectTypeOf<Jsonify<RegExp>>().toEqualTypeOf<{}>();
expectTypeOf<Jsonify<Uint8Array>>().toEqualTypeOf<Record<string, number>>();

// `toJSON` says what is stored.
class Temperature {
  kelvin = 1;
  toJSON() {
    return { celsius: -272, measured: new Date() };
  }
}
expectTypeOf<Jsonify<Temperature>>().toEqualTypeOf<{ celsius: number; measured: string }>();
expectTypeOf<Jsonify<{ t: Temperature }>>().toEqualTypeOf<{ t: { celsius: number; measured: string } }>();
expectTypeOf<Jsonify<Buffer>>().toEqualTypeOf<{ type: 'Buffer'; data: number[] }>();
class Itself {
  a = new Date();
  toJSON() {
    return this;
  }
}
expectTypeOf<Jsonify<Itself>['a']>().toEqualTypeOf<string>();

// Arrays and tuples: null holds the place of what JSON drops.
expectTypeOf<Jsonify<(Date | undefined)[]>>().toEqualTypeOf<(string | null)[]>();
expectTypeOf<Jsonify<readonly Date[]>>().toEqualTypeOf<string[]>();
expectTypeOf<Jsonify<unknown[]>>().toEqualTypeOf<unknown[]>();
expectTypeOf<Jsonify<any[]>>().toEqualTypeOf<any[]>();
expectTypeOf<Jsonify<(() => void)[]>>().toEqualTypeOf<null[]>();
expectTypeOf<Jsonify<[]>>().toEqualTypeOf<[]>();
expectTypeOf<Jsonify<readonly [Date, 5]>>().toEqualTypeOf<[string, 5]>();
expectTypeOf<Jsonify<[Date, ...Money[]]>>().toEqualTypeOf<[string, ...{ cents: number }[]]>();

// Types that name themselves.
type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
expectTypeOf<Json>().toExtend<Jsonify<Json>>();
expectTypeOf<Jsonify<Json>>().toExtend<Json>();
type Tree = { at: Date; children: Tree[] };
declare const tree: Jsonify<Tree>;
expectTypeOf(tree.children[0]!.children[0]!.at).toEqualTypeOf<string>();
expectTypeOf<JsonObject<Tree>>().toEqualTypeOf<Jsonify<Tree>>();
interface Box<T> { value: T }
expectTypeOf<Jsonify<Box<Box<Box<Box<Box<Date>>>>>>['value']['value']['value']['value']['value']>().toEqualTypeOf<string>();
