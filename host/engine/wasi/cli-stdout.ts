import { func, own } from "../component/wit-types.ts";
import { OutputStream } from "./io-streams.ts";
import { LineWriter } from "./line-writer.ts";
import { WASI_RESOURCES, WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";

export const cliStdout: OfferedInterface = {
  declaration: {
    name: "wasi:cli/stdout",
    version: WASI_VERSION,
    resources: {},
    functions: {
      "get-stdout": { type: func({}, own(WASI_RESOURCES.outputStream)), suspends: false },
    },
  },
  implement: ({ stdout, lineBytesMax }) => ({
    functions: {
      "get-stdout": () => new OutputStream(new LineWriter(stdout, lineBytesMax)),
    },
  }),
};
