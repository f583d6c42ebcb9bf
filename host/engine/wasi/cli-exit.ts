import { trap } from "../canonical/trap.ts";
import { func, result, u8 } from "../component/wit-types.ts";
import { WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";

const functions = {
  exit: (status: { readonly tag: "ok" | "err" }): never => exitWith(status.tag === "ok" ? 0 : 1),
  "exit-with-code": (code: number): never => exitWith(code),
};

/** A function has no process to end: what ends is its call, and with it the instance. */
function exitWith(code: number): never {
  return trap(`the guest exited with code ${code}`);
}

const implementation = { functions };

export const cliExit: OfferedInterface = {
  declaration: {
    name: "wasi:cli/exit",
    version: WASI_VERSION,
    resources: {},
    functions: {
      exit: { type: func({ status: result(null, null) }), suspends: false },
      "exit-with-code": { type: func({ "status-code": u8 }), suspends: false },
    },
  },
  implement: () => implementation,
};
