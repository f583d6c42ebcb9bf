import { WASI_RESOURCES, WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";

const implementation = { functions: {} };

/** Only the type: no guest ever gets a terminal. */
export const cliTerminalInput: OfferedInterface = {
  declaration: {
    name: "wasi:cli/terminal-input",
    version: WASI_VERSION,
    resources: { "terminal-input": WASI_RESOURCES.terminalInput },
    functions: {},
  },
  implement: () => implementation,
};
