import { func, list, option, string, tuple } from "../component/wit-types.ts";
import { WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";

/** The app's own configuration, never the environment of the host's process. */
export const cliEnvironment: OfferedInterface = {
  declaration: {
    name: "wasi:cli/environment",
    version: WASI_VERSION,
    resources: {},
    functions: {
      "get-environment": { type: func({}, list(tuple(string, string))), suspends: false },
      "get-arguments": { type: func({}, list(string)), suspends: false },
      "initial-cwd": { type: func({}, option(string)), suspends: false },
    },
  },
  implement: ({ environment }) => ({
    functions: {
      "get-environment": () => Object.entries(environment),
      "get-arguments": noArguments,
      "initial-cwd": noDirectory,
    },
  }),
};

function noArguments(): readonly string[] {
  return [];
}

function noDirectory(): undefined {
  return undefined;
}
