import type { FunctionDeclaration } from "../engine.ts";
import type { FuncType, ResourceId, ValueType } from "./types.ts";

// Short constructors for component types, so that a declaration reads like its WIT.

export const bool: ValueType = { kind: "bool" };
export const u8: ValueType = { kind: "u8" };
export const u32: ValueType = { kind: "u32" };
export const u64: ValueType = { kind: "u64" };
export const s64: ValueType = { kind: "s64" };
export const string: ValueType = { kind: "string" };
export const bytes: ValueType = { kind: "list", element: { kind: "u8" } };

export function list(element: ValueType): ValueType {
  return { kind: "list", element };
}

export function option(type: ValueType): ValueType {
  return { kind: "option", type };
}

export function tuple(...types: readonly ValueType[]): ValueType {
  return { kind: "tuple", types };
}

export function result(ok: ValueType | null, err: ValueType | null): ValueType {
  return { kind: "result", ok, err };
}

export function enumeration(...names: readonly string[]): ValueType {
  return { kind: "enum", names };
}

export function flags(...names: readonly string[]): ValueType {
  return { kind: "flags", names };
}

export function record(fields: Readonly<Record<string, ValueType>>): ValueType {
  return {
    kind: "record",
    fields: Object.entries(fields).map(([name, type]) => ({ name, type })),
  };
}

export function variant(cases: Readonly<Record<string, ValueType | null>>): ValueType {
  return {
    kind: "variant",
    cases: Object.entries(cases).map(([name, type]) => ({ name, type })),
  };
}

export function own(resource: ResourceId): ValueType {
  return { kind: "own", resource };
}

export function borrow(resource: ResourceId): ValueType {
  return { kind: "borrow", resource };
}

export function func(
  params: Readonly<Record<string, ValueType>>,
  resultType: ValueType | null = null,
  options: { readonly async?: boolean } = {},
): FuncType {
  return {
    async: options.async ?? false,
    params: Object.entries(params).map(([name, type]) => ({ name, type })),
    result: resultType,
  };
}

/** The methods of a resource, as an interface declares them: the receiver is the first parameter. */
export function methods(
  resourceName: string,
  resource: ResourceId,
  declared: Readonly<Record<string, FunctionDeclaration>>,
): Readonly<Record<string, FunctionDeclaration>> {
  const self = { name: "self", type: borrow(resource) };
  return Object.fromEntries(
    Object.entries(declared).map(([name, { type, suspends }]) => [
      `[method]${resourceName}.${name}`,
      { type: { ...type, params: [self, ...type.params] }, suspends },
    ]),
  );
}
