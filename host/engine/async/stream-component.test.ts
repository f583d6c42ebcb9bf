import { beforeAll, describe, expect, test } from "vitest";
import { func, u32 } from "../component/wit-types.ts";
import { createEngine } from "../create-engine.ts";
import type { CompiledComponent, Instance } from "../engine.ts";
import { assemble } from "../testing/assemble.ts";
import { testLimits } from "../testing/limits.ts";
import { STREAM_COMPONENT, streamWorld } from "../testing/stream-component.ts";

const engine = createEngine();
let component: CompiledComponent;
beforeAll(async () => {
  component = engine.compile(await assemble(STREAM_COMPONENT), streamWorld, testLimits).component;
});

function instantiate(): Instance {
  return engine.instantiate(component, {});
}

describe("a component that reads what another one writes", () => {
  test.each([0, 1, 2, 7, 1000])(
    "gets all of %i numbers, in pieces of other sizes",
    async (count) => {
      expect(await instantiate().call("sum", [count])).toBe((count * Math.max(0, count - 1)) / 2);
    },
  );

  test("lets others run, however often it goes back and forth between the two", async () => {
    let turns = 0;
    const turn = async (): Promise<void> => {
      await new Promise(setImmediate);
      turns += 1;
    };
    const bounds = {
      memoryBytesMax: Infinity,
      onFuelSpent: () => undefined,
      onYield: turn,
    };
    expect(await engine.instantiate(component, {}, bounds).call("sum", [2000])).toBe(1_999_000);
    expect(turns).toBeGreaterThanOrEqual(5);
  });

  test("gets the value of a future in its own encoding", async () => {
    expect(await instantiate().call("names", [])).toEqual(["üß", ""]);
  });

  test("does so again and again, and can be frozen in between", async () => {
    const instance = instantiate();
    for (let i = 0; i < 3; i += 1) {
      expect(await instance.call("names", [])).toEqual(["üß", ""]);
      expect(await instance.call("sum", [10])).toBe(45);
      expect(instance.freeze()).toBe(true);
    }
  });

  test("is not frozen while a read is under way: its value is to lie in the memory", async () => {
    const instance = instantiate();
    expect(await instance.call("leave", [])).toBe(0xffff_ffff);
    expect(instance.freeze()).toBe(false);
  });
});

const COPIER = `
  (component
    (type $numbers (stream u8))
    (core module $Memory (memory (export "memory") 1))
    (core instance $memory (instantiate $Memory))
    (core func $new (canon stream.new $numbers))
    (core func $read (canon stream.read $numbers async (memory (core memory $memory "memory"))))
    (core func $write (canon stream.write $numbers async (memory (core memory $memory "memory"))))
    (core func $cancel (canon stream.cancel-read $numbers))
    (core module $Main
      (import "" "new" (func $new (result i64)))
      (import "" "read" (func $read (param i32 i32 i32) (result i32)))
      (import "" "write" (func $write (param i32 i32 i32) (result i32)))
      (import "" "cancel" (func $cancel (param i32) (result i32)))
      (func (export "run") (param $count i32) (result i32)
        (local $ends i64) (local $reader i32) (local $bytes i32)
        (local.set $ends (call $new))
        (local.set $reader (i32.wrap_i64 (local.get $ends)))
        (loop $again
          (drop (call $read (local.get $reader) (i32.const 0) (i32.const 60000)))
          (local.set $bytes (i32.add (local.get $bytes) (i32.shr_u
            (call $write (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32)))
              (i32.const 0) (i32.const 60000))
            (i32.const 4))))
          (drop (call $cancel (local.get $reader)))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br_if $again (local.get $count)))
        (local.get $bytes)))
    (core instance $main (instantiate $Main (with "" (instance
      (export "new" (func $new))
      (export "read" (func $read))
      (export "write" (func $write))
      (export "cancel" (func $cancel))))))
    (func (export "run") (param "count" u32) (result u32) (canon lift (core func $main "run"))))`;

test("a component that copies asks for time as one that computes so long", async () => {
  const world = { imports: [], exports: { run: [func({ count: u32 }, u32)] } };
  const copier = engine.compile(await assemble(COPIER), world, testLimits).component;
  let asked = 0;
  const bounds = {
    memoryBytesMax: Infinity,
    onFuelSpent: (canWait: boolean) => {
      asked += 1;
      return canWait ? Promise.resolve() : undefined;
    },
  };
  const instance = engine.instantiate(copier, {}, bounds);
  expect(await instance.call("run", [100])).toBe(6_000_000);
  expect(asked).toBeGreaterThanOrEqual(10);
  expect(instance.fuelUsed).toBeGreaterThan(6_000_000);
  expect(instance.fuelUsed).toBeLessThan(6_100_000);
});
