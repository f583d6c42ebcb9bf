import type { InterfaceDeclaration, World } from "../engine/engine.ts";
import { contextInterface } from "./context.ts";
import { logInterface } from "./log.ts";
import { stateInterface } from "./state.ts";
import {
  bytes,
  func,
  option,
  record,
  result,
  string,
  variant,
} from "../engine/component/wit-types.ts";

const payload = record({ "media-type": string, body: bytes });
const failure = variant({
  "unknown-function": string,
  "invalid-input": string,
  "function-error": record({ code: string, message: string, details: option(payload) }),
  "uncaught-exception": record({ name: string, message: string, stack: string }),
  "unserializable-result": string,
});
const handle = { function: string, input: payload };
const handled = result(payload, failure);
const handleJson = { function: string, input: string };
const handledJson = result(string, variant({ other: payload, failure }));

/** `wit/types.wit`: only types, so there is nothing to link. */
const typesInterface: InterfaceDeclaration = {
  name: "downpour:faas/types",
  version: "0.1.0",
  resources: {},
  functions: {},
};

/**
 * The worlds of `wit/function.wit`, as the host checks a component against them: what of ours it may
 * import beside the given WASI interfaces, and what it must export. A test compares this with `wit/`.
 */
export function functionWorld(wasi: readonly InterfaceDeclaration[]): World {
  return {
    imports: [typesInterface, stateInterface, logInterface, contextInterface, ...wasi],
    exports: {
      describe: [func({}, string)],
      handle: [func(handle, handled, { async: true }), func(handle, handled)],
    },
    optionalExports: { "handle-json": [func(handleJson, handledJson, { async: true })] },
  };
}
