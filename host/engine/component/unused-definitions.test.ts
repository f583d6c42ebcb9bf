import { describe, expect, test } from "vitest";
import { createEngine } from "../create-engine.ts";
import { ComponentError } from "../engine.ts";
import type { CompileLimits } from "../engine.ts";
import { assemble } from "../testing/assemble.ts";
import { component, repeat, section, u32, wholeSection } from "../testing/binary.ts";
import type { Bytes } from "../testing/binary.ts";
import { testLimits } from "../testing/limits.ts";
import { testWorld } from "../testing/world.ts";

// What nothing uses is looked at as well: whether a component is valid does not depend on what of it is needed.

const engine = createEngine();

function compileBytes(bytes: Uint8Array, limits: CompileLimits): number {
  const world = { ...testWorld, exports: {} };
  return engine.compile(bytes, world, limits).stored.modules.length;
}

/** The number of modules that are kept of it. */
async function modulesOf(text: string, limits = testLimits): Promise<number> {
  return compileBytes(await assemble(`(component ${text})`), limits);
}

async function refusal(text: string, limits = testLimits): Promise<ComponentError> {
  return refusalOfBytes(await assemble(`(component ${text})`), limits);
}

function refusalOfBytes(bytes: Uint8Array, limits = testLimits): ComponentError {
  try {
    compileBytes(bytes, limits);
  } catch (error) {
    if (error instanceof ComponentError) return error;
    throw error;
  }
  throw new Error("the component was taken");
}

describe("a type that nothing uses", () => {
  test.each([
    [
      "names a type of another kind",
      `(type $t (instance)) (type (component (import "a" (func (type $t)))))`,
      "expected the type of a function, found the type of a instance",
    ],
    [
      "has one inside that does",
      `(type $t (func)) (type (component (type (instance (export "a" (instance (type $t)))))))`,
      "expected the type of a instance, found the type of a func",
    ],
    [
      "exports a name twice",
      `(type (instance (export "a" (func)) (export "A" (func))))`,
      'the export "A" is there twice, as "a"',
    ],
    [
      "imports a name twice",
      `(type (component (import "a" (func)) (import "a" (func))))`,
      'the import "a" is there twice',
    ],
    [
      "has a method without a resource",
      `(type (component (import "[method]a.b" (func))))`,
      'expected an import of the resource "a" before "[method]a.b"',
    ],
    [
      "points nowhere",
      `(type (component (alias outer 1 7 (type $t))))`,
      "expected the index of an outer type, found 7 where 0 are defined",
    ],
    [
      "borrows in a result",
      `(type $r (resource (rep i32))) (type (instance (export "f" (func (result (borrow $r))))))`,
      "expected no borrowed handle in the result of a function",
    ],
  ])("is refused where it %s", async (_what, text, message) => {
    const error = await refusal(text);
    expect(error.kind).toBe("malformed");
    expect(error.message).toContain(message);
    expect(error.offset).toBeDefined();
  });

  test("may be of a component that imports and exports others", async () => {
    const text = `(type (component
      (import "c" (component (export "t" (type (sub resource)))))
      (export "i" (instance (export "c" (component))))))`;
    expect(await modulesOf(text)).toBe(0);
  });
});

const MODULE = `(core module $m (func (export "f") (param i32))) (core instance $c (instantiate $m))`;

describe("a component that nothing instantiates", () => {
  test("is taken, and none of its modules kept", async () => {
    const nested = `(component (import "f" (func $f (param "x" u32)))
      (import "r" (type $r (sub resource)))
      (core func $lowered (canon lower (func $f)))
      (core func $drop (canon resource.drop $r))
      ${MODULE}
      (core module $n (import "h" "f" (func (param i32))))
      (core instance (instantiate $n (with "h" (instance (export "f" (func $lowered))))))
      (func (export "g") (param "x" u32) (canon lift (core func $c "f"))))`;
    expect(await modulesOf(nested)).toBe(0);
  });

  test.each([
    ["imports a component", `(component (import "c" (component)))`],
    [
      "lifts what it lowered",
      `(component (import "f" (func $f)) (core func $g (canon lower (func $f))) (func (canon lift (core func $g))))`,
    ],
    [
      "instantiates a module with a table that is not supported",
      `(component (core module $m (table 1 funcref (ref.null func))) (core instance (instantiate $m)))`,
    ],
    [
      "is inside of another one and imports a component",
      `(component (component $a (import "c" (component))) (component $b)
        (instance (instantiate $a (with "c" (component $b)))))`,
    ],
  ])("is taken where it is valid and not supported: it %s", async (_what, text) => {
    expect(await modulesOf(text)).toBe(0);
  });

  test("is refused as not supported once something instantiates it", async () => {
    const text = `(component $a (import "c" (component))) (component $b)
      (instance (instantiate $a (with "c" (component $b))))`;
    expect((await refusal(text)).kind).toBe("unsupported");
  });

  test.each([
    [
      "lifts a function of another type",
      `(component ${MODULE} (func (canon lift (core func $c "f"))))`,
      "expected a lifted function of the core type () -> (), found (i32) -> ()",
    ],
    [
      "makes handles of an imported resource",
      `(component (import "r" (type $r (sub resource))) (core func (canon resource.new $r)))`,
      "expected a resource that this component defines",
    ],
    [
      "is inside of another one and instantiates one wrongly",
      `(component (component (component $a (import "f" (func))) (instance (instantiate $a))))`,
      'the argument "f" is missing',
    ],
    [
      "takes two of its imports for the same resource",
      `(component (import "a" (type $a (sub resource))) (import "b" (type $b (sub resource)))
        (component $eq (import "x" (type $x (sub resource))) (import "y" (type (eq $x))))
        (instance (instantiate $eq (with "x" (type $a)) (with "y" (type $b)))))`,
      'the argument "y" is not the type that is expected',
    ],
  ])("is refused where it %s", async (_what, text, message) => {
    const error = await refusal(text);
    expect(error.kind).toBe("malformed");
    expect(error.message).toContain(message);
  });

  test("is refused where what it is given would make it fit, and others would not", async () => {
    const text = `(type $r (resource (rep i32)))
      (component $n (import "a" (type $a (sub resource))) (import "b" (type $b (sub resource)))
        (component $eq (import "x" (type $x (sub resource))) (import "y" (type (eq $x))))
        (instance (instantiate $eq (with "x" (type $a)) (with "y" (type $b)))))
      (instance (instantiate $n (with "a" (type $r)) (with "b" (type $r))))`;
    expect((await refusal(text)).message).toContain("is not the type that is expected");
  });

  test("costs as much as one that is, and may lie a few components deep", async () => {
    const modules = `${MODULE} (core instance (instantiate $m))`;
    let nested = `(component $n ${modules})`;
    for (let depth = 0; depth < 5; depth += 1) {
      nested = `(component $n ${nested} (instance (instantiate $n)))`;
    }
    const limits = { ...testLimits, coreModulesMax: 8 };
    expect(await modulesOf(`${nested} (instance (instantiate $n))`, limits)).toBe(1);
    const wide = `(component ${MODULE} ${"(core instance (instantiate $m))".repeat(8 * 8)})`;
    expect(await refusal(wide, limits)).toMatchObject({ kind: "too-complex" });
  });
});

describe("a core module that nothing instantiates", () => {
  test.each([
    ["without a preamble", [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00]],
    ["with sections in disorder", [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 3, 1, 0, 1, 1, 0]],
    ["of a few bytes", [0x00, 0x61]],
  ])("is refused %s", (_what, bytes) => {
    expect(refusalOfBytes(component(wholeSection(1, bytes)))).toMatchObject({
      kind: "malformed",
      message: "a core module is invalid: the one of the number 0",
    });
  });

  test.each([
    ["a table with an initial expression", `(table 1 funcref (ref.null func))`],
    ["a table of exceptions", `(table 1 exnref)`],
    ["a table with 64-bit indices", `(table i64 1 funcref)`],
    [
      "an instruction whose work is not known",
      `(type $s (struct)) (func (result (ref $s)) struct.new $s)`,
    ],
    ["an instruction that allocates", `(type $s (struct)) (func struct.new $s drop)`],
  ])("is taken with %s, which is valid and not supported", async (_what, field) => {
    expect(await modulesOf(`(core module ${field})`)).toBe(0);
  });

  test("is refused with code that is invalid", async () => {
    expect((await refusal(`(core module (func i32.add))`)).kind).toBe("malformed");
  });

  const many = "i32 ".repeat(1_000);
  const branches = `(func (block (result ${many}) unreachable ${"br 0 ".repeat(5_000)}) unreachable)`;
  test.each([
    ["used", "(core instance (instantiate $m))"],
    ["unused", ""],
  ])("is refused where V8 would look at it for long, %s", async (_what, use) => {
    const error = await refusal(`(core module $m ${branches}) ${use}`);
    expect(error.kind).toBe("too-complex");
    expect(error.message).toContain("a core module would take too long to compile");
  });

  test.each([
    ["used", `(core instance (instantiate $m (with "a" (instance))))`],
    ["unused", ""],
  ])("is refused where it imports the same twice, %s", async (_what, use) => {
    const text = `(core module $m (import "a" "b" (func)) (import "a" "b" (func))) ${use}`;
    expect((await refusal(text)).message).toContain('the core import "a" "b" is there twice');
  });
});

/** As a type declares it: of a type of the scope around. */
function outerAlias(type: number): Bytes {
  return [0x02, 0x03, 0x02, ...u32(1), ...u32(type)];
}

describe("what an outer alias brings into a component is the same for all its instances:", () => {
  test.each([
    ["a resource", `(type $t (resource (rep i32)))`],
    ["a handle", `(type $r (resource (rep i32))) (type $t (borrow $r))`],
    [
      "a record with a handle",
      `(type $r (resource (rep i32))) (type $t (record (field "h" (own $r))))`,
    ],
    ["a function of one", `(type $r (resource (rep i32))) (type $t (func (param "h" (own $r))))`],
    [
      "the type of a component that exports it",
      `(type $r (resource (rep i32))) (type $t (component (export "a" (type (eq $r)))))`,
    ],
    [
      "the type of an instance with one inside that does",
      `(type $r (resource (rep i32)))
       (type $t (instance (type $i (instance (export "a" (type (eq $r))))) (export "i" (instance (type $i)))))`,
    ],
  ])("not %s", async (_what, types) => {
    const alias = `(component (component (alias outer $root $t (type $a))))`;
    const bytes = await assemble(`(component $root ${types} ${alias})`);
    expect(refusalOfBytes(bytes)).toMatchObject({
      kind: "malformed",
      message: expect.stringContaining("expected the outer alias of a type without resources"),
    });
  });

  test("a type is with as many aliases of each other as an upload has room for", () => {
    const empty = [0x42, 0x00];
    const count = 5_000;
    const types = Array.from({ length: count }, (_, before) => [0x42, 0x01, ...outerAlias(before)]);
    const nested = component(section(6, ...repeat(40, outerAlias(count).slice(1))));
    const bytes = component(section(7, empty, ...types), wholeSection(4, nested));
    expect(compileBytes(bytes, { ...testLimits, definitionsMax: 3 * count })).toBe(0);
  });

  test("a type that declares its own resource is, and types may reach out in their own component", async () => {
    const text = `(component $root
      (type $t (instance (export "r" (type $r (sub resource))) (export "f" (func (result (own $r))))))
      (type $r (resource (rep i32)))
      (type (component (alias outer $root $r (type $a)) (export "f" (func (result (own $a))))))
      (component (alias outer $root $t (type $a)) (import "i" (instance (type $a)))))`;
    expect(compileBytes(await assemble(text), testLimits)).toBe(0);
  });

  test("an alias that leaves more scopes than there are is refused in a component of nobody", () => {
    const nested = component(section(6, [0x03, 0x02, 0x05, 0x00]));
    expect(refusalOfBytes(component(wholeSection(4, nested))).message).toContain(
      "expected an enclosing scope, found 5 scopes outwards",
    );
  });
});
