import type { ValueType } from "../component/types.ts";
import { casePayloads, unreachable } from "./layout.ts";

const SLOT_BYTES = 8;
const BOX_BYTES = 24;

const costs = new WeakMap<ValueType, number>();

/**
 * About what a lifted value of the type takes in JavaScript, without the contents of its strings and
 * lists (they are counted when their lengths are known). It bounds memory; it does not measure it.
 */
export function hostBytesOf(type: ValueType): number {
  let cost = costs.get(type);
  if (cost === undefined) {
    cost = compute(type);
    costs.set(type, cost);
  }
  return cost;
}

function compute(type: ValueType): number {
  switch (type.kind) {
    case "bool":
    case "s8":
    case "u8":
    case "s16":
    case "u16":
    case "s32":
    case "u32":
    case "char":
    case "enum":
      return SLOT_BYTES;
    case "s64":
    case "u64":
    case "f32":
    case "f64":
    case "string":
    case "own":
    case "borrow":
    case "stream":
    case "future":
      return SLOT_BYTES + BOX_BYTES;
    case "list":
      return SLOT_BYTES + 2 * BOX_BYTES;
    case "flags":
      return BOX_BYTES + type.names.length * SLOT_BYTES;
    case "record":
      return BOX_BYTES + sum(type.fields.map((field) => field.type));
    case "tuple":
      return BOX_BYTES + sum(type.types);
    case "variant":
    case "option":
    case "result":
      return 2 * BOX_BYTES + largest(casePayloads(type));
    default:
      return unreachable(type);
  }
}

function sum(types: readonly ValueType[]): number {
  let total = 0;
  for (const type of types) total += hostBytesOf(type);
  return total;
}

function largest(types: readonly (ValueType | null)[]): number {
  let max = 0;
  for (const type of types) if (type !== null) max = Math.max(max, hostBytesOf(type));
  return max;
}
