// How the values of a whole function cross: flat, or through memory where they are too many.

import type { ComponentValue, FuncType, ValueType } from "../component/types.ts";
import type { CoreValue, GuestContext } from "./guest-context.ts";
import {
  FLAT_ASYNC_PARAMS_MAX,
  FLAT_PARAMS_MAX,
  FLAT_RESULTS_MAX,
  layoutOf,
  sequenceLayout,
  unreachable,
} from "./layout.ts";
import type { CoreType } from "./layout.ts";
import { compileLiftFlat } from "./lift-flat.ts";
import { compileLoad, compileLoadTuple } from "./load-value.ts";
import { compileLowerFlat } from "./lower-flat.ts";
import { compileSave, compileSaveTuple } from "./save-value.ts";
import type { StringEncoding } from "./strings.ts";

export interface CoreSignature {
  readonly params: readonly CoreType[];
  readonly results: readonly CoreType[];
}

export type CanonKind = "lift" | "lift-callback" | "lower" | "lower-async";

/** The core function type of a component function: what the guest exports (lift) or imports (lower). */
export function coreSignature(type: FuncType, kind: CanonKind): CoreSignature {
  const flat = sequenceLayout(type.params.map((param) => param.type)).flat;
  const max = kind === "lower-async" ? FLAT_ASYNC_PARAMS_MAX : FLAT_PARAMS_MAX;
  const params: CoreType[] = flat.length > max ? ["i32"] : [...flat];
  const results = type.result === null ? [] : layoutOf(type.result).flat;
  switch (kind) {
    case "lift":
      return { params, results: results.length > FLAT_RESULTS_MAX ? ["i32"] : results };
    case "lift-callback":
      return { params, results: ["i32"] };
    case "lower":
      if (results.length <= FLAT_RESULTS_MAX) return { params, results };
      return { params: [...params, "i32"], results: [] };
    case "lower-async":
      return { params: results.length > 0 ? [...params, "i32"] : params, results: ["i32"] };
    default:
      return unreachable(kind);
  }
}

export interface Sequence {
  /** How many core values the sequence takes: its flat length, or 1 for an address. */
  readonly coreLength: number;
  readonly lift: (cx: GuestContext, flat: readonly CoreValue[]) => ComponentValue[];
  /** Allocates where the values do not fit flat. */
  readonly lower: (cx: GuestContext, values: readonly ComponentValue[]) => CoreValue[];
}

/** Parameters: at most `flatMax` core values, or one address of a tuple in memory. */
export function compileSequence(
  types: readonly ValueType[],
  encoding: StringEncoding,
  flatMax: number,
): Sequence {
  const { alignment, byteLength, flat: flatTypes } = sequenceLayout(types);
  if (flatTypes.length > flatMax) {
    const load = compileLoadTuple(types, encoding);
    const save = compileSaveTuple(types, encoding);
    return {
      coreLength: 1,
      lift: (cx, flat) => {
        const ptr = Number(flat[0]) >>> 0;
        cx.checkRange(ptr, alignment, byteLength, "the block of parameters");
        return load(cx, ptr);
      },
      lower: (cx, values) => {
        const ptr = cx.allocate(alignment, byteLength);
        save(cx, ptr, values);
        return [ptr];
      },
    };
  }
  let next = 0;
  const parts = types.map((type) => {
    const start = next;
    next += layoutOf(type).flat.length;
    return {
      start,
      lift: compileLiftFlat(type, encoding),
      lower: compileLowerFlat(type, encoding),
    };
  });
  return {
    coreLength: flatTypes.length,
    lift: (cx, flat) => parts.map(({ start, lift }) => lift(cx, flat, start)),
    lower: (cx, values) => {
      const flat: CoreValue[] = [];
      let at = 0;
      for (const { lower } of parts) {
        lower(cx, values[at], flat);
        at += 1;
      }
      return flat;
    },
  };
}

export interface LiftedResult {
  /** From what the core function returned: the value itself, or the address of it. */
  readonly lift: (cx: GuestContext, returned: CoreValue | void) => ComponentValue;
}

export function compileLiftedResult(
  result: ValueType | null,
  encoding: StringEncoding,
): LiftedResult {
  if (result === null) return { lift: () => undefined };
  const { alignment, byteLength, flat } = layoutOf(result);
  if (flat.length <= FLAT_RESULTS_MAX) {
    const lift = compileLiftFlat(result, encoding);
    return { lift: (cx, returned) => lift(cx, [returned ?? 0], 0) };
  }
  const load = compileLoad(result, encoding);
  return {
    lift: (cx, returned) => {
      const ptr = Number(returned ?? 0) >>> 0;
      cx.checkRange(ptr, alignment, byteLength, "the result");
      return load(cx, ptr);
    },
  };
}

export interface LoweredResult {
  /** Whether the guest passes the address where the result goes. */
  readonly takesAddress: boolean;
  readonly lower: (
    cx: GuestContext,
    value: ComponentValue,
    address: CoreValue | undefined,
  ) => CoreValue | void;
}

export function compileLoweredResult(
  result: ValueType | null,
  encoding: StringEncoding,
  flatMax: number,
): LoweredResult {
  if (result === null) return { takesAddress: false, lower: () => {} };
  const { alignment, byteLength, flat: flatTypes } = layoutOf(result);
  if (flatTypes.length <= flatMax) {
    const lower = compileLowerFlat(result, encoding);
    return {
      takesAddress: false,
      lower: (cx, value) => {
        const flat: CoreValue[] = [];
        lower(cx, value, flat);
        return flat[0];
      },
    };
  }
  const save = compileSave(result, encoding);
  return {
    takesAddress: true,
    lower: (cx, value, address) => {
      const ptr = Number(address) >>> 0;
      cx.checkRange(ptr, alignment, byteLength, "the place for the result");
      save(cx, ptr, value);
    },
  };
}
