import { func, own } from "../component/wit-types.ts";
import { OutputStream } from "./io-streams.ts";
import { LineWriter } from "./line-writer.ts";
import { WASI_RESOURCES, WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";

export const cliStderr: OfferedInterface = {
  declaration: {
    name: "wasi:cli/stderr",
    version: WASI_VERSION,
    resources: {},
    functions: {
      "get-stderr": { type: func({}, own(WASI_RESOURCES.outputStream)), suspends: false },
    },
  },
  implement: ({ stderr, lineBytesMax, onWriter }) => {
    let writer: LineWriter | undefined;
    const open = (): LineWriter => {
      const opened = new LineWriter(stderr, lineBytesMax);
      onWriter(opened);
      return opened;
    };
    // One for all of a guest's handles: a line may begin through one and end through another.
    return { functions: { "get-stderr": () => new OutputStream((writer ??= open())) } };
  },
};
