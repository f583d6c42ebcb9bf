import { describe, expect, test } from "vitest";
import { createEngine } from "../create-engine.ts";
import { assemble } from "../testing/assemble.ts";
import { testLimits } from "../testing/limits.ts";
import { readPlan } from "./plan.ts";
import type { Plan, TrampolinePlan } from "./plan.ts";
import { func, u32 } from "./wit-types.ts";

const engine = createEngine();
const world = { imports: [], exports: { run: [func({}, u32, { async: true })] } };

/** A component whose module is given the functions, in this order. */
function text(types: string, functions: readonly string[]): string {
  return `(component
    (core module $Memory (memory (export "m") 1))
    (core instance $memory (instantiate $Memory))
    ${types}
    ${functions.map((canon, i) => `(core func $f${i} (canon ${canon}))`).join("\n")}
    (core func $return (canon task.return (result u32)))
    (core module $Main
      ${functions.map((canon, i) => `(import "" "f${i}" (func ${coreType(canon)}))`).join("\n")}
      (import "" "return" (func (param i32)))
      (func (export "run") (result i32) unreachable)
      (func (export "callback") (param i32 i32 i32) (result i32) unreachable))
    (core instance $main (instantiate $Main (with "" (instance
      ${functions.map((_, i) => `(export "f${i}" (func $f${i}))`).join("\n")}
      (export "return" (func $return))))))
    (func (export "run") async (result u32)
      (canon lift (core func $main "run") async (callback (core func $main "callback")))))`;
}

function coreType(canon: string): string {
  if (canon.includes(".new")) return "(result i64)";
  return canon.includes(".write") ? "(param i32 i32 i32) (result i32)" : "(param i32)";
}

async function planText(types: string, functions: readonly string[]): Promise<string> {
  return engine.compile(await assemble(text(types, functions)), world, testLimits).component.plan;
}

async function planOf(types: string, functions: readonly string[]): Promise<Plan> {
  return readPlan(await planText(types, functions));
}

function trampolines({ steps }: Plan): TrampolinePlan[] {
  return steps.flatMap((step) => (step.kind === "trampoline" ? [step.trampoline] : []));
}

function elementNumbers(plan: Plan): (number | undefined)[] {
  return trampolines(plan)
    .filter(({ kind }) => kind.startsWith("end-"))
    .map((trampoline) =>
      "type" in trampoline && "elementNumber" in trampoline.type
        ? trampoline.type.elementNumber
        : undefined,
    );
}

const LONG = Array.from({ length: 100 }, (_, i) => `"n${i}-${"a".repeat(500)}"`).join(" ");

describe("the types of streams, futures and results", () => {
  test("have equal numbers where they are equal by structure", async () => {
    const plan = await planOf(
      `(type $a (tuple u8 string)) (type $b (tuple u8 string)) (type $c (tuple u8 u32))
       (type $sa (stream $a)) (type $sb (stream $b)) (type $sc (stream $c)) (type $fa (future $a))
       (type $none (stream))`,
      ["stream.new $sa", "stream.new $sb", "stream.new $sc", "future.new $fa", "stream.new $none"],
    );
    const [a, b, c, inFuture, none] = elementNumbers(plan);
    expect([b, inFuture, none]).toEqual([a, a, 0]);
    expect(c).not.toBe(a);
  });

  test("have others where they hold other resources", async () => {
    const plan = await planOf(
      `(type $r (resource (rep i32))) (type $q (resource (rep i32)))
       (type $or (own $r)) (type $oq (own $q)) (type $r2 (own $r))
       (type $sr (stream $or)) (type $sq (stream $oq)) (type $sr2 (stream $r2))`,
      ["stream.new $sr", "stream.new $sq", "stream.new $sr2"],
    );
    const [r, q, again] = elementNumbers(plan);
    expect(again).toBe(r);
    expect(q).not.toBe(r);
  });

  test("have one number in task.return and in the function that returns so", async () => {
    const plan = await planOf("(type $t (list u8))", ["task.return (result u32)"]);
    const numbers = trampolines(plan).flatMap((trampoline) =>
      trampoline.kind === "task-return" ? [trampoline.resultNumber] : [],
    );
    expect(plan.lifts.map(({ resultNumber }) => resultNumber)).toEqual([numbers[0]]);
    expect(new Set(numbers).size).toBe(1);
    expect(numbers[0]).toBeGreaterThan(0);
  });

  test("stand in the plan once, however many functions there are of them", async () => {
    const types = `(type $e' (enum ${LONG})) (export $e "e" (type $e')) (type $s (stream $e))`;
    const write = `stream.write $s async (memory (core memory $memory "m"))`;
    const few = await planText(types, [write]);
    const many = await planText(types, [
      ...Array.from({ length: 20 }, () => "stream.new $s"),
      ...Array.from({ length: 20 }, () => "stream.drop-readable $s"),
      ...Array.from({ length: 20 }, () => write),
    ]);
    expect(readPlan(many).elements).toHaveLength(1);
    expect(few.length).toBeGreaterThan(50_000);
    expect(many.length - few.length).toBeLessThan(25_000);
  });

  test("cost more where their names are long", async () => {
    const types = `(type $e' (enum ${LONG})) (export $e "e" (type $e'))`;
    const compile = async (typeNodesMax: number): Promise<unknown> => {
      const bytes = await assemble(text(types, []));
      return engine.compile(bytes, world, { ...testLimits, typeNodesMax });
    };
    await expect(compile(700)).rejects.toMatchObject({ kind: "too-complex" });
    await expect(compile(1000)).resolves.toBeDefined();
  });
});
