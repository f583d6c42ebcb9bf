import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ComponentError } from "../engine.ts";
import { assemble } from "../testing/assemble.ts";
import { component, name, repeat, section, u32, wholeSection } from "../testing/binary.ts";
import type { Bytes } from "../testing/binary.ts";
import { testLimits } from "../testing/limits.ts";
import { decodeComponent } from "./decode.ts";

/** Undefined where the bytes were taken; anything but a `ComponentError` fails the test. */
function outcome(bytes: Uint8Array, limits = testLimits): ComponentError | undefined {
  try {
    decodeComponent(bytes, limits);
    return undefined;
  } catch (error) {
    if (error instanceof ComponentError) return error;
    throw error;
  }
}

function refusal(bytes: Uint8Array, limits = testLimits): ComponentError {
  const error = outcome(bytes, limits);
  if (error === undefined) throw new Error("the bytes were taken");
  return error;
}

describe("what is not a component", () => {
  test("a core module is told from a component", () => {
    const error = refusal(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00));
    expect(error).toMatchObject({ kind: "core-module", offset: 0 });
    expect(error.message).toContain("core WebAssembly module, not a component");
  });

  test.each([
    ["nothing", []],
    ["text", Array.from(new TextEncoder().encode("export const x = 1;"))],
    ["an archive", [0x50, 0x4b, 0x03, 0x04, 0x00, 0x00, 0x00, 0x00]],
    ["half a preamble", [0x00, 0x61, 0x73, 0x6d, 0x0d]],
    ["a layer of the future", [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x02, 0x00]],
  ])("%s is malformed", (_what, bytes) => {
    expect(refusal(Uint8Array.from(bytes)).kind).toBe("malformed");
  });

  test("another version of the format is named", () => {
    expect(refusal(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x0e, 0x00, 0x01, 0x00))).toMatchObject({
      kind: "unsupported",
      message: "version 14 of the component format is not supported, only version 13",
    });
  });
});

describe("sections", () => {
  test("a component without any is one", () => {
    expect(decodeComponent(component(), testLimits).root.definitions).toEqual([]);
  });

  test("custom sections are skipped", () => {
    const custom = wholeSection(0, [...name("producers"), 0xff, 0xff]);
    expect(decodeComponent(component(custom), testLimits).root.definitions).toEqual([]);
  });

  test("core modules are views of the upload, not copies", () => {
    const bytes = component(wholeSection(1, [1, 2, 3]));
    const [module] = decodeComponent(bytes, testLimits).modules;
    expect(module?.buffer).toBe(bytes.buffer);
    expect(Array.from(module ?? [])).toEqual([1, 2, 3]);
  });

  test("an unknown one is named with its offset", () => {
    expect(refusal(component([0x0d, 0x00]))).toMatchObject({
      message: "expected a section, found the unknown section 13 at byte 10",
      offset: 10,
    });
  });

  test("one with bytes left over is malformed", () => {
    expect(refusal(component(wholeSection(6, [0x00, 0x00]))).message).toBe(
      "expected the end of a section, found 1 more bytes at byte 11",
    );
  });

  test("one that claims more bytes than there are is malformed", () => {
    expect(refusal(component([0x07, 0xff, 0x01])).message).toContain(
      "expected a section of its announced size, found the end",
    );
  });
});

const ERROR_CONTEXT: Bytes = [0x64];

describe("what is not supported is refused by its name", () => {
  test.each([
    ["the type error-context is not supported (at byte 11)", section(7, ERROR_CONTEXT)],
    ["the type map", section(7, [0x63, 0x73, 0x73])],
    ["the type list of a fixed length", section(7, [0x67, 0x7d, 0x04])],
    ["the type error-context", section(7, [0x70, 0x64])],
    ["a resource with an async destructor", section(7, [0x3e, 0x7f, 0x00])],
    ["a resource represented by an i64", section(7, [0x3f, 0x7e, 0x00])],
    ["a core type", section(3)],
    ["a start function of a component", section(9)],
    ["a value", section(12)],
    ["a core module as import or export", section(10, [0x00, ...name("m"), 0x00, 0x11, 0x00])],
    ["a value as import or export", section(10, [0x00, ...name("v"), 0x02, 0x01, 0x7f])],
    ["a name with attributes", section(10, [0x02, ...name("a"), 0x00, 0x01, 0x00])],
    ["the built-in error-context.new", section(8, [0x1c, 0x00])],
    ["the built-in error-context.drop", section(8, [0x1e])],
    ["the built-in thread.spawn-indirect", section(8, [0x41, 0x00, 0x00, 0x00])],
    ["the built-in thread.suspend", section(8, [0x29, 0x00])],
    ["a context slot of type i64", section(8, [0x0a, 0x7e, 0x00])],
  ])("%s", (message, hostile) => {
    const error = refusal(component(hostile));
    expect(error.kind).toBe("unsupported");
    expect(error.message).toContain(message);
  });
});

describe("malformed definitions", () => {
  test.each([
    ["a record without fields", section(7, [0x72, 0x00])],
    ["a tuple without types", section(7, [0x6f, 0x00])],
    ["33 flags", section(7, [0x6e, 33, ...labels(33)])],
    ["a label that is not kebab-case", section(7, [0x6d, 0x01, ...name("__proto__")])],
    ["a label that is there twice", section(7, [0x6d, 0x02, ...name("ab"), ...name("AB")])],
    ["an option that is there twice", section(8, [0x01, 0x00, 0x00, 0x02, 0x06, 0x06])],
    ["two string encodings", section(8, [0x01, 0x00, 0x00, 0x02, 0x00, 0x01])],
    ["realloc without memory", section(8, [0x01, 0x00, 0x00, 0x01, 0x04, 0x00])],
    ["a callback without async", section(8, [0x00, 0x00, 0x00, 0x01, 0x07, 0x00, 0x00])],
    ["an outer alias of a func", section(6, [0x01, 0x02, 0x00, 0x00])],
    ["an alias of a core export as component func", section(6, [0x01, 0x01, 0x00, ...name("x")])],
    ["a resource inside an instance type", section(7, [0x42, 0x01, 0x01, 0x3f, 0x7f, 0x00])],
    ["an import whose name is none", section(10, [0x00, ...name("Foo"), 0x01, 0x00])],
    ["an export in an instance without a name", section(5, [0x01, 0x01, 0x00, 0x00, 0x01, 0x00])],
    ["a context slot that there is none of", section(8, [0x0a, 0x7f, 0x02])],
    ["a type of a negative index", section(7, [0x70, 0x40])],
  ])("%s", (_what, hostile) => {
    expect(refusal(component(hostile)).kind).toBe("malformed");
  });
});

function labels(count: number): number[] {
  return Array.from({ length: count }, (_, i) => [...name(`l${i}`)]).flat();
}

describe("what is too much", () => {
  test("a component above the size limit", () => {
    expect(refusal(new Uint8Array(65), { ...testLimits, componentBytesMax: 64 })).toMatchObject({
      kind: "too-complex",
      message: "the component has 65 bytes, the limit is 64",
    });
  });

  test("a hundred thousand definitions", () => {
    const aliases = repeat(100_000, [0x03, 0x02, 0x00, 0x00]);
    expect(refusal(component(section(6, ...aliases)))).toMatchObject({
      kind: "too-complex",
      message: expect.stringContaining("more than 10000 definitions"),
    });
  });

  test("a hundred thousand arguments of one definition", () => {
    const arg = [...name("a"), 0x12, 0x00];
    const args = repeat(100_000, arg).flat();
    const instantiate: Bytes = [0x00, 0x00, ...u32(100_000), ...args];
    expect(refusal(component(section(2, instantiate))).kind).toBe("too-complex");
  });

  test("a hundred thousand names of an enum", () => {
    const type: Bytes = [0x6d, ...u32(100_000), ...labels(100_000)];
    expect(refusal(component(section(7, type)))).toMatchObject({
      kind: "too-complex",
      message: expect.stringContaining("types of more than 10000 parts"),
    });
  });

  test("components inside each other, a thousand deep", () => {
    let nested = component();
    for (let depth = 0; depth < 1000; depth += 1) nested = component(wholeSection(4, nested));
    expect(refusal(nested)).toMatchObject({
      kind: "too-complex",
      message: expect.stringContaining("more than 8 components inside each other"),
    });
  });

  test("more sections than the limit, in however many components, and however small", () => {
    const empty = wholeSection(0, name(""));
    const half = component(...repeat(5_000, empty));
    const nested = component(wholeSection(4, half), ...repeat(4_999, empty));
    expect(decodeComponent(nested, testLimits)).toMatchObject({
      sections: 10_000,
      nestingDepth: 2,
    });
    expect(refusal(component(wholeSection(4, half), ...repeat(5_000, empty)))).toMatchObject({
      kind: "too-complex",
      limit: "sectionsMax",
      message: expect.stringContaining("more than 10000 sections"),
    });
  });

  test("instance types inside each other, ten thousand deep", () => {
    const depth = 10_000;
    const open = repeat(depth, [0x42, 0x01, 0x01]).flat();
    expect(refusal(component(section(7, [...open, 0x7f]))).kind).toBe("too-complex");
  });

  test("more core modules than the limit", () => {
    const modules = repeat(17, wholeSection(1, []));
    expect(refusal(component(...modules))).toMatchObject({
      kind: "too-complex",
      message: expect.stringContaining("more than 16 core modules"),
    });
  });

  test("a name of a hundred thousand bytes, which the message does not repeat", () => {
    const long = section(10, [0x00, ...name("x".repeat(100_000)), 0x01, 0x00]);
    const error = refusal(component(long));
    expect(error.kind).toBe("too-complex");
    expect(error.message.length).toBeLessThan(200);
  });
});

test("every kind of definition decodes, and a component cut anywhere is refused with an offset", async () => {
  const bytes = await assemble(`
    (component
      (type $r (resource (rep i32)))
      (type $i (instance
        (type $t (tuple u8 (list string) (option bool) (result u8 (error char))))
        (export "t" (type $u (eq $t)))
        (export "r" (type $r (sub resource)))
        (type $f (func (param "a" $u) (param "b" (borrow $r)) (result (own $r))))
        (export "f" (func (type $f)))))
      (import "a:b/c@1.0.0" (instance $a (type $i)))
      (alias export $a "f" (func $f))
      (type $v (variant (case "x" f32) (case "y")))
      (type $fl (flags "p" "q"))
      (type $e (enum "m" "n"))
      (type $rec (record (field "l" s64) (field "k" $v)))
      (core module $m (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
        (func (export "run")))
      (core func $drop (canon resource.drop $r))
      (core instance $x (export "drop" (func $drop)))
      (core instance $c (instantiate $m (with "x" (instance $x))))
      (alias core export $c "memory" (core memory $mem))
      (alias core export $c "realloc" (core func $realloc))
      (core func $lower (canon lower (func $f) (memory $mem) (realloc $realloc) string-encoding=utf16))
      (component $n (type $o (record (field "z" u8))) (export "o" (type $o)))
      (instance $ni (instantiate $n))
      (instance $bundle (export "n" (instance $ni)))
      (type $run (func))
      (func $lifted (type $run) (canon lift (core func $c "run")))
      (export "run" (func $lifted))
    )`);
  expect(outcome(bytes)).toBeUndefined();
  const cuts = Array.from({ length: bytes.length - 8 }, (_, i) => bytes.subarray(0, i + 8));
  const outcomes = cuts.map((cut) => outcome(cut));
  // Between two sections a shorter component ends well; whether it still makes sense is not judged here.
  expect(outcomes.filter((error) => error === undefined).length).toBeLessThan(40);
  const refused = outcomes.filter((error) => error !== undefined);
  expect(refused.every(({ kind }) => kind === "malformed")).toBe(true);
  expect(refused.every(({ offset }) => offset !== undefined)).toBe(true);
});

test("any bytes behind a preamble decode or are refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      outcome(component(Array.from(bytes)));
    }),
    { numRuns: 5000, seed: 1 },
  );
});
