import type { Budget } from "./budget.ts";
import type { SizedFunc, SizedValue } from "./entity.ts";
import type { Case, Field, FuncType, ValueType } from "./types.ts";

// Whether two types are the same by structure: names and order count, and resources by identity.

export function isSameFunc(a: SizedFunc, b: SizedFunc, budget: Budget): boolean {
  budget.spendTypeWalk(Math.min(a.nodes, b.nodes));
  return isSameFuncType(a.type, b.type);
}

export function isSameValue(
  a: Pick<SizedValue, "type" | "nodes">,
  b: Pick<SizedValue, "type" | "nodes">,
  budget: Budget,
): boolean {
  budget.spendTypeWalk(Math.min(a.nodes, b.nodes));
  return isSameValueType(a.type, b.type);
}

function isSameFuncType(a: FuncType, b: FuncType): boolean {
  return (
    a === b ||
    (a.async === b.async && isSameFields(a.params, b.params) && isSameOptional(a.result, b.result))
  );
}

function isSameValueType(a: ValueType, b: ValueType): boolean {
  if (a === b) return true;
  switch (a.kind) {
    case "list":
      return b.kind === "list" && isSameValueType(a.element, b.element);
    case "record":
      return b.kind === "record" && isSameFields(a.fields, b.fields);
    case "tuple":
      return b.kind === "tuple" && isSameList(a.types, b.types, (x, y) => isSameValueType(x, y));
    case "variant":
      return b.kind === "variant" && isSameList(a.cases, b.cases, isSameCase);
    case "enum":
    case "flags":
      return b.kind === a.kind && isSameList(a.names, b.names, (x, y) => x === y);
    case "option":
      return b.kind === "option" && isSameValueType(a.type, b.type);
    case "result":
      return b.kind === "result" && isSameOptional(a.ok, b.ok) && isSameOptional(a.err, b.err);
    case "own":
    case "borrow":
      return b.kind === a.kind && a.resource === b.resource;
    case "stream":
    case "future":
      return b.kind === a.kind && isSameOptional(a.element, b.element);
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
      return a.kind === b.kind;
    default:
      return a satisfies never;
  }
}

function isSameFields(a: readonly Field[], b: readonly Field[]): boolean {
  return isSameList(a, b, (x, y) => x.name === y.name && isSameValueType(x.type, y.type));
}

function isSameCase(a: Case, b: Case): boolean {
  return a.name === b.name && isSameOptional(a.type, b.type);
}

function isSameOptional(a: ValueType | null, b: ValueType | null): boolean {
  if (a === null || b === null) return a === b;
  return isSameValueType(a, b);
}

function isSameList<T>(a: readonly T[], b: readonly T[], isSame: (x: T, y: T) => boolean): boolean {
  if (a.length !== b.length) return false;
  for (const [i, x] of a.entries()) {
    const y = b[i];
    if (y === undefined || !isSame(x, y)) return false;
  }
  return true;
}
