import { bytes, func, u64 } from "../component/wit-types.ts";
import { WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";
import { randomBytes, randomU64 } from "./secure-random.ts";

const implementation = {
  functions: { "get-insecure-random-bytes": randomBytes, "get-insecure-random-u64": randomU64 },
};

export const randomInsecure: OfferedInterface = {
  declaration: {
    name: "wasi:random/insecure",
    version: WASI_VERSION,
    resources: {},
    functions: {
      "get-insecure-random-bytes": { type: func({ len: u64 }, bytes), suspends: false },
      "get-insecure-random-u64": { type: func({}, u64), suspends: false },
    },
  },
  implement: () => implementation,
};
