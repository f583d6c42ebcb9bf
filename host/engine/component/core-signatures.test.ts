import { describe, expect, test } from "vitest";
import { createEngine } from "../create-engine.ts";
import { ComponentError } from "../engine.ts";
import { assemble } from "../testing/assemble.ts";
import { testLimits } from "../testing/limits.ts";
import { testWorld } from "../testing/world.ts";

const engine = createEngine();

/** What is wrong with a component; undefined where it is taken. */
async function problemOf(text: string): Promise<string | undefined> {
  const bytes = await assemble(`(component ${text})`);
  try {
    engine.compile(bytes, { ...testWorld, exports: {} }, testLimits);
  } catch (error) {
    if (error instanceof ComponentError && error.kind === "malformed") return error.message;
    throw error;
  }
  return undefined;
}

const GUEST = `(core module $m
    (memory (export "mem") 1)
    (memory (export "wide") i64 1)
    (func (export "none"))
    (func (export "take") (param i32))
    (func (export "take64") (param i64))
    (func (export "give") (result i32) (i32.const 0))
    (func (export "three") (param i32 i32 i32) (result i32) (i32.const 0))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0)))
  (core instance $c (instantiate $m))
  (alias core export $c "mem" (core memory $mem))
  (alias core export $c "wide" (core memory $wide))
  (alias core export $c "none" (core func $none))
  (alias core export $c "take" (core func $take))
  (alias core export $c "take64" (core func $take64))
  (alias core export $c "give" (core func $give))
  (alias core export $c "three" (core func $three))
  (alias core export $c "realloc" (core func $realloc))`;

describe("a core function that the canonical ABI calls has its type:", () => {
  test.each([
    ["a lifted one", `(func (param "x" u8) (canon lift (core func $take)))`],
    [
      "one whose result lies in memory",
      `(func (result string) (canon lift (core func $give) (memory $mem) (post-return (core func $c "take"))))`,
    ],
    [
      "one that is lifted with a callback",
      `(func async (result string) (canon lift (core func $give) async (memory $mem) (callback (core func $c "three"))))`,
    ],
    [
      "one that is lifted asynchronously without",
      `(func async (result string) (canon lift (core func $none) async (memory $mem)))`,
    ],
    [
      "realloc",
      `(func (param "s" string) (result u8) (canon lift (core func $three2) (memory $mem) (realloc $realloc)))`,
    ],
    ["a destructor", `(type (resource (rep i32) (dtor (core func $c "take"))))`],
  ])("%s", async (_what, text) => {
    const more = `(core module $n (func (export "f") (param i32 i32) (result i32) (i32.const 0)))
      (core instance $d (instantiate $n)) (alias core export $d "f" (core func $three2))`;
    expect(await problemOf(`${GUEST} ${more} ${text}`)).toBeUndefined();
  });

  test.each([
    [
      "a parameter of another type",
      `(func (param "x" u8) (canon lift (core func $take64)))`,
      "expected a lifted function of the core type (i32) -> (), found (i64) -> ()",
    ],
    [
      "a parameter that is a reference",
      `(core module $n (type $t (func)) (func (export "f") (param (ref null $t))))
       (core instance $d (instantiate $n))
       (func (param "x" u8) (canon lift (core func $d "f")))`,
      "expected a lifted function of the core type (i32) -> (), found ((ref $n)) -> ()",
    ],
    [
      "a parameter too few",
      `(func (param "x" u8) (canon lift (core func $none)))`,
      "expected a lifted function of the core type (i32) -> (), found () -> ()",
    ],
    [
      "a result too many",
      `(func (canon lift (core func $give)))`,
      "expected a lifted function of the core type () -> (), found () -> (i32)",
    ],
    [
      "no code for the callback",
      `(func async (canon lift (core func $none) async (callback (core func $c "three"))))`,
      "expected a lifted function of the core type () -> (i32), found () -> ()",
    ],
    [
      "a callback that takes no event",
      `(func async (canon lift (core func $give) async (callback (core func $c "give"))))`,
      "expected a callback of the core type (i32, i32, i32) -> (i32), found () -> (i32)",
    ],
    [
      "a realloc that is given no size",
      `(func (param "s" string) (canon lift (core func $none) (memory $mem) (realloc $three)))`,
      "expected realloc of the core type (i32, i32, i32, i32) -> (i32), found (i32, i32, i32) -> (i32)",
    ],
    [
      "a post-return that takes nothing",
      `(func (result string) (canon lift (core func $give) (memory $mem) (post-return (core func $c "none"))))`,
      "expected post-return of the core type (i32) -> (), found () -> ()",
    ],
    [
      "a destructor of another type",
      `(type (resource (rep i32) (dtor (core func $c "take64"))))`,
      "expected a destructor of the core type (i32) -> (), found (i64) -> ()",
    ],
    [
      "a memory with 64-bit addresses",
      `(func (result string) (canon lift (core func $give) (memory $wide)))`,
      "expected a memory with 32-bit addresses",
    ],
  ])("%s is refused", async (_what, text, problem) => {
    const found = await problemOf(`${GUEST} ${text}`);
    expect(found?.replace(/ at byte \d+$/u, "")).toBe(problem);
  });
});

const TYPES = `(type $r (resource (rep i32))) (type $s (stream u8)) (type $f (future u8))
  (core module $memory (memory (export "mem") 1)) (core instance $memory (instantiate $memory))
  (alias core export $memory "mem" (core memory $mem))
  (component $n
    (core module $m (func (export "f") (param i64 f32 i32) (result f64) (f64.const 0)))
    (core instance $c (instantiate $m))
    (func (export "f") (param "a" u64) (param "b" f32) (param "c" char) (result f64) (canon lift (core func $c "f")))
    (core module $k (func (export "f") (param i64) (result i32) (i32.const 0))
      (func (export "callback") (param i32 i32 i32) (result i32) (i32.const 0)))
    (core instance $k (instantiate $k))
    (func (export "g") async (param "a" u64) (result u8) (canon lift (core func $k "f") async (callback (core func $k "callback")))))
  (instance $n (instantiate $n))
  (alias export $n "f" (func $lifted))
  (alias export $n "g" (func $waiting))`;

const BUILTINS: readonly (readonly [string, string])[] = [
  ["lower (func $lifted)", "(param i64 f32 i32) (result f64)"],
  ["lower (func $waiting)", "(param i64) (result i32)"],
  ["lower (func $waiting) async (memory $mem)", "(param i64 i32) (result i32)"],
  ["resource.new $r", "(param i32) (result i32)"],
  ["resource.rep $r", "(param i32) (result i32)"],
  ["resource.drop $r", "(param i32)"],
  ["task.return (result f32)", "(param f32)"],
  ["task.cancel", ""],
  ["context.get i32 0", "(result i32)"],
  ["context.set i32 0", "(param i32)"],
  ["thread.yield", "(result i32)"],
  ["waitable-set.new", "(result i32)"],
  ["waitable-set.wait (memory $mem)", "(param i32 i32) (result i32)"],
  ["waitable-set.poll (memory $mem)", "(param i32 i32) (result i32)"],
  ["waitable-set.drop", "(param i32)"],
  ["waitable.join", "(param i32 i32)"],
  ["subtask.cancel", "(param i32) (result i32)"],
  ["subtask.drop", "(param i32)"],
  ["backpressure.inc", ""],
  ["backpressure.dec", ""],
  ["stream.new $s", "(result i64)"],
  ["stream.read $s async (memory $mem)", "(param i32 i32 i32) (result i32)"],
  ["stream.write $s async (memory $mem)", "(param i32 i32 i32) (result i32)"],
  ["stream.cancel-read $s", "(param i32) (result i32)"],
  ["stream.drop-writable $s", "(param i32)"],
  ["future.new $f", "(result i64)"],
  ["future.read $f async (memory $mem)", "(param i32 i32) (result i32)"],
  ["future.write $f async (memory $mem)", "(param i32 i32) (result i32)"],
  ["future.drop-readable $f", "(param i32)"],
];

describe("a function of the engine is given only where it is imported with its type:", () => {
  test.each(BUILTINS)("%s", async (canon, type) => {
    const given = `${TYPES} (core func $b (canon ${canon}))`;
    const importing = (asked: string): string =>
      `${given} (core module $m (import "h" "b" (func ${asked})))
       (core instance (instantiate $m (with "h" (instance (export "b" (func $b))))))`;
    expect(await problemOf(importing(type))).toBeUndefined();
    expect(await problemOf(importing(`(param externref) ${type}`))).toContain(
      'the core import "h" "b" is a core func (externref',
    );
  });
});

async function linked(imported: string, exported: string): Promise<string | undefined> {
  return problemOf(`(core module $a ${exported}) (core instance $a (instantiate $a))
    (core module $b (import "a" "x" ${imported})) (core instance (instantiate $b (with "a" (instance $a))))`);
}

describe("what one core module gives to another", () => {
  test.each([
    ["(func (param i32))", `(func (export "x") (param i32))`],
    ["(memory 1)", `(memory (export "x") 2 3)`],
    ["(memory 1 4)", `(memory (export "x") 2 4)`],
    ["(table 1 funcref)", `(table (export "x") 2 funcref)`],
    ["(global i64)", `(global (export "x") i64 (i64.const 0))`],
    ["(global (mut f32))", `(global (export "x") (mut f32) (f32.const 0))`],
    ["(global externref)", `(global (export "x") externref (ref.null extern))`],
    ["(tag (param i32))", `(tag (export "x") (param i32))`],
    [
      "(func (type 0))",
      `(type $f (func)) (type (func (param (ref $f)))) (func (export "x") (type $f))`,
    ],
  ])("fits %s", async (imported, exported) => {
    expect(await linked(imported.replace("(type 0)", ""), exported)).toBeUndefined();
  });

  test.each([
    [
      "(func)",
      `(func (export "x") (param i32))`,
      "is a core func () -> (), and is given a core func (i32) -> ()",
    ],
    [
      "(memory 2)",
      `(memory (export "x") 1)`,
      "is a core memory 2 or more, and is given a core memory 1 or more",
    ],
    [
      "(memory 1 4)",
      `(memory (export "x") 1)`,
      "is a core memory 1 to 4, and is given a core memory 1 or more",
    ],
    [
      "(memory 1)",
      `(memory (export "x") i64 1)`,
      "is a core memory 1 or more, and is given a core memory i64 1 or more",
    ],
    [
      "(table 1 externref)",
      `(table (export "x") 1 1 funcref)`,
      "is a core table of externref 1 or more, and is given a core table of funcref 1 to 1",
    ],
    [
      "(table 1 2 funcref)",
      `(table (export "x") 1 3 funcref)`,
      "is a core table of funcref 1 to 2, and is given a core table of funcref 1 to 3",
    ],
    [
      "(global i32)",
      `(global (export "x") i64 (i64.const 0))`,
      "is a core global i32, and is given a core global i64",
    ],
    [
      "(global i32)",
      `(global (export "x") (mut i32) (i32.const 0))`,
      "is a core global i32, and is given a core global mut i32",
    ],
    [
      "(tag (param i32))",
      `(tag (export "x") (param i64))`,
      "is a core tag (i32) -> (), and is given a core tag (i64) -> ()",
    ],
  ])("does not fit %s", async (imported, exported, problem) => {
    expect(await linked(imported, exported)).toContain(`the core import "a" "x" ${problem}`);
  });

  test("is left to V8 where types have a place among subtypes", async () => {
    const group = `(type $a (sub (func))) (type $b (sub $a (func)))`;
    expect(await linked("(func)", `${group} (func (export "x") (type $b) (nop))`)).toBeUndefined();
  });
});
