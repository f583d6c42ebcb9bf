import { func, methods, string } from "../component/wit-types.ts";
import { WASI_RESOURCES, WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";

/** Why a stream failed. No stream of this host fails: it is here because the types name it. */
class IoError {
  readonly #message: string;

  constructor(message: string) {
    this.#message = message;
  }

  toDebugString(): string {
    return this.#message;
  }
}

const functions = {
  "[method]error.to-debug-string": (error: IoError): string => error.toDebugString(),
};

export const ioError: OfferedInterface = {
  declaration: {
    name: "wasi:io/error",
    version: WASI_VERSION,
    resources: { error: WASI_RESOURCES.error },
    functions: methods("error", WASI_RESOURCES.error, {
      "to-debug-string": { type: func({}, string), suspends: false },
    }),
  },
  implement: () => implementation,
};

const implementation = { functions };
