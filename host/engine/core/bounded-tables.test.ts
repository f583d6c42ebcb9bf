import fc from "fast-check";
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createEngine } from "../create-engine.ts";
import { ComponentError } from "../engine.ts";
import type { Compilation } from "../engine.ts";
import { assemble } from "../testing/assemble.ts";
import { name, section, u32, wholeSection } from "../testing/binary.ts";
import type { Bytes } from "../testing/binary.ts";
import { testLimits } from "../testing/limits.ts";
import { testWorld } from "../testing/world.ts";
import { rewriteModule } from "./rewrite-module.ts";

const GROWN_MAX = testLimits.grownTableElementsMax;

const engine = createEngine();

async function compile(text: string): Promise<Compilation> {
  return engine.compile(await assemble(`(component ${text})`), testWorld, testLimits);
}

async function refusal(text: string): Promise<ComponentError> {
  const bytes = await assemble(`(component ${text})`);
  try {
    engine.compile(bytes, testWorld, testLimits);
  } catch (error) {
    if (error instanceof ComponentError) return error;
    throw error;
  }
  throw new Error("it was taken");
}

/** One module with these fields, and one instance of it. */
function instanceOf(fields: string): string {
  return `(core module $m ${fields} (func (export "run") (param i32) (result i32) (local.get 0)))
    (core instance $c (instantiate $m))
    (func $run (param "x" u32) (result u32) (canon lift (core func $c "run")))
    (export "run" (func $run))`;
}

/** Its \`run\` grows the first table by as many elements, and tells what WebAssembly answers. */
function growing(tables: string): string {
  return `(core module $m ${tables}
      (func (export "run") (param i32) (result i32)
        (table.grow 0 (ref.null func) (local.get 0))))
    (core instance $c (instantiate $m))
    (func $run (param "x" u32) (result u32) (canon lift (core func $c "run")))
    (export "run" (func $run))`;
}

async function grow(tables: string, ...counts: readonly number[]): Promise<unknown[]> {
  const { component } = await compile(growing(tables));
  const instance = engine.instantiate(component, {});
  const answers: unknown[] = [];
  // oxlint-disable-next-line no-await-in-loop -- An instance runs one call at a time.
  for (const count of counts) answers.push(await instance.call("run", [count]));
  return answers;
}

const FAILED = 0xffff_ffff;

describe("a table", () => {
  test("without a maximum grows up to the limit, and not past it", async () => {
    const answers = await grow("(table 1 funcref)", 4, GROWN_MAX - 5, 1);
    expect(answers).toEqual([1, 5, FAILED]);
  });

  test("with a maximum above the limit grows up to the limit", async () => {
    expect(await grow("(table 1 10000000 funcref)", 9_999_999, 10)).toEqual([FAILED, 1]);
  });

  test("with a maximum of its own below the limit keeps it", async () => {
    expect(await grow("(table 1 3 funcref)", 2, 1)).toEqual([1, FAILED]);
  });

  test("that starts above the limit does not grow", async () => {
    expect(await grow(`(table ${GROWN_MAX + 1} funcref)`, 1, 0)).toEqual([FAILED, GROWN_MAX + 1]);
  });

  test("is imported by another module that states its maximum", async () => {
    const { component } = await compile(`
      (core module $a (table (export "t") 1 20000 funcref))
      (core module $m (import "a" "t" (table 1 20000 funcref))
        (func (export "run") (param i32) (result i32) (table.size 0)))
      (core instance $a (instantiate $a))
      (core instance $c (instantiate $m (with "a" (instance $a))))
      (func $run (param "x" u32) (result u32) (canon lift (core func $c "run")))
      (export "run" (func $run))`);
    expect(await engine.instantiate(component, {}).call("run", [0])).toBe(1);
  });
});

describe("a component", () => {
  test.each([
    [
      "is refused for 64 tables of ten million elements",
      "(table 10000000 funcref)".repeat(64),
      "elements",
    ],
    ["is refused for one table of ten million elements", "(table 10000000 funcref)", "elements"],
    [
      "for a table of references to its own types",
      "(type $f (func)) (table 10000000 (ref null $f))",
      "elements",
    ],
    [
      "is refused for more growable tables than could all grow",
      "(table 1 funcref)".repeat(11),
      "elements",
    ],
    ["is refused for many empty tables", "(table 0 0 externref)".repeat(65), "more than 64 tables"],
    ["is refused for two thousand memories", "(memory 1)".repeat(2000), "more than 16 memories"],
  ])("%s", async (_what, fields, message) => {
    expect(await refusal(instanceOf(fields))).toMatchObject({
      kind: "too-complex",
      message: expect.stringContaining(message),
    });
  });

  test("is refused for what the instances of one module make together", async () => {
    const instances = "(core instance (instantiate $m))".repeat(4);
    const tables = await refusal(`(core module $m (table 30000 funcref)) ${instances}`);
    expect(tables.message).toContain("tables of more than 100000 elements in all");
    const memories = await refusal(`(core module $m ${"(memory 0)".repeat(5)}) ${instances}`);
    expect(memories.message).toContain("more than 16 memories");
  });

  test.each([
    ["a table with 64-bit indices", "(table i64 1 funcref)"],
    [
      "a table with an initial expression",
      "(func $f) (table 1 1 (ref func) (ref.func $f)) (elem declare func $f)",
    ],
  ])("is refused for %s, as not supported", async (what, fields) => {
    expect(await refusal(instanceOf(fields))).toMatchObject({
      kind: "unsupported",
      message: `${what} is not supported`,
    });
  });

  test("may carry along what nothing instantiates", async () => {
    const tables = "(table 10000000 funcref)".repeat(64);
    const { stored } = await compile(`(core module ${tables}) ${instanceOf("")}`);
    expect(stored.modules).toHaveLength(1);
  });

  test("whose eight tables grow as it starts runs, and none of them grew", async () => {
    const { component } = await compile(
      instanceOf(`${"(table 1 funcref)".repeat(8)}
        (func $grow ${Array.from(
          { length: 8 },
          (_, table) =>
            `(if (i32.ne (i32.const -1) (table.grow ${table} (ref.null func) (i32.const 9999999)))
              (then unreachable))`,
        ).join(" ")})
        (start $grow)`),
    );
    expect(await engine.instantiate(component, {}).call("run", [7])).toBe(7);
  });
});

describe("a bounded module", () => {
  test("is stored under the hash of the bytes that are compiled, and loaded from them", async () => {
    const { component, stored } = await compile(growing("(table 1 funcref)"));
    for (const { sha256, bytes } of stored.modules) {
      expect(createHash("sha256").update(bytes).digest("hex")).toBe(sha256);
    }
    expect(component.modules.map(({ sha256 }) => sha256)).toEqual(
      stored.modules.map(({ sha256 }) => sha256),
    );
    const instance = createEngine().instantiate(createEngine().load(stored), {});
    expect(await instance.call("run", [9_999_999])).toBe(FAILED);
  });

  test("is valid, has the same other sections, and no table above the limit", () => {
    fc.assert(
      fc.property(
        fc.array(table, { maxLength: 6 }),
        fc.nat(3),
        fc.nat(20_000),
        (tables, memories, max) => {
          const original = moduleWith(tables, memories);
          const { bytes, makes } = rewriteModule(original, { grownTableElementsMax: max });
          const code = new WebAssembly.Module(bytes);
          expect(otherSections(bytes)).toEqual(otherSections(original));
          expect(makes.tables).toBe(tables.length);
          expect(makes.memories).toBe(memories);
          const limits = tables.map((one) => ({
            initial: one.initial,
            maximum: Math.min(one.maximum ?? Infinity, Math.max(one.initial, max)),
          }));
          expect(makes.tableElements).toBe(limits.reduce((sum, { maximum }) => sum + maximum, 0));
          const { exports } = new WebAssembly.Instance(code, {});
          limits.forEach(({ initial, maximum }, index) => {
            const made = exports[`t${index}`];
            if (!(made instanceof WebAssembly.Table)) throw new Error("no table");
            expect(made.length).toBe(initial);
            expect(made.grow(maximum - initial)).toBe(initial);
            expect(() => made.grow(1)).toThrow(RangeError);
          });
          const isBounded = limits.every(({ maximum }, i) => maximum === tables[i]?.maximum);
          expect(bytes === original).toBe(isBounded);
        },
      ),
      { numRuns: 200, seed: 20_261_121 },
    );
  });
});

interface Table {
  readonly type: Bytes;
  readonly initial: number;
  readonly maximum: number | undefined;
}

const table: fc.Arbitrary<Table> = fc
  .record({
    type: fc.constantFrom<Bytes>([0x70], [0x6f], [0x63, 0x70], [0x63, 0x00], [0x63, 0x80, 0x00]),
    initial: fc.nat(3_000),
    more: fc.option(fc.nat(40_000), { nil: undefined }),
  })
  .map(({ type, initial, more }) => ({
    type,
    initial,
    maximum: more === undefined ? undefined : initial + more,
  }));

const MAGIC_AND_MODULE: Bytes = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/** With a type, the tables and memories, an export of each table, and custom sections around them. */
function moduleWith(tables: readonly Table[], memories: number): Uint8Array {
  const custom = wholeSection(0, [...name("test"), 4, 5, 4, 5]);
  return Uint8Array.from([
    ...MAGIC_AND_MODULE,
    ...section(1, [0x60, 0x00, 0x00]),
    ...custom,
    ...section(
      4,
      ...tables.map(({ type, initial, maximum }) => [
        ...type,
        ...(maximum === undefined ? [0, ...u32(initial)] : [1, ...u32(initial), ...u32(maximum)]),
      ]),
    ),
    ...section(5, ...Array.from({ length: memories }, () => [0x00, 0x00])),
    ...section(7, ...tables.map((_, index) => [...name(`t${index}`), 0x01, index])),
    ...custom,
  ]);
}

/** All but that of the tables, in order; the sections of these tests are below 2 MB. */
function otherSections(bytes: Uint8Array): Uint8Array[] {
  const sections: Uint8Array[] = [];
  let at = 8;
  while (at < bytes.length) {
    const start = at;
    let byteLength = 0;
    let shift = 0;
    let byte: number;
    do {
      at += 1;
      byte = bytes[at] ?? 0;
      byteLength += (byte & 0x7f) << shift;
      shift += 7;
    } while (byte >= 0x80);
    at += 1 + byteLength;
    if (bytes[start] !== 4) sections.push(Uint8Array.from(bytes.subarray(start, at)));
  }
  return sections;
}
