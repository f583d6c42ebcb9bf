import { func, own } from "../component/wit-types.ts";
import { InputStream } from "./io-streams.ts";
import { WASI_RESOURCES, WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";

const implementation = { functions: { "get-stdin": () => new InputStream() } };

/** A function has no standard input: the stream is at its end. */
export const cliStdin: OfferedInterface = {
  declaration: {
    name: "wasi:cli/stdin",
    version: WASI_VERSION,
    resources: {},
    functions: {
      "get-stdin": { type: func({}, own(WASI_RESOURCES.inputStream)), suspends: false },
    },
  },
  implement: () => implementation,
};
