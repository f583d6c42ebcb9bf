import type { InterfaceDeclaration } from "../engine/engine.ts";
import {
  bytes,
  enumeration,
  func,
  list,
  option,
  record,
  result,
  s64,
  string,
  u32,
  variant,
} from "../engine/component/wit-types.ts";

const kind = enumeration("register", "counter");
const durability = enumeration("memory", "async", "durable");
const stateError = variant({
  "invalid-key": string,
  "wrong-kind": kind,
  "value-too-large": u32,
  "counter-overflow": null,
  "too-many-keys": u32,
  unavailable: string,
  "not-text": null,
  "quota-exceeded": string,
});
const keyPage = record({ keys: list(string), next: option(string) });

/** `wit/state.wit`. Reads never leave the thread; writes wait for their durability level. */
export const stateInterface: InterfaceDeclaration = {
  name: "downpour:faas/state",
  version: "0.1.0",
  resources: {},
  functions: {
    get: { type: func({ key: string }, result(option(bytes), stateError)), suspends: false },
    "get-text": {
      type: func({ key: string }, result(option(string), stateError)),
      suspends: false,
    },
    "get-many": {
      type: func({ keys: list(string) }, result(list(option(bytes)), stateError)),
      suspends: false,
    },
    put: {
      type: func({ key: string, value: bytes, level: durability }, result(null, stateError)),
      suspends: true,
    },
    "put-text": {
      type: func({ key: string, value: string, level: durability }, result(null, stateError)),
      suspends: true,
    },
    delete: {
      type: func({ key: string, level: durability }, result(null, stateError)),
      suspends: true,
    },
    "list-keys": {
      type: func(
        { prefix: string, after: option(string), limit: u32 },
        result(keyPage, stateError),
      ),
      suspends: false,
    },
    "counter-value": { type: func({ key: string }, result(s64, stateError)), suspends: false },
    "counter-add": {
      type: func({ key: string, delta: s64, level: durability }, result(s64, stateError)),
      suspends: true,
    },
  },
};
