import { Trap } from "../engine.ts";
import type { TrapReason } from "../engine.ts";

/** Ends the guest's call, as the specification's `trap()` does. The text is for the author of the guest. */
export function trap(message: string, options: { readonly reason?: TrapReason } = {}): never {
  throw new Trap(message, options);
}

// (module (func (export "trap") unreachable))
const TRAPPING_MODULE = Uint8Array.fromHex(
  "0061736d0100000001040160000003020100070801047472617000000a05010300000b",
);

let trapNow: WebAssembly.ExportValue | undefined;

/**
 * An error that guest code cannot catch. Only a trap that WebAssembly itself raised is such: guests
 * with exception handling catch every error that JavaScript throws, `WebAssembly.RuntimeError` too.
 */
export function uncatchableTrap(): Error {
  const module = new WebAssembly.Module(TRAPPING_MODULE);
  trapNow ??= new WebAssembly.Instance(module).exports["trap"];
  try {
    if (typeof trapNow === "function") trapNow();
  } catch (error) {
    // Also where the stack overflowed first, which is as final, and no worse to throw.
    if (error instanceof Error) return error;
  }
  throw new Error("the trapping module did not trap");
}
