import type { ValueType } from "./types.ts";

const NO_PARTS: readonly ValueType[] = [];

/** The types that a type is made of, one level down. */
function partsOf(type: ValueType): readonly ValueType[] {
  switch (type.kind) {
    case "list":
      return [type.element];
    case "record":
      return type.fields.map((field) => field.type);
    case "tuple":
      return type.types;
    case "variant":
      return type.cases.flatMap((case_) => (case_.type === null ? NO_PARTS : [case_.type]));
    case "option":
      return [type.type];
    case "result":
      return [type.ok, type.err].filter((part) => part !== null);
    case "stream":
    case "future":
      return type.element === null ? NO_PARTS : [type.element];
    case "enum":
    case "flags":
    case "own":
    case "borrow":
    case "bool":
    case "s8":
    case "u8":
    case "s16":
    case "u16":
    case "s32":
    case "u32":
    case "s64":
    case "u64":
    case "f32":
    case "f64":
    case "char":
    case "string":
      return NO_PARTS;
    default:
      return type satisfies never;
  }
}

/** Whether a value of it lies in memory, at least in part. */
export function containsPointer(type: ValueType): boolean {
  if (type.kind === "string" || type.kind === "list") return true;
  // The handle of an end, whatever passes through it later.
  if (type.kind === "stream" || type.kind === "future") return false;
  return partsOf(type).some(containsPointer);
}

/** Whether a value of it may lend something for a call. */
export function containsBorrow(type: ValueType): boolean {
  return type.kind === "borrow" || partsOf(type).some(containsBorrow);
}

/** Whether a value of it is a handle of a resource, or has one. */
export function containsResource(type: ValueType): boolean {
  return type.kind === "own" || type.kind === "borrow" || partsOf(type).some(containsResource);
}

/** As the decoder counts: one for each type, field, case and name. */
export function countNodes(type: ValueType): number {
  return partsOf(type).reduce((sum, part) => sum + countNodes(part) + 1, 1 + nameCount(type));
}

function nameCount(type: ValueType): number {
  if (type.kind === "enum" || type.kind === "flags") return type.names.length;
  return type.kind === "variant" ? type.cases.length : 0;
}
