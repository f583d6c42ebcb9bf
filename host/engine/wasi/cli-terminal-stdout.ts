import { func, option, own } from "../component/wit-types.ts";
import { WASI_RESOURCES, WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";

const implementation = { functions: { "get-terminal-stdout": () => undefined } };

/** Says that stdout is no terminal. */
export const cliTerminalStdout: OfferedInterface = {
  declaration: {
    name: "wasi:cli/terminal-stdout",
    version: WASI_VERSION,
    resources: {},
    functions: {
      "get-terminal-stdout": {
        type: func({}, option(own(WASI_RESOURCES.terminalOutput))),
        suspends: false,
      },
    },
  },
  implement: () => implementation,
};
