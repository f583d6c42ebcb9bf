// From JavaScript into guest memory: the mirror of `load-value.ts`. The caller has checked that the
// address is aligned, and the value inside memory. Lowering a part may run the guest's `realloc`,
// which may grow the memory: each write asks for the view anew.

import type { ComponentValue, ValueType } from "../component/types.ts";
import { caseShape, flagsShape, indexByName } from "./cases.ts";
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
import { memberNames } from "./member-names.ts";
import { endType, lowerEnd } from "../async/copy-end.ts";
import { lowerBorrow, lowerOwn } from "./resources.ts";
import {
  BIGINT_RANGES,
  INTEGER_RANGES,
  codeOfChar,
  requireArray,
  requireBigint,
  requireBoolean,
  requireFloat,
  requireInteger,
  requireObject,
} from "./scalars.ts";
import { VALUE_BYTES_MAX, lowerStringIn, lowered } from "./strings.ts";
import type { StringEncoding } from "./strings.ts";

export type Save = (cx: GuestContext, ptr: number, value: ComponentValue) => void;

/** Of an element type: allocates and fills a list, and returns its address. */
export type LowerList = (cx: GuestContext, value: ComponentValue) => number;

const compiled: Record<StringEncoding, WeakMap<ValueType, Save>> = {
  utf8: new WeakMap(),
  utf16: new WeakMap(),
  "latin1+utf16": new WeakMap(),
};

export function compileSave(type: ValueType, encoding: StringEncoding): Save {
  let save = compiled[encoding].get(type);
  if (save === undefined) {
    save = compile(type, encoding);
    compiled[encoding].set(type, save);
  }
  return save;
}

function compile(type: ValueType, encoding: StringEncoding): Save {
  switch (type.kind) {
    case "bool":
      return (cx, ptr, value) => cx.memory.view().setUint8(ptr, requireBoolean(value) ? 1 : 0);
    case "s8":
    case "u8":
      return integerSave(INTEGER_RANGES[type.kind], saveUnsigned(1));
    case "s16":
    case "u16":
      return integerSave(INTEGER_RANGES[type.kind], saveUnsigned(2));
    case "s32":
    case "u32":
      return integerSave(INTEGER_RANGES[type.kind], saveUnsigned(4));
    case "s64":
    case "u64": {
      const { min, max } = BIGINT_RANGES[type.kind];
      return (cx, ptr, value) =>
        cx.memory.view().setBigInt64(ptr, requireBigint(value, min, max), true);
    }
    case "f32":
      return (cx, ptr, value) => cx.memory.view().setFloat32(ptr, requireFloat(value), true);
    case "f64":
      return (cx, ptr, value) => cx.memory.view().setFloat64(ptr, requireFloat(value), true);
    case "char":
      return (cx, ptr, value) => saveU32(cx, ptr, codeOfChar(value));
    case "string": {
      const lower = lowerStringIn(encoding);
      return (cx, ptr, value) => savePointerAndLength(cx, ptr, lower(cx, value), lowered.length);
    }
    case "list": {
      const lower = compileLowerList(type.element, encoding);
      return (cx, ptr, value) =>
        savePointerAndLength(cx, ptr, lower(cx, value), requireLength(value));
    }
    case "record":
      return recordSave(
        memberNames(type.fields.map((field) => field.name)),
        type.fields.map((field) => field.type),
        encoding,
      );
    case "tuple": {
      const save = compileSaveTuple(type.types, encoding);
      return (cx, ptr, value) => save(cx, ptr, requireTuple(value, type.types.length));
    }
    case "flags": {
      const { toBits } = flagsShape(type);
      const save = saveUnsigned(flagsByteLength(type.names.length));
      return (cx, ptr, value) => save(cx, ptr, toBits(value));
    }
    case "enum": {
      const indexOf = indexByName(type.names);
      const save = saveUnsigned(discriminantByteLength(type.names.length));
      return (cx, ptr, value) => save(cx, ptr, indexOf(value));
    }
    case "variant":
    case "option":
    case "result":
      return variantSave(type, encoding);
    case "own": {
      const { resource } = type;
      return (cx, ptr, value) => saveU32(cx, ptr, lowerOwn(cx, value, resource));
    }
    case "borrow": {
      const { resource } = type;
      return (cx, ptr, value) => saveU32(cx, ptr, lowerBorrow(cx, value, resource));
    }
    case "stream":
    case "future": {
      const end = endType(type, "readable");
      return (cx, ptr, value) => saveU32(cx, ptr, lowerEnd(cx, value, end));
    }
    default:
      return unreachable(type);
  }
}

type SaveNumber = (cx: GuestContext, ptr: number, value: number) => void;

function saveU8(cx: GuestContext, ptr: number, value: number): void {
  cx.memory.view().setUint8(ptr, value);
}

function saveU16(cx: GuestContext, ptr: number, value: number): void {
  cx.memory.view().setUint16(ptr, value, true);
}

function saveU32(cx: GuestContext, ptr: number, value: number): void {
  cx.memory.view().setUint32(ptr, value, true);
}

function saveUnsigned(byteLength: 1 | 2 | 4): SaveNumber {
  if (byteLength === 1) return saveU8;
  return byteLength === 2 ? saveU16 : saveU32;
}

function integerSave(
  range: { readonly min: number; readonly max: number },
  save: SaveNumber,
): Save {
  const { min, max } = range;
  return (cx, ptr, value) => save(cx, ptr, requireInteger(value, min, max));
}

function savePointerAndLength(cx: GuestContext, ptr: number, at: number, length: number): void {
  const view = cx.memory.view();
  view.setUint32(ptr, at, true);
  view.setUint32(ptr + 4, length, true);
}

function recordSave(
  keys: readonly string[],
  types: readonly ValueType[],
  encoding: StringEncoding,
): Save {
  const offsets = sequenceOffsets(types);
  const fields = types.map((type, at) => ({
    key: keys[at] ?? "",
    offset: offsets[at] ?? 0,
    save: compileSave(type, encoding),
  }));
  return (cx, ptr, value) => {
    const record = requireObject(value);
    for (const { key, offset, save } of fields) save(cx, ptr + offset, record[key]);
  };
}

export function compileSaveTuple(
  types: readonly ValueType[],
  encoding: StringEncoding,
): (cx: GuestContext, ptr: number, values: readonly ComponentValue[]) => void {
  const offsets = sequenceOffsets(types);
  const parts = types.map((type, at) => ({
    offset: offsets[at] ?? 0,
    save: compileSave(type, encoding),
  }));
  return (cx, ptr, values) => {
    for (const [at, { offset, save }] of parts.entries()) save(cx, ptr + offset, values[at]);
  };
}

export function requireTuple(value: ComponentValue, length: number): readonly ComponentValue[] {
  const values = requireArray(value);
  if (values.length === length) return values;
  throw new TypeError(`expected a tuple of ${length}, got ${values.length} values`);
}

function variantSave(type: VariantLike, encoding: StringEncoding): Save {
  const payloads = casePayloads(type);
  const { discriminantByteLength: byteLength, payloadOffset } = variantLayout(payloads);
  const saveIndex = saveUnsigned(byteLength);
  const { indexOf, payloadOf } = caseShape(type);
  const saves = payloads.map((payload) =>
    payload === null ? undefined : compileSave(payload, encoding),
  );
  return (cx, ptr, value) => {
    const index = indexOf(value);
    saveIndex(cx, ptr, index);
    saves[index]?.(cx, ptr + payloadOffset, payloadOf(value));
  };
}

export function requireLength(value: ComponentValue): number {
  return value instanceof Uint8Array ? value.length : requireArray(value).length;
}

export function compileLowerList(element: ValueType, encoding: StringEncoding): LowerList {
  if (element.kind === "u8") return lowerByteList;
  const { alignment, byteLength } = layoutOf(element);
  const elementBytes = alignTo(byteLength, alignment);
  const save = compileSave(element, encoding);
  return (cx, value) => {
    const list = requireArray(value);
    const ptr = allocateList(cx, alignment, list.length * elementBytes);
    for (const [at, item] of list.entries()) save(cx, ptr + at * elementBytes, item);
    return ptr;
  };
}

function lowerByteList(cx: GuestContext, value: ComponentValue): number {
  if (!(value instanceof Uint8Array)) throw new TypeError("expected a Uint8Array");
  const ptr = allocateList(cx, 1, value.length);
  cx.memory.bytes().set(value, ptr);
  return ptr;
}

function allocateList(cx: GuestContext, alignment: number, byteLength: number): number {
  if (byteLength > VALUE_BYTES_MAX) {
    throw new RangeError(`a list for the guest is longer than ${VALUE_BYTES_MAX} bytes`);
  }
  return cx.allocate(alignment, byteLength);
}
