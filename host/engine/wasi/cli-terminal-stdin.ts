import { func, option, own } from "../component/wit-types.ts";
import { WASI_RESOURCES, WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";

const implementation = { functions: { "get-terminal-stdin": () => undefined } };

/** Says that stdin is no terminal. */
export const cliTerminalStdin: OfferedInterface = {
  declaration: {
    name: "wasi:cli/terminal-stdin",
    version: WASI_VERSION,
    resources: {},
    functions: {
      "get-terminal-stdin": {
        type: func({}, option(own(WASI_RESOURCES.terminalInput))),
        suspends: false,
      },
    },
  },
  implement: () => implementation,
};
