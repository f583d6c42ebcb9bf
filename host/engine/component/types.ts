/**
 * Component-model types as plain data: what the decoder produces, the checker compares, and the
 * canonical ABI compiles. Immutable, structured-cloneable and JSON-safe.
 *
 * T1. Types are trees with resolved leaves: no index into a type section survives decoding.
 * T2. A resource is a small integer, unique within one component (`ResourceId`): two resources are
 *     the same type exactly when their ids are equal.
 */

/**
 * Stands for a value type of one component, where types are compared while it runs: equal for structurally equal
 * ones (`TypeNumbers`).
 */
export type TypeNumber = number;

/** In place of the number of a type, where there is none. */
export const NO_TYPE: TypeNumber = 0;

/** Names one resource type of one component; given by the decoder, or by an interface declaration. */
export type ResourceId = number;

export type PrimitiveKind =
  | "bool"
  | "s8"
  | "u8"
  | "s16"
  | "u16"
  | "s32"
  | "u32"
  | "s64"
  | "u64"
  | "f32"
  | "f64"
  | "char"
  | "string";

export interface Field {
  readonly name: string;
  readonly type: ValueType;
}

export interface Case {
  readonly name: string;
  readonly type: ValueType | null;
}

export type ValueType =
  | { readonly kind: PrimitiveKind }
  | { readonly kind: "list"; readonly element: ValueType }
  | { readonly kind: "record"; readonly fields: readonly Field[] }
  | { readonly kind: "tuple"; readonly types: readonly ValueType[] }
  | { readonly kind: "variant"; readonly cases: readonly Case[] }
  | { readonly kind: "enum"; readonly names: readonly string[] }
  | { readonly kind: "flags"; readonly names: readonly string[] }
  | { readonly kind: "option"; readonly type: ValueType }
  | { readonly kind: "result"; readonly ok: ValueType | null; readonly err: ValueType | null }
  | { readonly kind: "own"; readonly resource: ResourceId }
  | { readonly kind: "borrow"; readonly resource: ResourceId }
  | {
      readonly kind: "stream" | "future";
      readonly element: ValueType | null;
      readonly elementNumber: TypeNumber;
    };

export interface FuncType {
  readonly async: boolean;
  readonly params: readonly Field[];
  readonly result: ValueType | null;
}

/**
 * Values of component types in JavaScript, for host functions and callers alike:
 *
 * | type | value |
 * |---|---|
 * | bool; s8 … u32, f32, f64; s64, u64 | boolean; number; bigint |
 * | char, string | string (no lone surrogates) |
 * | list<u8>; other lists and tuples | Uint8Array (a copy, never a view of guest memory); array |
 * | record, flags | object, keys in camelCase |
 * | variant; enum | `{ tag, val? }`; string |
 * | option | undefined or the value; where the inner type is itself an option, `{ tag: "none" }` or `{ tag: "some", val }` |
 * | result | `{ tag: "ok" \| "err", val? }` |
 * | own, borrow | the host's object for resources of the host; a `GuestResource` for resources of the guest |
 * | stream, future | a `SharedStream` or `SharedFuture`: components of one guest pass them on to each other, the host has none |
 */
export type ComponentValue = unknown;
