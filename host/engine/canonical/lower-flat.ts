// From JavaScript to core values: the mirror of `lift-flat.ts`. `want` are the core types of the
// place where the value goes: its own, or the joined ones of the variant around it.

import type { ComponentValue, ValueType } from "../component/types.ts";
import { caseShape, flagsShape, indexByName } from "./cases.ts";
import type { CoreValue, GuestContext } from "./guest-context.ts";
import { casePayloads, layoutOf, unreachable } from "./layout.ts";
import type { CoreType, VariantLike } from "./layout.ts";
import { memberNames } from "./member-names.ts";
import { lowerBorrow, lowerOwn } from "./resources.ts";
import { endType, lowerEnd } from "../async/copy-end.ts";
import { compileLowerList, requireLength, requireTuple } from "./save-value.ts";
import {
  BIGINT_RANGES,
  INTEGER_RANGES,
  bitsOfF32,
  bitsOfF64,
  codeOfChar,
  requireBigint,
  requireBoolean,
  requireFloat,
  requireInteger,
  requireObject,
} from "./scalars.ts";
import { lowerStringIn, lowered } from "./strings.ts";
import type { StringEncoding } from "./strings.ts";

/** Appends the value's core values. */
export type LowerFlat = (cx: GuestContext, value: ComponentValue, flat: CoreValue[]) => void;

export function compileLowerFlat(
  type: ValueType,
  encoding: StringEncoding,
  want: readonly CoreType[] = layoutOf(type).flat,
): LowerFlat {
  const push32 = want[0] === "i64" ? pushWidened : pushNumber;
  switch (type.kind) {
    case "bool":
      return (_cx, value, flat) => push32(flat, requireBoolean(value) ? 1 : 0);
    case "s8":
    case "u8":
    case "s16":
    case "u16":
    case "s32":
    case "u32": {
      const { min, max } = INTEGER_RANGES[type.kind];
      return (_cx, value, flat) => push32(flat, requireInteger(value, min, max));
    }
    case "s64":
    case "u64": {
      const { min, max } = BIGINT_RANGES[type.kind];
      return (_cx, value, flat) => {
        flat.push(requireBigint(value, min, max));
      };
    }
    case "f32":
      return want[0] === "f32"
        ? (_cx, value, flat) => pushNumber(flat, requireFloat(value))
        : (_cx, value, flat) => push32(flat, bitsOfF32(requireFloat(value)));
    case "f64":
      return want[0] === "f64"
        ? (_cx, value, flat) => pushNumber(flat, requireFloat(value))
        : (_cx, value, flat) => {
            flat.push(bitsOfF64(requireFloat(value)));
          };
    case "char":
      return (_cx, value, flat) => push32(flat, codeOfChar(value));
    case "string": {
      const lower = lowerStringIn(encoding);
      const pushLength = want[1] === "i64" ? pushWidened : pushNumber;
      return (cx, value, flat) => {
        push32(flat, lower(cx, value));
        pushLength(flat, lowered.length);
      };
    }
    case "list": {
      const lower = compileLowerList(type.element, encoding);
      const pushLength = want[1] === "i64" ? pushWidened : pushNumber;
      return (cx, value, flat) => {
        push32(flat, lower(cx, value));
        pushLength(flat, requireLength(value));
      };
    }
    case "record":
      return recordLower(
        memberNames(type.fields.map((field) => field.name)),
        type.fields.map((field) => field.type),
        encoding,
        want,
      );
    case "tuple":
      return tupleLower(type.types, encoding, want);
    case "flags": {
      const { toBits } = flagsShape(type);
      return (_cx, value, flat) => push32(flat, toBits(value));
    }
    case "enum": {
      const indexOf = indexByName(type.names);
      return (_cx, value, flat) => push32(flat, indexOf(value));
    }
    case "variant":
    case "option":
    case "result":
      return variantLower(type, encoding, want);
    case "own": {
      const { resource } = type;
      return (cx, value, flat) => push32(flat, lowerOwn(cx, value, resource));
    }
    case "borrow": {
      const { resource } = type;
      return (cx, value, flat) => push32(flat, lowerBorrow(cx, value, resource));
    }
    case "stream":
    case "future": {
      const end = endType(type, "readable");
      return (cx, value, flat) => push32(flat, lowerEnd(cx, value, end));
    }
    default:
      return unreachable(type);
  }
}

function pushNumber(flat: CoreValue[], value: number): void {
  flat.push(value);
}

/** An `i32` in the place of an `i64`: extended with zeros, also where it is negative. */
function pushWidened(flat: CoreValue[], value: number): void {
  flat.push(BigInt(value >>> 0));
}

interface FlatPart {
  readonly lower: LowerFlat;
}

function lowerParts(
  types: readonly ValueType[],
  encoding: StringEncoding,
  want: readonly CoreType[],
): readonly FlatPart[] {
  let next = 0;
  return types.map((type) => {
    const start = next;
    next += layoutOf(type).flat.length;
    return { lower: compileLowerFlat(type, encoding, want.slice(start, next)) };
  });
}

function recordLower(
  keys: readonly string[],
  types: readonly ValueType[],
  encoding: StringEncoding,
  want: readonly CoreType[],
): LowerFlat {
  const fields = lowerParts(types, encoding, want).map((part, at) => ({
    key: keys[at] ?? "",
    ...part,
  }));
  return (cx, value, flat) => {
    const record = requireObject(value);
    for (const { key, lower } of fields) lower(cx, record[key], flat);
  };
}

function tupleLower(
  types: readonly ValueType[],
  encoding: StringEncoding,
  want: readonly CoreType[],
): LowerFlat {
  const parts = lowerParts(types, encoding, want);
  return (cx, value, flat) => {
    const values = requireTuple(value, parts.length);
    for (const [at, { lower }] of parts.entries()) lower(cx, values[at], flat);
  };
}

function variantLower(
  type: VariantLike,
  encoding: StringEncoding,
  want: readonly CoreType[],
): LowerFlat {
  const { indexOf, payloadOf } = caseShape(type);
  const pushIndex = want[0] === "i64" ? pushWidened : pushNumber;
  const payloadWant = want.slice(1);
  const zeros: readonly CoreValue[] = payloadWant.map((core) => (core === "i64" ? 0n : 0));
  const lowers = casePayloads(type).map((payload) =>
    payload === null ? undefined : compileLowerFlat(payload, encoding, payloadWant),
  );
  return (cx, value, flat) => {
    const index = indexOf(value);
    const end = flat.length + want.length;
    pushIndex(flat, index);
    lowers[index]?.(cx, payloadOf(value), flat);
    // A case that is shorter than the longest leaves the rest zero.
    for (let at = flat.length; at < end; at = flat.length) {
      flat.push(zeros[zeros.length - (end - at)] ?? 0);
    }
  };
}
