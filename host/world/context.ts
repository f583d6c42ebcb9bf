import type { InterfaceDeclaration } from "../engine/engine.ts";
import { func, list, option, record, string, tuple, u64 } from "../engine/component/wit-types.ts";

const invocation = record({
  id: string,
  tenant: string,
  app: string,
  revision: string,
  function: string,
  "deadline-ms": u64,
  "idempotency-key": option(string),
  metadata: list(tuple(string, string)),
});

/** `wit/context.wit`. */
export const contextInterface: InterfaceDeclaration = {
  name: "downpour:faas/context",
  version: "0.1.0",
  resources: {},
  functions: {
    current: { type: func({}, invocation), suspends: false },
  },
};
