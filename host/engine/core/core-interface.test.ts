import fc from "fast-check";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { decodeComponent } from "../component/decode.ts";
import { ComponentError } from "../engine.ts";
import { assemble } from "../testing/assemble.ts";
import { testLimits } from "../testing/limits.ts";
import { mutations } from "../testing/mutations.ts";
import { buildStoreGuest } from "../testing/store-guest.ts";
import { readCoreInterface } from "./core-interface.ts";
import type { CoreInterface } from "./core-interface.ts";

// `FUZZ_CASES=1000000` is the full size of what is random.
const CASES = Number(process.env["FUZZ_CASES"] ?? 2000);
const SEED = 20_261_122;

async function moduleOf(fields: string): Promise<Uint8Array> {
  const bytes = await assemble(`(component (core module ${fields}))`);
  const [module] = decodeComponent(bytes, testLimits).modules;
  if (module === undefined) throw new Error("there is no module");
  return module;
}

const EVERYTHING = `
  (type $pair (func (param i32 f64) (result i64)))
  (rec (type $a (func (param (ref null $b)))) (type $b (struct)))
  (import "m" "f" (func $f (type $pair)))
  (import "m" "g" (global $g (mut f32)))
  (import "n" "memory" (memory 1 2))
  (import "n" "table" (table 1 externref))
  (import "n" "tag" (tag $tag (param i32)))
  (func $own (param v128))
  (func $rec (type $a))
  (table $t 2 3 funcref)
  (memory $wide i64 4)
  (global $c i64 (i64.add (i64.const 1) (i64.const 2)))
  (global $r (ref func) (ref.func $own))
  (export "f" (func $f)) (export "own" (func $own)) (export "rec" (func $rec)) (export "t" (table $t))
  (export "wide" (memory $wide)) (export "c" (global $c)) (export "r" (global $r)) (export "tag" (tag $tag))`;

test("imports and exports have the types of their definitions, imported ones first", async () => {
  const { imports, exports } = readCoreInterface(await moduleOf(EVERYTHING));
  const pair = { params: ["i32", "f64"], results: ["i64"], isPlain: true };
  expect(imports.map(({ module, name, item }) => [module, name, item])).toMatchObject([
    ["m", "f", { sort: "core func", type: pair }],
    ["m", "g", { sort: "core global", type: { value: "f32", isMutable: true } }],
    ["n", "memory", { sort: "core memory", type: { initialPages: 1, maximumPages: 2 } }],
    ["n", "table", { sort: "core table", type: { element: "externref", initial: 1 } }],
    ["n", "tag", { sort: "core tag", type: { params: ["i32"] } }],
  ]);
  expect(Object.fromEntries(exports)).toMatchObject({
    f: { type: pair },
    own: { type: { params: ["v128"], results: [], isPlain: true } },
    rec: { type: { params: ["(ref $n)"], isPlain: false } },
    t: { type: { element: "funcref", initial: 2, maximum: 3 } },
    wide: { type: { is64: true, initialPages: 4, maximumPages: undefined } },
    c: { type: { value: "i64", isMutable: false } },
    r: { type: { value: "(ref funcref)" } },
    tag: { sort: "core tag", type: { params: ["i32"] } },
  });
});

const KINDS = {
  "core func": "function",
  "core table": "table",
  "core memory": "memory",
  "core global": "global",
  "core tag": "tag",
};

describe("names and kinds are those that V8 finds", () => {
  test("in the modules of a TypeScript guest", async () => {
    const { modules } = decodeComponent(await buildStoreGuest("async"), testLimits);
    expect(modules.length).toBeGreaterThan(3);
    for (const bytes of modules) expect(listed(readCoreInterface(bytes))).toEqual(asV8(bytes));
  });

  test("in a module with one of each kind", async () => {
    const bytes = await moduleOf(EVERYTHING);
    expect(listed(readCoreInterface(bytes))).toEqual(asV8(bytes));
  });
});

function listed({ imports, exports }: CoreInterface): unknown {
  return {
    imports: imports.map(({ module, name, item }) => ({ module, name, kind: KINDS[item.sort] })),
    exports: Array.from(exports, ([name, { sort }]) => ({ name, kind: KINDS[sort] })),
  };
}

function asV8(bytes: Uint8Array): unknown {
  const module = new WebAssembly.Module(bytes);
  return {
    imports: WebAssembly.Module.imports(module).map(({ module: from, name, kind }) => ({
      module: from,
      name,
      kind,
    })),
    exports: WebAssembly.Module.exports(module).map(({ name, kind }) => ({ name, kind })),
  };
}

test("a module that is changed at random has an interface, the one that V8 finds, or is refused", async () => {
  const module = await moduleOf(EVERYTHING);
  let read = 0;
  fc.assert(
    fc.property(mutations, (mutate) => {
      const bytes = mutate(module);
      const found = readOrRefused(bytes);
      const isRead = found !== undefined && WebAssembly.validate(bytes);
      if (isRead) read += 1;
      return !isRead || isDeepStrictEqual(listed(found), asV8(bytes));
    }),
    { numRuns: CASES, seed: SEED },
  );
  expect(read).toBeGreaterThan(0);
});

function readOrRefused(bytes: Uint8Array): CoreInterface | undefined {
  try {
    return readCoreInterface(bytes);
  } catch (error) {
    if (error instanceof ComponentError) return undefined;
    throw error;
  }
}
