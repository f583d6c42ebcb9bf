import { WASI_RESOURCES, WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";

const implementation = { functions: {} };

/** Only the type: no guest ever gets a terminal. */
export const cliTerminalOutput: OfferedInterface = {
  declaration: {
    name: "wasi:cli/terminal-output",
    version: WASI_VERSION,
    resources: { "terminal-output": WASI_RESOURCES.terminalOutput },
    functions: {},
  },
  implement: () => implementation,
};
