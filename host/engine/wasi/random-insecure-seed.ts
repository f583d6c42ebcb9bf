import { func, tuple, u64 } from "../component/wit-types.ts";
import { WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";
import { randomU64 } from "./secure-random.ts";

const implementation = { functions: { "insecure-seed": () => [randomU64(), randomU64()] } };

/** Seeds hash tables: two guests never have the same, though one snapshot may have made both. */
export const randomInsecureSeed: OfferedInterface = {
  declaration: {
    name: "wasi:random/insecure-seed",
    version: WASI_VERSION,
    resources: {},
    functions: { "insecure-seed": { type: func({}, tuple(u64, u64)), suspends: false } },
  },
  implement: () => implementation,
};
