// How variants, options, results, enums and flags look in JavaScript (the table in `types.ts`).

import type { ComponentValue, ValueType } from "../component/types.ts";
import type { VariantLike } from "./layout.ts";
import { unreachable } from "./layout.ts";
import { memberNames } from "./member-names.ts";
import { requireBoolean, requireObject } from "./scalars.ts";

/** A sum type's values, by the index of their case. */
export interface CaseShape {
  readonly indexOf: (value: ComponentValue) => number;
  readonly payloadOf: (value: ComponentValue) => ComponentValue;
  readonly wrap: (index: number, payload: ComponentValue) => ComponentValue;
}

export function caseShape(type: VariantLike): CaseShape {
  switch (type.kind) {
    case "variant":
      return taggedShape(
        type.cases.map((case_) => case_.name),
        type.cases.map((case_) => case_.type !== null),
      );
    case "result":
      return taggedShape(["ok", "err"], [type.ok !== null, type.err !== null]);
    case "option":
      // `undefined` cannot say which of two nested options is empty.
      return type.type.kind === "option"
        ? taggedShape(["none", "some"], [false, true])
        : PLAIN_OPTION;
    default:
      return unreachable(type);
  }
}

const PLAIN_OPTION: CaseShape = {
  indexOf: (value) => (value === undefined ? 0 : 1),
  payloadOf: (value) => value,
  wrap: (_index, payload) => payload,
};

function taggedShape(tags: readonly string[], hasPayload: readonly boolean[]): CaseShape {
  const indexOfTag = indexByName(tags);
  return {
    indexOf: (value) => indexOfTag(requireObject(value)["tag"]),
    payloadOf: (value) => requireObject(value)["val"],
    wrap: (index, payload) =>
      hasPayload[index] === true ? { tag: tags[index], val: payload } : { tag: tags[index] },
  };
}

/** The index of a case or enum name; a name that the type has not is a bug of the host. */
export function indexByName(names: readonly string[]): (name: unknown) => number {
  const indices = new Map<unknown, number>(names.map((name, index) => [name, index]));
  return (name) => {
    const index = indices.get(name);
    if (index !== undefined) return index;
    throw new TypeError(
      `${typeof name === "string" ? `"${name}"` : typeof name} is no case of the type`,
    );
  };
}

export interface FlagsShape {
  readonly toBits: (value: ComponentValue) => number;
  readonly fromBits: (bits: number) => ComponentValue;
}

export function flagsShape(type: Extract<ValueType, { kind: "flags" }>): FlagsShape {
  const keys = memberNames(type.names);
  return {
    toBits: (value) => {
      const flags = requireObject(value);
      let bits = 0;
      for (const [at, key] of keys.entries()) {
        const flag = flags[key];
        if (flag !== undefined && requireBoolean(flag)) bits |= 1 << at;
      }
      return bits >>> 0;
    },
    // Bits above the last flag mean nothing, and are dropped.
    fromBits: (bits) => {
      const flags: Record<string, boolean> = {};
      for (const [at, key] of keys.entries()) flags[key] = (bits & (1 << at)) !== 0;
      return flags;
    },
  };
}
