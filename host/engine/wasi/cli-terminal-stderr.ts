import { func, option, own } from "../component/wit-types.ts";
import { WASI_RESOURCES, WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";

const implementation = { functions: { "get-terminal-stderr": () => undefined } };

/** Says that stderr is no terminal. */
export const cliTerminalStderr: OfferedInterface = {
  declaration: {
    name: "wasi:cli/terminal-stderr",
    version: WASI_VERSION,
    resources: {},
    functions: {
      "get-terminal-stderr": {
        type: func({}, option(own(WASI_RESOURCES.terminalOutput))),
        suspends: false,
      },
    },
  },
  implement: () => implementation,
};
