import { bytes, func, option, string } from "../component/wit-types.ts";
import type { Links, World } from "../engine.ts";
import { createWasiLinks, wasiDeclarations } from "../wasi/index.ts";
import { buildGuest } from "./build-guest.ts";

// A TypeScript-like guest on QuickJS with a store to get from and put into, as synchronous and as
// asynchronous component: what the engine is for, without the rest of the host.

export const storeWit = `package test:guest@0.1.0;
interface store {
  get: func(key: string) -> option<list<u8>>;
  put: func(key: string, value: list<u8>);
}
world guest {
  import store;
  export describe: func() -> string;
  export handle: async func(input: list<u8>) -> list<u8>;
}
world guest-sync {
  import store;
  export describe: func() -> string;
  export handle: func(input: list<u8>) -> list<u8>;
}`;

export const storeWorld: World = {
  imports: [
    {
      name: "test:guest/store",
      version: "0.1.0",
      resources: {},
      functions: {
        get: { type: func({ key: string }, option(bytes)), suspends: true },
        put: { type: func({ key: string, value: bytes }), suspends: false },
      },
    },
    ...wasiDeclarations,
  ],
  exports: {
    describe: [func({}, string)],
    handle: [func({ input: bytes }, bytes, { async: true }), func({ input: bytes }, bytes)],
  },
};

/** One get and one put: counts in the first byte of `n`, and answers what was there before. */
const COUNT = `const value = get("n"); put("n", new Uint8Array([((value ? value[0] : 0) + 1) & 255]));
  return new Uint8Array([7, value ? value[0] : 0]);`;

/** `body` is that of \`handle(input)\`, with \`get\` and \`put\` in scope. */
export async function buildStoreGuest(kind: "sync" | "async", body = COUNT): Promise<Uint8Array> {
  const source = `import store from "test:guest/store@0.1.0";
    const { get, put } = store;
    let calls = 0;
    export function describe() { return JSON.stringify({ calls }); }
    export ${kind === "async" ? "async " : ""}function handle(input) { calls += 1; ${body} }`;
  return await buildGuest({
    source,
    wit: storeWit,
    world: kind === "sync" ? "guest-sync" : "guest",
    sync: kind === "sync",
  });
}

export interface StoreHost {
  readonly get?: (key: string) => Uint8Array | undefined | Promise<Uint8Array | undefined>;
  readonly put?: (key: string, value: Uint8Array) => void;
  readonly stderr?: (line: string) => void;
}

/** Links of one instance; without functions of its own, to a store of its own. */
export function storeLinks(host: StoreHost = {}): Links {
  const store = new Map<string, Uint8Array>();
  const wasi = createWasiLinks({
    environment: {},
    stdout: () => {},
    stderr: host.stderr ?? (() => {}),
  });
  return {
    ...wasi,
    "test:guest/store": {
      functions: {
        get: host.get ?? ((key: string) => store.get(key)),
        put: host.put ?? ((key: string, value: Uint8Array) => void store.set(key, value)),
      },
    },
  };
}
