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
  implement: ({ stdout, lineBytesMax, onWriter }) => {
    let writer: LineWriter | undefined;
    const open = (): LineWriter => {
      const opened = new LineWriter(stdout, lineBytesMax);
      onWriter(opened);
      return opened;
    };
    // One for all of a guest's handles: a line may begin through one and end through another.
    return { functions: { "get-stdout": () => new OutputStream((writer ??= open())) } };
  },
};
