import { Trap } from "../engine.ts";

/**
 * What ended a guest, as the caller sees it. Everything that the guest did to itself becomes a
 * `Trap`; what a host function threw, and what is a bug of ours, stays what it is.
 */
export function toCallError(error: unknown): unknown {
  if (error instanceof Trap) return error;
  if (error instanceof WebAssembly.RuntimeError) return new Trap(error.message, { cause: error });
  if (isStackOverflow(error)) {
    return new Trap("call stack exhausted", { cause: error, reason: "stack-exhausted" });
  }
  if (error instanceof WebAssembly.LinkError) {
    return new Trap("the core modules do not fit together", { cause: error });
  }
  if (error instanceof TypeError) {
    return new Trap("a core function is called with another signature than its own", {
      cause: error,
    });
  }
  if (error instanceof WebAssembly.Exception) {
    return new Trap("an exception left the guest", { cause: error });
  }
  if (error instanceof WebAssembly.SuspendError) {
    return new Trap(
      "the guest waited where it cannot: while it starts, or in a call between components",
      {
        cause: error,
      },
    );
  }
  return error;
}

/** What a host function threw, or what the canonical ABI found wrong with what the guest passed. */
export function toHostError(cause: unknown): unknown {
  return cause instanceof TypeError ? cause : toCallError(cause);
}

/**
 * JavaScript has no class of its own for this one, and memory that cannot be allocated is a
 * `RangeError` too: that one is the host's trouble, and must not look like the guest's.
 */
function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message === "Maximum call stack size exceeded";
}
