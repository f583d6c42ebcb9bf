import type { CoreItemType } from "./core-interface.ts";
import { NUMBERED_REFERENCE } from "./core-module.ts";
import type { CoreValueType, FunctionType, GlobalType, MemoryType } from "./core-module.ts";

// Whether the export of one core module may be given where another one imports it.
//
// X1. Where two types could be equal, and their bytes alone do not tell, they count as equal: V8 compares them
//     again when it links.

/** How what is given differs from what is imported; undefined where it fits. */
export function coreMismatch(imported: CoreItemType, given: CoreItemType): string | undefined {
  if (fits(imported, given)) return undefined;
  return `is ${describeCoreItem(imported)}, and is given ${describeCoreItem(given)}`;
}

function fits(imported: CoreItemType, given: CoreItemType): boolean {
  switch (imported.sort) {
    case "core func":
    case "core tag":
      return given.sort === imported.sort && isSameFunction(imported.type, given.type);
    case "core table": {
      if (given.sort !== "core table") return false;
      const { initial, maximum, element } = imported.type;
      return (
        isSameValue(element, given.type.element) &&
        isWithin({ initial, maximum }, { initial: given.type.initial, maximum: given.type.maximum })
      );
    }
    case "core memory": {
      if (given.sort !== "core memory" || given.type.is64 !== imported.type.is64) return false;
      return isWithin(memoryLimits(imported.type), memoryLimits(given.type));
    }
    case "core global":
      return given.sort === "core global" && isSameGlobal(imported.type, given.type);
    default:
      return imported satisfies never;
  }
}

interface Limits {
  readonly initial: number;
  readonly maximum: number | undefined;
}

function memoryLimits({ initialPages, maximumPages }: MemoryType): Limits {
  return { initial: initialPages, maximum: maximumPages };
}

function isWithin(asked: Limits, given: Limits): boolean {
  if (given.initial < asked.initial) return false;
  return asked.maximum === undefined || (given.maximum ?? Infinity) <= asked.maximum;
}

function isSameFunction(a: FunctionType, b: FunctionType): boolean {
  return !a.isPlain || !b.isPlain || hasSignature(a, b);
}

/** Whether the parameters and results are the same. */
export function hasSignature(
  a: Pick<FunctionType, "params" | "results">,
  b: Pick<FunctionType, "params" | "results">,
): boolean {
  return isSameList(a.params, b.params) && isSameList(a.results, b.results);
}

function isSameList(a: readonly CoreValueType[], b: readonly CoreValueType[]): boolean {
  return a.length === b.length && a.every((type, i) => isSameValue(type, b[i]));
}

function isSameValue(a: CoreValueType, b: CoreValueType | undefined): boolean {
  if (a === b) return true;
  const isNumbered = a === NUMBERED_REFERENCE || b === NUMBERED_REFERENCE;
  return isNumbered && b !== undefined && !isNumber(a) && !isNumber(b);
}

/** What cannot be changed may be a subtype, which only references have. */
function isSameGlobal(imported: GlobalType, given: GlobalType): boolean {
  if (imported.isMutable !== given.isMutable) return false;
  if (isSameValue(imported.value, given.value)) return true;
  return !imported.isMutable && !isNumber(imported.value) && !isNumber(given.value);
}

const NUMBERS: ReadonlySet<CoreValueType> = new Set(["i32", "i64", "f32", "f64", "v128"]);

function isNumber(type: CoreValueType): boolean {
  return NUMBERS.has(type);
}

const SHOWN_MAX = 20;

export function describeSignature({
  params,
  results,
}: Pick<FunctionType, "params" | "results">): string {
  return `(${listed(params)}) -> (${listed(results)})`;
}

function listed(types: readonly CoreValueType[]): string {
  const rest = types.length > SHOWN_MAX ? [`… ${types.length - SHOWN_MAX} more`] : [];
  return [...types.slice(0, SHOWN_MAX), ...rest].join(", ");
}

function describeCoreItem(item: CoreItemType): string {
  switch (item.sort) {
    case "core func":
      return `a core func ${describeSignature(item.type)}`;
    case "core tag":
      return `a core tag ${describeSignature(item.type)}`;
    case "core table":
      return `a core table of ${item.type.element} ${describeLimits(item.type)}`;
    case "core memory":
      return `a core memory ${item.type.is64 ? "i64 " : ""}${describeLimits(memoryLimits(item.type))}`;
    case "core global":
      return `a core global ${item.type.isMutable ? "mut " : ""}${item.type.value}`;
    default:
      return item satisfies never;
  }
}

function describeLimits({ initial, maximum }: Limits): string {
  return maximum === undefined ? `${initial} or more` : `${initial} to ${maximum}`;
}
