import { describe, expect, test } from "vitest";
import { createEngine } from "../create-engine.ts";
import { ComponentError } from "../engine.ts";
import type { CompileLimits } from "../engine.ts";
import { assemble } from "../testing/assemble.ts";
import { component, name, section, u32, wholeSection } from "../testing/binary.ts";
import type { Bytes } from "../testing/binary.ts";
import { testLimits } from "../testing/limits.ts";
import { testWorld } from "../testing/world.ts";
import { readPlan } from "./plan.ts";
import type { Plan } from "./plan.ts";

const engine = createEngine();

async function planOf(text: string, limits?: CompileLimits): Promise<Plan> {
  return planOfBytes(await assemble(`(component ${text})`), limits);
}

function planOfBytes(bytes: Uint8Array, limits = testLimits): Plan {
  return readPlan(engine.compile(bytes, testWorld, limits).component.plan);
}

async function refusal(text: string, limits?: CompileLimits): Promise<ComponentError> {
  return refusalOfBytes(await assemble(`(component ${text})`), limits);
}

function refusalOfBytes(bytes: Uint8Array, limits?: CompileLimits): ComponentError {
  try {
    planOfBytes(bytes, limits);
  } catch (error) {
    if (error instanceof ComponentError) return error;
    throw error;
  }
  throw new Error("the component was taken");
}

const MODULE = `(core module $m (func (export "run") (param i32) (result i32) local.get 0))
  (core instance $c (instantiate $m))`;
const RUN = `${MODULE}
  (func $run (param "x" u32) (result u32) (canon lift (core func $c "run")))
  (export "run" (func $run))`;

describe("a plan", () => {
  test("names the exports of the world", async () => {
    expect(await planOf(RUN)).toMatchObject({ exports: [{ name: "run", lift: 0 }] });
  });

  test("has nothing of functions and modules that nothing uses", async () => {
    const plan = await planOf(`
      (import "test:host/things@1.2.3" (instance $t (export "wait" (func (param "x" u32) (result u32)))))
      (core module $unused (func (export "f")))
      (core func $lowered (canon lower (func $t "wait")))
      ${RUN}
      (func $more (param "x" u32) (result u32) (canon lift (core func $c "run")))
      (export "more" (func $more))`);
    expect(plan.steps.map((step) => step.kind)).toEqual(["core-instance", "context"]);
    expect(plan.lifts).toHaveLength(1);
  });

  test("instantiates a nested component as often as it is written, and equal modules once", async () => {
    const plan = await planOf(`
      (component $n
        (core module $m (func (export "run") (param i32) (result i32) local.get 0))
        (core instance $c (instantiate $m))
        (func $run (param "x" u32) (result u32) (canon lift (core func $c "run")))
        (export "run" (func $run)))
      (instance $a (instantiate $n))
      (instance $b (instantiate $n))
      (export "run" (func $b "run"))`);
    const modules = plan.steps.flatMap((step) =>
      step.kind === "core-instance" ? [step.module] : [],
    );
    expect(modules).toEqual([0, 0]);
  });

  test("reaches what enclosing components define, by outer aliases", async () => {
    const plan = await planOf(`
      (core module $m (func (export "run") (param i32) (result i32) local.get 0))
      (type $f (func (param "x" u32) (result u32)))
      (component $n
        (component $inner
          (alias outer 2 $m (core module $m))
          (alias outer 2 $f (type $f))
          (core instance $c (instantiate $m))
          (func $run (type $f) (canon lift (core func $c "run")))
          (export "run" (func $run)))
        (instance $i (instantiate $inner))
        (export "run" (func $i "run")))
      (instance $a (instantiate $n))
      (export "run" (func $a "run"))`);
    expect(plan.exports).toEqual([{ name: "run", lift: 0 }]);
  });
});

describe("what is inconsistent in itself is malformed", () => {
  test.each([
    [
      "a core import that nothing is given for",
      `(core module $m (import "a" "b" (func)))
      (core instance (instantiate $m))`,
      'the core import "a" "b" is not given a core func',
    ],
    [
      "a core import of another kind",
      `(core module $n (memory (export "b") 1)) (core instance $n (instantiate $n))
      (core module $m (import "a" "b" (func))) (core instance (instantiate $m (with "a" (instance $n))))`,
      'the core import "a" "b" is not given a core func',
    ],
    [
      "an alias of an export that is not there",
      `${MODULE} (alias core export $c "walk" (core func))`,
      'expected a core instance with the core func "walk"',
    ],
    [
      "an argument that is missing",
      `(component $n (import "f" (func))) (instance (instantiate $n))`,
      'the argument "f" is missing',
    ],
    [
      "an argument of another type",
      `${RUN} (component $n (import "f" (func (param "x" string))))
      (instance (instantiate $n (with "f" (func $run))))`,
      'the argument "f" is func(x: string), expected func(x: u32) -> u32',
    ],
    [
      "an export that is there twice",
      `${RUN} (export "run" (func $run))`,
      'the export "run" is there twice',
    ],
    [
      "an import that is there twice",
      `(import "test:host/types@0.1.0" (instance))
      (import "test:host/types@0.1.0" (instance))`,
      "is there twice",
    ],
    [
      "a lift of strings without realloc",
      `(core module $m (memory (export "mem") 1) (func (export "run") (param i32 i32)))
      (core instance $c (instantiate $m))
      (func (param "s" string) (canon lift (core func $c "run") (memory (core memory $c "mem"))))`,
      "expected the option realloc",
    ],
    [
      "a lift of strings without memory",
      `${MODULE} (func (result string) (canon lift (core func $c "run")))`,
      "expected the option memory",
    ],
    [
      "resource.new of a resource of somebody else",
      `(import "test:host/things@1.2.3"
      (instance $t (export "thing" (type (sub resource)))))
      (alias export $t "thing" (type $r)) (core func (canon resource.new $r))`,
      "expected a resource that this component defines",
    ],
    [
      "a borrowed handle in a result",
      `(type $r (resource (rep i32))) (type (func (result (borrow $r))))`,
      "expected no borrowed handle in the result",
    ],
    [
      "a borrowed handle in a stream",
      `(type $r (resource (rep i32))) (type (stream (borrow $r)))`,
      "expected no borrowed handle in a stream",
    ],
    ["a stream of characters", `(type (stream char))`, "expected no stream of the type char"],
    [
      "a built-in of streams for a future",
      `(type $t (future u8)) (core func (canon stream.new $t))`,
      "expected the type of a stream",
    ],
    [
      "a copy of elements without a memory",
      `(type $t (stream u8)) (core func (canon stream.write $t async))`,
      "expected the option memory",
    ],
    [
      "a read of strings without realloc",
      `(core module $m (memory (export "memory") 1)) (core instance $c (instantiate $m))
      (type $t (future string))
      (core func (canon future.read $t async (memory (core memory $c "memory"))))`,
      "expected the option realloc",
    ],
    [
      "a module that V8 refuses",
      `(core module $m (func (result i32))) (core instance (instantiate $m))`,
      "a core module is invalid",
    ],
  ])("%s", async (_what, text, message) => {
    const error = await refusal(text);
    expect(error.kind).toBe("malformed");
    expect(error.message).toContain(message);
  });

  test("an index that points nowhere says how many there are", () => {
    expect(refusalOfBytes(component(section(2, [0x00, 0x05, 0x00])))).toMatchObject({
      message: "expected the index of a core module, found 5 where 0 are defined at byte 11",
      offset: 11,
    });
  });

  test("a component cannot reach itself, or what is defined after it, from inside", () => {
    const recursive = component(
      section(6, [0x04, 0x02, 0x01, 0x00]),
      section(5, [0x00, 0x00, 0x00]),
    );
    const outer = component(wholeSection(4, recursive), section(5, [0x00, 0x00, 0x00]));
    expect(refusalOfBytes(outer).message).toContain(
      "expected the index of an outer component, found 0 where 0 are defined",
    );
  });

  test("an alias to a scope that does not exist is refused, however far out", () => {
    expect(
      refusalOfBytes(component(section(6, [0x03, 0x02, ...u32(0xffff_ffff), 0x00]))).kind,
    ).toBe("malformed");
  });
});

describe("what toolchains do not make is refused by name", () => {
  test.each([
    [
      "a lifted function that is not the export of a core module",
      `
      (import "test:host/things@1.2.3" (instance $t (export "wait" (func (param "x" u32) (result u32)))))
      (core func $wait (canon lower (func $t "wait")))
      (func (param "x" u32) (result u32) (canon lift (core func $wait)))`,
    ],
  ])("%s", async (message, text) => {
    const error = await refusal(text);
    expect(error.kind).toBe("unsupported");
    expect(error.message).toContain(`${message} is not supported`);
  });
});

describe("small uploads cannot cost much", () => {
  test("types that double at each step are refused, not expanded", () => {
    const types: Bytes[] = [[0x6f, 0x02, 0x7d, 0x7d]];
    for (let i = 0; i < 60; i += 1) types.push([0x6f, 0x02, i, i]);
    expect(refusalOfBytes(component(section(7, ...types)))).toMatchObject({
      kind: "too-complex",
      message: expect.stringContaining("a type of more than 10000 parts"),
    });
  });

  test("lists of lists, a thousand deep, are refused before anything recurses into them", () => {
    const types: Bytes[] = [[0x70, 0x7d]];
    for (let i = 0; i < 1000; i += 1)
      types.push([0x70, ...(i < 64 ? [i] : [(i & 0x7f) | 0x80, i >> 7])]);
    expect(refusalOfBytes(component(section(7, ...types)))).toMatchObject({
      kind: "too-complex",
      message: expect.stringContaining("types of more than 100 levels"),
    });
  });

  test("instance types that double at each step are refused where they are used", () => {
    const types: Bytes[] = [[0x42, 0x00]];
    for (let i = 0; i < 30; i += 1) {
      const alias: Bytes = [0x02, 0x03, 0x02, 0x01, i];
      types.push([0x42, 0x03, ...alias, ...exportInstance("a"), ...exportInstance("b")]);
    }
    const use: Bytes = [0x00, ...name("test:host/types@0.1.0"), 0x05, 30];
    expect(refusalOfBytes(component(section(7, ...types), section(10, use))).kind).toBe(
      "too-complex",
    );
  });

  test("components that instantiate two of the one before double at each step, and are refused", async () => {
    const levels = Array.from(
      { length: 6 },
      (_, i) => `(component $c${i + 1}
        (alias outer 1 $c${i} (component $p))
        ${"(instance (instantiate $p))".repeat(20)})`,
    );
    const error = await refusal(`(component $c0) ${levels.join(" ")} (instance (instantiate $c6))`);
    expect(error).toMatchObject({
      kind: "too-complex",
      message: expect.stringContaining("more than 10000 definitions"),
    });
  });

  test("a module that is instantiated again and again is refused by its instances", async () => {
    const instances = "(core instance (instantiate $m))".repeat(17);
    expect(await refusal(`(core module $m (memory 1)) ${instances}`)).toMatchObject({
      kind: "too-complex",
      message: expect.stringContaining("more than 16 core modules"),
    });
  });

  test("a big type that each of many functions uses is refused by the sum", async () => {
    const names = Array.from({ length: 4000 }, (_, i) => `"n${i}"`).join(" ");
    const exports = Array.from(
      { length: 60 },
      (_, i) => `(export "f${i}" (func (param "e" $e)))`,
    ).join(" ");
    const declared = `(type $x (enum ${names})) (export "e" (type $e (eq $x))) ${exports}`;
    const text = `
      (component $n (type $t (instance ${declared})) (import "i" (instance $i (type $t)))
        (export "o" (instance $i)))
      (component $outer (type $t (instance ${declared})) (import "j" (instance $j (type $t)))
        (alias outer 1 $n (component $n))
        (instance (instantiate $n (with "i" (instance $j)))))
      (type $t (instance ${declared}))
      (import "test:host/types@0.1.0" (instance $q (type $t)))
      (instance (instantiate $outer (with "j" (instance $q))))`;
    const error = await refusal(text);
    expect(error.kind).toBe("too-complex");
  });

  test("thousands of functions that each instance would have to make are refused", async () => {
    const count = 4100;
    const lowered = Array.from(
      { length: count },
      (_, i) => `(core func $f${i} (canon resource.drop $r))`,
    );
    const exports = Array.from({ length: count }, (_, i) => `(export "${i}" (func $f${i}))`);
    const imports = Array.from(
      { length: count },
      (_, i) => `(import "h" "${i}" (func (param i32)))`,
    );
    const error = await refusal(
      `(type $r (resource (rep i32))) ${lowered.join(" ")}
       (core module $m ${imports.join(" ")})
       (core instance (instantiate $m (with "h" (instance ${exports.join(" ")}))))`,
      { ...testLimits, definitionsMax: 100_000 },
    );
    expect(error).toMatchObject({
      kind: "too-complex",
      message: expect.stringContaining("more than 4096 functions"),
    });
  });

  test("a memory under a hundred names is refused", async () => {
    const names = Array.from({ length: 100 }, (_, i) => `(export "m${i}" (memory 0))`).join(" ");
    expect(
      await refusal(`(core module $m (memory 1) ${names}) (core instance (instantiate $m))`),
    ).toMatchObject({ kind: "too-complex", message: expect.stringContaining("exported memories") });
  });
});

function exportInstance(label: string): Bytes {
  return [0x04, 0x00, ...name(label), 0x05, 0x00];
}
