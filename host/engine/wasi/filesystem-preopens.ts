import { func, list, own, string, tuple } from "../component/wit-types.ts";
import { WASI_RESOURCES, WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";

const implementation = { functions: { "get-directories": () => [] } };

/** No directory at all: a guest never gets a descriptor, so it has no file system to ask. */
export const filesystemPreopens: OfferedInterface = {
  declaration: {
    name: "wasi:filesystem/preopens",
    version: WASI_VERSION,
    resources: {},
    functions: {
      "get-directories": {
        type: func({}, list(tuple(own(WASI_RESOURCES.descriptor), string))),
        suspends: false,
      },
    },
  },
  implement: () => implementation,
};
