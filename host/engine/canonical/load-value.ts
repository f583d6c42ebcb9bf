// From guest memory to JavaScript: one closure for each type, compiled once and shared by all
// instances. The caller has checked that the address is aligned, and the value inside memory.

import type { ComponentValue, ValueType } from "../component/types.ts";
import { caseShape, flagsShape } from "./cases.ts";
import type { GuestContext } from "./guest-context.ts";
import {
  alignTo,
  casePayloads,
  discriminantByteLength,
  flagsByteLength,
  layoutOf,
  sequenceOffsets,
  unreachable,
  variantLayout,
} from "./layout.ts";
import type { VariantLike } from "./layout.ts";
import { hostBytesOf } from "./lift-cost.ts";
import { memberNames } from "./member-names.ts";
import { liftBorrow, liftOwn } from "./resources.ts";
import { endType, liftEnd } from "../async/copy-end.ts";
import { canonicalNan, charFromCode } from "./scalars.ts";
import { VALUE_BYTES_MAX, liftStringIn } from "./strings.ts";
import type { StringEncoding } from "./strings.ts";
import { trap } from "./trap.ts";

export type Load = (cx: GuestContext, ptr: number) => ComponentValue;

/** Of an element type: lifts a list, whose elements lie in guest memory, from its address and length. */
export type LiftList = (cx: GuestContext, ptr: number, length: number) => ComponentValue;

const compiled: Record<StringEncoding, WeakMap<ValueType, Load>> = {
  utf8: new WeakMap(),
  utf16: new WeakMap(),
  "latin1+utf16": new WeakMap(),
};

export function compileLoad(type: ValueType, encoding: StringEncoding): Load {
  let load = compiled[encoding].get(type);
  if (load === undefined) {
    load = compile(type, encoding);
    compiled[encoding].set(type, load);
  }
  return load;
}

function compile(type: ValueType, encoding: StringEncoding): Load {
  switch (type.kind) {
    case "bool":
      return (cx, ptr) => cx.memory.view().getUint8(ptr) !== 0;
    case "s8":
      return (cx, ptr) => cx.memory.view().getInt8(ptr);
    case "u8":
      return loadU8;
    case "s16":
      return (cx, ptr) => cx.memory.view().getInt16(ptr, true);
    case "u16":
      return loadU16;
    case "s32":
      return (cx, ptr) => cx.memory.view().getInt32(ptr, true);
    case "u32":
      return loadU32;
    case "s64":
      return (cx, ptr) => cx.memory.view().getBigInt64(ptr, true);
    case "u64":
      return (cx, ptr) => cx.memory.view().getBigUint64(ptr, true);
    case "f32":
      return (cx, ptr) => canonicalNan(cx.memory.view().getFloat32(ptr, true));
    case "f64":
      return (cx, ptr) => canonicalNan(cx.memory.view().getFloat64(ptr, true));
    case "char":
      return (cx, ptr) => charFromCode(loadU32(cx, ptr));
    case "string": {
      const lift = liftStringIn(encoding);
      return (cx, ptr) => lift(cx, loadU32(cx, ptr), loadU32(cx, ptr + 4));
    }
    case "list": {
      const lift = compileLiftList(type.element, encoding);
      return (cx, ptr) => lift(cx, loadU32(cx, ptr), loadU32(cx, ptr + 4));
    }
    case "record":
      return recordLoad(
        memberNames(type.fields.map((field) => field.name)),
        type.fields.map((field) => field.type),
        encoding,
      );
    case "tuple":
      return compileLoadTuple(type.types, encoding);
    case "flags": {
      const { fromBits } = flagsShape(type);
      const loadBits = loadUnsigned(flagsByteLength(type.names.length));
      return (cx, ptr) => fromBits(loadBits(cx, ptr));
    }
    case "enum": {
      const { names } = type;
      const loadIndex = loadUnsigned(discriminantByteLength(names.length));
      return (cx, ptr) => names[loadIndex(cx, ptr)] ?? invalidDiscriminant();
    }
    case "variant":
    case "option":
    case "result":
      return variantLoad(type, encoding);
    case "own": {
      const { resource } = type;
      return (cx, ptr) => liftOwn(cx, loadU32(cx, ptr), resource);
    }
    case "borrow": {
      const { resource } = type;
      return (cx, ptr) => liftBorrow(cx, loadU32(cx, ptr), resource);
    }
    case "stream":
    case "future": {
      const end = endType(type, "readable");
      return (cx, ptr) => liftEnd(cx, loadU32(cx, ptr), end);
    }
    default:
      return unreachable(type);
  }
}

function loadU8(cx: GuestContext, ptr: number): number {
  return cx.memory.view().getUint8(ptr);
}

function loadU16(cx: GuestContext, ptr: number): number {
  return cx.memory.view().getUint16(ptr, true);
}

function loadU32(cx: GuestContext, ptr: number): number {
  return cx.memory.view().getUint32(ptr, true);
}

function loadUnsigned(byteLength: 1 | 2 | 4): (cx: GuestContext, ptr: number) => number {
  if (byteLength === 1) return loadU8;
  return byteLength === 2 ? loadU16 : loadU32;
}

export function invalidDiscriminant(): never {
  return trap("a discriminant names no case of its type");
}

function recordLoad(
  keys: readonly string[],
  types: readonly ValueType[],
  encoding: StringEncoding,
): Load {
  const offsets = sequenceOffsets(types);
  const fields = types.map((type, at) => ({
    key: keys[at] ?? "",
    offset: offsets[at] ?? 0,
    load: compileLoad(type, encoding),
  }));
  return (cx, ptr) => {
    const record: Record<string, ComponentValue> = {};
    for (const { key, offset, load } of fields) record[key] = load(cx, ptr + offset);
    return record;
  };
}

export function compileLoadTuple(
  types: readonly ValueType[],
  encoding: StringEncoding,
): (cx: GuestContext, ptr: number) => ComponentValue[] {
  const offsets = sequenceOffsets(types);
  const parts = types.map((type, at) => ({
    offset: offsets[at] ?? 0,
    load: compileLoad(type, encoding),
  }));
  return (cx, ptr) => parts.map(({ offset, load }) => load(cx, ptr + offset));
}

function variantLoad(type: VariantLike, encoding: StringEncoding): Load {
  const payloads = casePayloads(type);
  const { discriminantByteLength: byteLength, payloadOffset } = variantLayout(payloads);
  const loadIndex = loadUnsigned(byteLength);
  const { wrap } = caseShape(type);
  const loads = payloads.map((payload) =>
    payload === null ? undefined : compileLoad(payload, encoding),
  );
  return (cx, ptr) => {
    const index = loadIndex(cx, ptr);
    if (index >= loads.length) invalidDiscriminant();
    return wrap(index, loads[index]?.(cx, ptr + payloadOffset));
  };
}

export function compileLiftList(element: ValueType, encoding: StringEncoding): LiftList {
  if (element.kind === "u8") return liftByteList;
  const { alignment, byteLength } = layoutOf(element);
  const elementBytes = alignTo(byteLength, alignment);
  const elementHostBytes = hostBytesOf(element);
  const load = compileLoad(element, encoding);
  return (cx, ptr, length) => {
    checkList(cx, ptr, alignment, length * elementBytes);
    cx.chargeLifting(length * elementHostBytes);
    const list: ComponentValue[] = [];
    for (let at = 0; at < length; at += 1) list.push(load(cx, ptr + at * elementBytes));
    return list;
  };
}

function liftByteList(cx: GuestContext, ptr: number, length: number): Uint8Array {
  checkList(cx, ptr, 1, length);
  cx.chargeLifting(length);
  return cx.memory.bytes().slice(ptr, ptr + length);
}

function checkList(cx: GuestContext, ptr: number, alignment: number, byteLength: number): void {
  if (byteLength > VALUE_BYTES_MAX) trap(`a list is longer than ${VALUE_BYTES_MAX} bytes`);
  cx.checkRange(ptr, alignment, byteLength, "a list");
}
