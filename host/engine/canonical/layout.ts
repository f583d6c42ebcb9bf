// Where the parts of a value lie: in linear memory (size, alignment) and as core values (flattening).
// All of it follows from the type alone; results are remembered for each type node, so that a type
// that is shared many times is laid out once.

import type { ValueType } from "../component/types.ts";

export const FLAT_PARAMS_MAX = 16;
export const FLAT_ASYNC_PARAMS_MAX = 4;
export const FLAT_RESULTS_MAX = 1;

export type CoreType = "i32" | "i64" | "f32" | "f64";

export interface Layout {
  readonly alignment: number;
  readonly byteLength: number;
  /** Cut off after `FLAT_PARAMS_MAX + 1` entries: more are never passed flat. */
  readonly flat: readonly CoreType[];
}

export function alignTo(ptr: number, alignment: number): number {
  return Math.ceil(ptr / alignment) * alignment;
}

const layouts = new WeakMap<ValueType, Layout>();

export function layoutOf(type: ValueType): Layout {
  let layout = layouts.get(type);
  if (layout === undefined) {
    layout = computeLayout(type);
    layouts.set(type, layout);
  }
  return layout;
}

function scalar(byteLength: number, core: CoreType): Layout {
  return { alignment: byteLength, byteLength, flat: [core] };
}

const ONE_BYTE = scalar(1, "i32");
const TWO_BYTES = scalar(2, "i32");
const FOUR_BYTES = scalar(4, "i32");
const EIGHT_BYTES = scalar(8, "i64");
const SINGLE_FLOAT = scalar(4, "f32");
const DOUBLE_FLOAT = scalar(8, "f64");
const POINTER_AND_LENGTH: Layout = { alignment: 4, byteLength: 8, flat: ["i32", "i32"] };

function computeLayout(type: ValueType): Layout {
  switch (type.kind) {
    case "bool":
    case "s8":
    case "u8":
      return ONE_BYTE;
    case "s16":
    case "u16":
      return TWO_BYTES;
    case "s32":
    case "u32":
    case "char":
    case "own":
    case "borrow":
    case "stream":
    case "future":
      return FOUR_BYTES;
    case "s64":
    case "u64":
      return EIGHT_BYTES;
    case "f32":
      return SINGLE_FLOAT;
    case "f64":
      return DOUBLE_FLOAT;
    case "string":
    case "list":
      return POINTER_AND_LENGTH;
    case "record":
      return sequenceLayout(type.fields.map((field) => field.type));
    case "tuple":
      return sequenceLayout(type.types);
    case "flags":
      return discriminant(flagsByteLength(type.names.length));
    case "enum":
      return discriminant(discriminantByteLength(type.names.length));
    case "variant":
    case "option":
    case "result":
      return variantLayout(casePayloads(type)).layout;
    default:
      return unreachable(type);
  }
}

function discriminant(byteLength: 1 | 2 | 4): Layout {
  if (byteLength === 1) return ONE_BYTE;
  return byteLength === 2 ? TWO_BYTES : FOUR_BYTES;
}

export function sequenceLayout(types: readonly ValueType[]): Layout {
  let alignment = 1;
  let byteLength = 0;
  const flat: CoreType[] = [];
  for (const type of types) {
    const layout = layoutOf(type);
    alignment = Math.max(alignment, layout.alignment);
    byteLength = alignTo(byteLength, layout.alignment) + layout.byteLength;
    pushBounded(flat, layout.flat);
  }
  return { alignment, byteLength: alignTo(byteLength, alignment), flat };
}

/** The offset of each part of a record or tuple. */
export function sequenceOffsets(types: readonly ValueType[]): readonly number[] {
  let offset = 0;
  return types.map((type) => {
    const layout = layoutOf(type);
    const start = alignTo(offset, layout.alignment);
    offset = start + layout.byteLength;
    return start;
  });
}

export type VariantLike = Extract<ValueType, { kind: "variant" | "option" | "result" }>;

/** A variant, option or result as a list of cases: the type of each case's payload, or null. */
export function casePayloads(type: VariantLike): readonly (ValueType | null)[] {
  switch (type.kind) {
    case "variant":
      return type.cases.map((case_) => case_.type);
    case "option":
      return [null, type.type];
    case "result":
      return [type.ok, type.err];
    default:
      return unreachable(type);
  }
}

export interface VariantLayout {
  readonly layout: Layout;
  readonly discriminantByteLength: 1 | 2 | 4;
  readonly payloadOffset: number;
}

export function variantLayout(payloads: readonly (ValueType | null)[]): VariantLayout {
  const discriminantBytes = discriminantByteLength(payloads.length);
  let payloadAlignment = 1;
  let payloadBytes = 0;
  const joined: CoreType[] = [];
  for (const payload of payloads) {
    if (payload === null) continue;
    const layout = layoutOf(payload);
    payloadAlignment = Math.max(payloadAlignment, layout.alignment);
    payloadBytes = Math.max(payloadBytes, layout.byteLength);
    for (const [at, core] of layout.flat.entries()) {
      const other = joined[at];
      joined[at] = other === undefined ? core : join(other, core);
    }
  }
  const alignment = Math.max(discriminantBytes, payloadAlignment);
  const payloadOffset = alignTo(discriminantBytes, payloadAlignment);
  const flat: CoreType[] = ["i32"];
  pushBounded(flat, joined);
  return {
    layout: { alignment, byteLength: alignTo(payloadOffset + payloadBytes, alignment), flat },
    discriminantByteLength: discriminantBytes,
    payloadOffset,
  };
}

function join(a: CoreType, b: CoreType): CoreType {
  if (a === b) return a;
  if ((a === "i32" && b === "f32") || (a === "f32" && b === "i32")) return "i32";
  return "i64";
}

function pushBounded(flat: CoreType[], more: readonly CoreType[]): void {
  for (const core of more) {
    if (flat.length > FLAT_PARAMS_MAX) return;
    flat.push(core);
  }
}

export function discriminantByteLength(caseCount: number): 1 | 2 | 4 {
  if (caseCount <= 0x100) return 1;
  return caseCount <= 0x1_0000 ? 2 : 4;
}

const FLAGS_MAX = 32;

export function flagsByteLength(flagCount: number): 1 | 2 | 4 {
  if (flagCount > FLAGS_MAX) throw new RangeError(`flags of more than ${FLAGS_MAX} names`);
  if (flagCount <= 8) return 1;
  return flagCount <= 16 ? 2 : 4;
}

export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
