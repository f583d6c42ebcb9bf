import type { InterfaceDeclaration } from "../engine/engine.ts";
import { enumeration, func, string } from "../engine/component/wit-types.ts";

/** `wit/log.wit`. */
export const logInterface: InterfaceDeclaration = {
  name: "downpour:faas/log",
  version: "0.1.0",
  resources: {},
  functions: {
    write: {
      type: func({
        level: enumeration("trace", "debug", "info", "warn", "error"),
        message: string,
      }),
      suspends: false,
    },
  },
};
