// From core values to JavaScript. A value inside a variant lies in the joined core types of all
// cases (`have`), and is converted back to its own: known when the closure is compiled.

import type { ComponentValue, ValueType } from "../component/types.ts";
import { caseShape, flagsShape } from "./cases.ts";
import type { CoreValue, GuestContext } from "./guest-context.ts";
import { casePayloads, layoutOf, unreachable } from "./layout.ts";
import type { CoreType, VariantLike } from "./layout.ts";
import { compileLiftList, invalidDiscriminant } from "./load-value.ts";
import { memberNames } from "./member-names.ts";
import { liftBorrow, liftOwn } from "./resources.ts";
import { endType, liftEnd } from "../async/copy-end.ts";
import { canonicalNan, charFromCode, f32FromBits, f64FromBits, wrap32 } from "./scalars.ts";
import { liftStringIn } from "./strings.ts";
import type { StringEncoding } from "./strings.ts";

/** Lifts the value whose core values start at `at`. */
export type LiftFlat = (cx: GuestContext, flat: readonly CoreValue[], at: number) => ComponentValue;

export function compileLiftFlat(
  type: ValueType,
  encoding: StringEncoding,
  have: readonly CoreType[] = layoutOf(type).flat,
): LiftFlat {
  switch (type.kind) {
    case "bool":
      return (_cx, flat, at) => i32At(flat, at) !== 0;
    case "s8":
      return (_cx, flat, at) => (i32At(flat, at) << 24) >> 24;
    case "u8":
      return (_cx, flat, at) => i32At(flat, at) & 0xff;
    case "s16":
      return (_cx, flat, at) => (i32At(flat, at) << 16) >> 16;
    case "u16":
      return (_cx, flat, at) => i32At(flat, at) & 0xffff;
    case "s32":
      return (_cx, flat, at) => i32At(flat, at);
    case "u32":
      return (_cx, flat, at) => u32At(flat, at);
    case "s64":
      return (_cx, flat, at) => BigInt.asIntN(64, i64At(flat, at));
    case "u64":
      return (_cx, flat, at) => BigInt.asUintN(64, i64At(flat, at));
    case "f32":
      return have[0] === "f32"
        ? (_cx, flat, at) => canonicalNan(Number(flat[at]))
        : (_cx, flat, at) => f32FromBits(i32At(flat, at));
    case "f64":
      return have[0] === "f64"
        ? (_cx, flat, at) => canonicalNan(Number(flat[at]))
        : (_cx, flat, at) => f64FromBits(i64At(flat, at));
    case "char":
      return (_cx, flat, at) => charFromCode(i32At(flat, at));
    case "string": {
      const lift = liftStringIn(encoding);
      return (cx, flat, at) => lift(cx, u32At(flat, at), u32At(flat, at + 1));
    }
    case "list": {
      const lift = compileLiftList(type.element, encoding);
      return (cx, flat, at) => lift(cx, u32At(flat, at), u32At(flat, at + 1));
    }
    case "record":
      return recordLift(
        memberNames(type.fields.map((field) => field.name)),
        type.fields.map((field) => field.type),
        encoding,
        have,
      );
    case "tuple":
      return tupleLift(type.types, encoding, have);
    case "flags": {
      const { fromBits } = flagsShape(type);
      return (_cx, flat, at) => fromBits(i32At(flat, at));
    }
    case "enum": {
      const { names } = type;
      return (_cx, flat, at) => names[u32At(flat, at)] ?? invalidDiscriminant();
    }
    case "variant":
    case "option":
    case "result":
      return variantLift(type, encoding, have);
    case "own": {
      const { resource } = type;
      return (cx, flat, at) => liftOwn(cx, u32At(flat, at), resource);
    }
    case "borrow": {
      const { resource } = type;
      return (cx, flat, at) => liftBorrow(cx, u32At(flat, at), resource);
    }
    case "stream":
    case "future": {
      const end = endType(type, "readable");
      return (cx, flat, at) => liftEnd(cx, u32At(flat, at), end);
    }
    default:
      return unreachable(type);
  }
}

function i32At(flat: readonly CoreValue[], at: number): number {
  return wrap32(flat[at] ?? 0);
}

function u32At(flat: readonly CoreValue[], at: number): number {
  return wrap32(flat[at] ?? 0) >>> 0;
}

function i64At(flat: readonly CoreValue[], at: number): bigint {
  return BigInt(flat[at] ?? 0n);
}

interface FlatPart {
  readonly start: number;
  readonly lift: LiftFlat;
}

function liftParts(
  types: readonly ValueType[],
  encoding: StringEncoding,
  have: readonly CoreType[],
): readonly FlatPart[] {
  let next = 0;
  return types.map((type) => {
    const start = next;
    next += layoutOf(type).flat.length;
    return { start, lift: compileLiftFlat(type, encoding, have.slice(start, next)) };
  });
}

function recordLift(
  keys: readonly string[],
  types: readonly ValueType[],
  encoding: StringEncoding,
  have: readonly CoreType[],
): LiftFlat {
  const fields = liftParts(types, encoding, have).map((part, at) => ({
    key: keys[at] ?? "",
    ...part,
  }));
  return (cx, flat, at) => {
    const record: Record<string, ComponentValue> = {};
    for (const { key, start, lift } of fields) record[key] = lift(cx, flat, at + start);
    return record;
  };
}

function tupleLift(
  types: readonly ValueType[],
  encoding: StringEncoding,
  have: readonly CoreType[],
): LiftFlat {
  const parts = liftParts(types, encoding, have);
  return (cx, flat, at) => parts.map(({ start, lift }) => lift(cx, flat, at + start));
}

function variantLift(
  type: VariantLike,
  encoding: StringEncoding,
  have: readonly CoreType[],
): LiftFlat {
  const { wrap } = caseShape(type);
  const payloadHave = have.slice(1);
  const lifts = casePayloads(type).map((payload) =>
    payload === null ? undefined : compileLiftFlat(payload, encoding, payloadHave),
  );
  return (cx, flat, at) => {
    const index = u32At(flat, at);
    if (index >= lifts.length) invalidDiscriminant();
    return wrap(index, lifts[index]?.(cx, flat, at + 1));
  };
}
