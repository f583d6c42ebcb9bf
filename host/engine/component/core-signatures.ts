import { FLAT_PARAMS_MAX, layoutOf } from "../canonical/layout.ts";
import { coreSignature } from "../canonical/signature.ts";
import type { CoreSignature } from "../canonical/signature.ts";
import type { CanonSyntax, EndKind } from "./syntax.ts";
import type { FuncType, ValueType } from "./types.ts";

// The core types of what the canonical ABI asks of a guest's functions, and of those that the engine makes. They follow
// from the definition alone: a guest is linked with functions of exactly these types.

export const REALLOC: CoreSignature = signature(4, ["i32"]);
export const CALLBACK: CoreSignature = signature(3, ["i32"]);
export const DESTRUCTOR: CoreSignature = signature(1);

/** Of the function that is lifted. */
export function liftedSignature(
  type: FuncType,
  { async, callback }: { readonly async: boolean; readonly callback: number | null },
): CoreSignature {
  if (!async) return coreSignature(type, "lift");
  const { params, results } = coreSignature(type, "lift-callback");
  return { params, results: callback === null ? [] : results };
}

export function loweredSignature(type: FuncType, isAsync: boolean): CoreSignature {
  return coreSignature(type, isAsync ? "lower-async" : "lower");
}

/** It is given what the lifted function returned. */
export function postReturnSignature(lifted: CoreSignature): CoreSignature {
  return { params: lifted.results, results: [] };
}

export function taskReturnSignature(result: ValueType | null): CoreSignature {
  const flat = result === null ? [] : layoutOf(result).flat;
  return { params: flat.length > FLAT_PARAMS_MAX ? ["i32"] : flat, results: [] };
}

export function builtinSignature({
  kind,
  end,
}: {
  readonly kind: Exclude<CanonSyntax["kind"], "lift" | "lower" | "task-return">;
  /** Of the built-ins of streams and futures. */
  readonly end?: EndKind;
}): CoreSignature {
  switch (kind) {
    case "resource-new":
    case "resource-rep":
    case "subtask-cancel":
    case "end-cancel":
      return signature(1, ["i32"]);
    case "resource-drop":
    case "context-set":
    case "end-drop":
    case "waitable-set-drop":
    case "subtask-drop":
    case "backpressure-set":
      return signature(1);
    case "context-get":
    case "thread-yield":
    case "waitable-set-new":
      return signature(0, ["i32"]);
    case "waitable-set-wait":
    case "waitable-set-poll":
      return signature(2, ["i32"]);
    case "waitable-join":
      return signature(2);
    case "end-new":
      return signature(0, ["i64"]);
    case "end-copy":
      // How many elements is said of streams only.
      return signature(end === "stream" ? 3 : 2, ["i32"]);
    case "task-cancel":
    case "backpressure-inc":
    case "backpressure-dec":
      return signature(0);
    default:
      return kind satisfies never;
  }
}

function signature(params: number, results: CoreSignature["results"] = []): CoreSignature {
  return { params: Array.from({ length: params }, () => "i32" as const), results };
}
