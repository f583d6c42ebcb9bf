import { describe, expect, test } from "vitest";
import { createEngine } from "../create-engine.ts";
import { ComponentError } from "../engine.ts";
import { assemble } from "../testing/assemble.ts";
import { testLimits } from "../testing/limits.ts";
import { buildStoreGuest, storeWorld } from "../testing/store-guest.ts";
import { requireCompilable } from "./compile-work.ts";
import { op } from "./instructions.ts";

async function problemOf(fields: string): Promise<string | undefined> {
  try {
    requireCompilable(await assemble(`(module ${fields})`));
    return undefined;
  } catch (error) {
    if (error instanceof ComponentError && error.kind === "too-complex") return error.message;
    throw error;
  }
}

function locals(count: number): string {
  return `(local ${"i64 ".repeat(count)})`;
}

const IF = "(if (i32.const 0) (then))";

describe("a function is refused", () => {
  test.each([
    ["arms", `(func ${locals(5_000)} ${IF.repeat(1_000)})`],
    ["loops", `(func ${locals(5_000)} ${"(loop)".repeat(1_000)})`],
    ["branches", `(func ${locals(5_000)} ${"(block br 0)".repeat(1_000)})`],
    ["conditions", `(func ${locals(5_000)} (block ${"(br_if 0 (i32.const 0))".repeat(1_000)}))`],
    ["calls", `(func ${locals(5_000)} ${"(call 0)".repeat(1_000)})`],
    [
      "a switch of many blocks",
      `(func ${locals(5_000)} ${"block ".repeat(1_000)} i32.const 0
        br_table ${Array.from({ length: 1_000 }, (_, label) => label).join(" ")} ${"end ".repeat(1_000)})`,
    ],
    ["parts that catch", `(func ${locals(5_000)} ${"(try_table)".repeat(1_000)})`],
  ])("that has many locals and many %s", async (_, fields) => {
    expect(await problemOf(fields)).toContain("function 0 has too many locals");
  });

  test("that keeps many operands over many arms", async () => {
    const operands = "i32.const 0 ".repeat(3_000);
    const fields = `(func ${operands} ${IF.repeat(2_000)} ${"drop ".repeat(3_000)})`;
    expect(await problemOf(fields)).toContain("function 0");
  });

  test("that gets many operands from calls, or from blocks", async () => {
    const many = "i32 ".repeat(500);
    const giver = `(func $giver (result ${many}) unreachable)`;
    const drops = "drop ".repeat(5_000);
    const called = `${giver} (func ${"call $giver ".repeat(10)} ${IF.repeat(1_000)} ${drops})`;
    expect(await problemOf(called)).toContain("function 1");
    const block = `(block (result ${many}) unreachable)`;
    const given = `(func ${block.repeat(10)} ${IF.repeat(1_000)} ${drops})`;
    expect(await problemOf(given)).toContain("function 0");
  });

  const many = "i32 ".repeat(1_000);
  const label = `(block (result ${many}) unreachable`;
  test.each([
    ["branches", `(func ${label} ${"br 0 ".repeat(5_000)}) unreachable)`],
    ["conditions", `(func ${label} ${"br_if 0 ".repeat(5_000)}) unreachable)`],
    ["switches", `(func ${label} ${"br_table 0 0 ".repeat(5_000)}) unreachable)`],
    ["null checks", `(func ${label} ${"br_on_null 0 ".repeat(5_000)}) unreachable)`],
    [
      "branches to a loop",
      `(func unreachable (loop (param ${many}) ${"br 0 ".repeat(5_000)} unreachable))`,
    ],
    ["returns", `(func (result ${many}) ${"return ".repeat(5_000)} unreachable)`],
    [
      "calls",
      `(func unreachable ${"call $taker ".repeat(5_000)} unreachable) (func $taker (param ${many}))`,
    ],
    [
      "calls at their end",
      `(func unreachable ${"return_call $taker ".repeat(5_000)}) (func $taker (param ${many}))`,
    ],
    ["blocks", `(func ${`unreachable ${label}) unreachable `.repeat(500)})`],
  ])("that names many values in code that is never reached, in many %s", async (_, fields) => {
    expect(await problemOf(fields)).toContain("function 0 has too many locals or operands");
  });

  test("that has many switches, each inside of many blocks", async () => {
    const switches = "(block br_table 0 (i32.const 0)) ".repeat(2_000);
    const nested = (depth: number): string =>
      `(func ${"block ".repeat(depth)} ${switches} ${"end ".repeat(depth)})`;
    expect(await problemOf(nested(1_000))).toBeUndefined();
    // In V8, 40 MB of notes.
    expect(await problemOf(nested(20_000))).toContain("function 0");
  });

  test("behind one that is malformed", async () => {
    const heavy = `(func ${label} ${"br 0 ".repeat(5_000)}) unreachable)`;
    const bytes = await assemble(`(module (func (call 99)) ${heavy})`);
    const callee = bytes.findIndex((byte, at) => byte === 99 && bytes[at - 1] === op.call);
    // It now goes on with the byte that ended the function.
    bytes[callee] = 99 | 0x80;
    expect(() => requireCompilable(bytes)).toThrow("function 1 has too many locals");
  });

  test("with many like it, where they are too much together", async () => {
    const one = `(func ${locals(2_000)} ${IF.repeat(500)})`;
    expect(await problemOf(one.repeat(20))).toBeUndefined();
    expect(await problemOf(one.repeat(80))).toContain("its functions together");
    const type = `(type $giver (func (result ${many})))`;
    const giver = "(func (type $giver) unreachable)";
    expect(await problemOf(`${type} ${giver.repeat(2_000)}`)).toBeUndefined();
    expect(await problemOf(`${type} ${giver.repeat(10_000)}`)).toContain("its functions together");
  });
});

test.each([
  ["many locals alone", `(func ${locals(40_000)})`],
  ["many arms alone", `(func ${IF.repeat(100_000)})`],
  [
    "operands that are used up",
    `(func ${`${"i32.const 0 ".repeat(50)} ${"drop ".repeat(50)} ${IF}`.repeat(2_000)})`,
  ],
  [
    "arithmetic",
    `(func (local i32) ${"(local.set 0 (i32.add (local.get 0) (i32.const 1)))".repeat(50_000)} ${IF.repeat(500)})`,
  ],
  [
    "code that is never reached",
    `(func unreachable ${"drop ".repeat(10_000)} ${IF.repeat(1_000)})`,
  ],
  [
    "a few values in code that is never reached",
    `(func (result i32) (block (result i32) unreachable ${"br_if 0 br 0 return ".repeat(50_000)}))`,
  ],
  ["no code", `(memory 1)`],
])("a module of %s is taken", async (_, fields) => {
  expect(await problemOf(fields)).toBeUndefined();
});

test("what the toolchain for TypeScript makes is taken", async () => {
  const component = await buildStoreGuest("async");
  expect(createEngine().compile(component, storeWorld, testLimits).stored.modules).not.toEqual([]);
});
