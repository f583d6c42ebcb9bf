import { describe, expect, test } from "vitest";
import { assemble } from "../testing/assemble.ts";
import { exposeState } from "./expose-state.ts";

async function expose(fields: string): Promise<{
  readonly module: Uint8Array;
  readonly bytes: Uint8Array;
  readonly globals: readonly string[] | undefined;
}> {
  const module = await assemble(`(module ${fields})`);
  return { module, ...exposeState(module) };
}

function exportsOf(bytes: Uint8Array): string[] {
  return WebAssembly.Module.exports(new WebAssembly.Module(bytes)).map(
    ({ name, kind }) => `${kind} ${name}`,
  );
}

test("memories and mutable globals become exports, and what was one keeps its name", async () => {
  const { bytes, globals } = await expose(`
    (import "a" "g" (global (mut i32)))
    (memory 1)
    (global (mut i32) (i32.const 1))
    (global i32 (i32.const 2))
    (global $named (mut f64) (f64.const 3))
    (global (mut i64) (i64.add (i64.const 4) (i64.const 5)))
    (func $f (global.set 1 (i32.const 9)))
    (export "f" (func $f)) (export "mine" (global $named)) (export "again" (global $named))`);
  expect(globals).toEqual(["downpour.global.1", "mine", "downpour.global.4"]);
  expect(exportsOf(bytes)).toEqual([
    "function f",
    "global mine",
    "global again",
    "memory downpour.memory.0",
    "global downpour.global.1",
    "global downpour.global.4",
  ]);
});

test.each([
  ["nothing behind it", "(memory 1)"],
  ["functions and data behind it", '(memory 1) (func (nop)) (data (i32.const 0) "x")'],
  [
    "elements and a start function behind it",
    "(memory 1) (table 1 funcref) (func $f) (elem (i32.const 0) $f) (start $f)",
  ],
])("a module without exports gets them, with %s", async (_, fields) => {
  const { bytes, globals } = await expose(fields);
  expect(globals).toEqual([]);
  expect(exportsOf(bytes)).toEqual(["memory downpour.memory.0"]);
});

test("a module whose state is reachable already stays as it is", async () => {
  const { module, bytes, globals } = await expose(
    '(memory (export "memory") 1) (global (export "g") (mut i32) (i32.const 0))',
  );
  expect(bytes).toBe(module);
  expect(globals).toEqual(["g"]);
});

test("every instruction that changes only memories and globals is understood", async () => {
  const { globals } = await expose(`
    (type $t (func (param i32) (result i32)))
    (memory 1 2) (memory $other 1) (table $table 2 funcref) (tag $tag (param i32))
    (global $g (mut i32) (i32.const 0)) (data $passive "abc")
    (func $f (type $t) (local i64 f32 f64 v128) (local funcref)
      (block (result i32) (loop (br_if 0 (i32.const 0))) (if (local.get 0) (then (nop)) (else (nop))) (i32.const -5))
      (drop)
      (block (block (block (br_table 0 1 2 (local.get 0)))))
      (drop (select (result i32) (i32.const 1) (i32.const 2) (i32.const 3)))
      (drop (select (i64.const -1) (i64.const 0x7fffffffffffffff) (i32.const 3)))
      (drop (f32.const 1.5)) (drop (f64.const -2.5))
      (drop (call $f (i32.const 1)))
      (drop (call_indirect $table (type $t) (i32.const 1) (i32.const 0)))
      (drop (i32.load8_u offset=70000 align=1 (i32.const 0)))
      (i64.store $other offset=8 (i32.const 0) (i64.const 1))
      (memory.init $passive (i32.const 0) (i32.const 0) (i32.const 1))
      (memory.copy (i32.const 0) (i32.const 8) (i32.const 4))
      (memory.fill (i32.const 0) (i32.const 8) (i32.const 4))
      (drop (memory.grow (memory.size)))
      (drop (table.get $table (i32.const 0))) (drop (table.size $table))
      (drop (i32.trunc_sat_f64_s (f64.const 1)))
      (drop (i32.extend8_s (i32.const 1)))
      (drop (ref.is_null (ref.func $f))) (drop (ref.null func))
      (drop (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (v128.const i64x2 1 2) (v128.const i64x2 1 2)))
      (drop (i32x4.extract_lane 2 (v128.load offset=16 (i32.const 0))))
      (drop (v128.load8_lane offset=300 3 (i32.const 0) (v128.const i64x2 1 2)))
      (drop (v128.load32_zero (i32.const 0)))
      (drop (i32x4.add (v128.const i64x2 1 2) (v128.const i64x2 1 2)))
      (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))) (atomic.fence)
      (block $caught (result i32)
        (try_table (catch $tag $caught) (throw $tag (i32.const 1))) (i32.const 0))
      (drop)
      (global.set $g (local.tee 0 (i32.const 4)))
      (return_call $f (i32.const 1)))
    (elem declare func $f)`);
  expect(globals).toEqual(["downpour.global.0"]);
});

describe("a module stays as it is where its instances may hold more", () => {
  test.each([
    [
      "elements that are set",
      "(table 1 funcref) (func (table.set 0 (i32.const 0) (ref.null func)))",
    ],
    [
      "a table that grows",
      "(table 1 funcref) (func (drop (table.grow 0 (ref.null func) (i32.const 1))))",
    ],
    [
      "a table that is filled",
      "(table 1 funcref) (func (table.fill 0 (i32.const 0) (ref.null func) (i32.const 1)))",
    ],
    [
      "elements that are copied",
      "(table 1 funcref) (func (table.copy (i32.const 0) (i32.const 0) (i32.const 1)))",
    ],
    [
      "elements that are initialised",
      "(table 1 funcref) (elem $e func) (func (table.init $e (i32.const 0) (i32.const 0) (i32.const 0)))",
    ],
    ["elements that are dropped", "(elem $e func) (func (elem.drop $e))"],
    ["data that is dropped", '(memory 1) (data $d "a") (func (data.drop $d))'],
    ["a reference that changes", "(global (mut funcref) (ref.null func))"],
    ["a vector that JavaScript cannot read", "(global (mut v128) (v128.const i64x2 0 0))"],
    [
      "objects of a garbage collector",
      "(type $s (struct (field (mut i32)))) (global (ref $s) (struct.new $s (i32.const 1)))",
    ],
    ["a memory with indices of 64 bits", "(memory i64 1)"],
    ["a memory for threads", "(memory 1 1 shared)"],
    ["names that we would give", '(memory 1) (func (export "downpour.memory.0"))'],
  ])("%s", async (_, fields) => {
    const { module, bytes, globals } = await expose(fields);
    expect(globals).toBeUndefined();
    expect(bytes).toBe(module);
  });

  test("bytes that are no module at all", () => {
    const bytes = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 10, 200);
    expect(exposeState(bytes)).toEqual({ bytes, globals: undefined });
  });
});
