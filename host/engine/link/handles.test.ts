import { describe, expect, test } from "vitest";
import { func, u32 } from "../component/wit-types.ts";
import { createEngine } from "../create-engine.ts";
import { Trap } from "../engine.ts";
import type { Instance } from "../engine.ts";
import { assemble } from "../testing/assemble.ts";
import { testLimits } from "../testing/limits.ts";

const engine = createEngine();
const world = { imports: [], exports: { run: [func({ n: u32 }, u32)] } };

/** Two component instances that make so many handles while they start, and more when they are called. */
function text(make: "stream.new $s" | "waitable-set.new", atStart: number): string {
  const result = make === "waitable-set.new" ? "i32" : "i64";
  return `(component
    (component $C
      (type $s (stream u8))
      (core func $new (canon ${make}))
      (core module $m
        (import "" "new" (func $new (result ${result})))
        (func $make (export "run") (param $n i32) (result i32)
          (loop $l
            (if (local.get $n) (then
              (drop (call $new))
              (local.set $n (i32.sub (local.get $n) (i32.const 1)))
              (br $l))))
          (i32.const 7))
        (func $start (drop (call $make (i32.const ${atStart}))))
        (start $start))
      (core instance $c (instantiate $m (with "" (instance (export "new" (func $new))))))
      (func (export "run") (param "n" u32) (result u32) (canon lift (core func $c "run"))))
    (instance $a (instantiate $C))
    (instance $b (instantiate $C))
    (export "run" (func $a "run")))`;
}

async function instantiate(
  component: string,
  takeMemory: (bytes: number) => boolean,
): Promise<Instance> {
  const compiled = engine.compile(await assemble(component), world, testLimits);
  return engine.instantiate(
    compiled.component,
    {},
    {
      memoryBytesMax: 0,
      takeMemory,
      onFuelSpent: () => undefined,
    },
  );
}

describe("the handles of an instance", () => {
  test("are bounded in all of its components together", async () => {
    await expect(instantiate(text("stream.new $s", 20_000), () => true)).rejects.toThrow(
      /more than 65536 handles in one instance/u,
    );
  });

  test.each([
    ["stream.new $s", 200],
    ["waitable-set.new", 400],
  ] as const)("take memory, once there are many: those of %s", async (make, atStart) => {
    let taken = 0;
    const instance = await instantiate(text(make, atStart), (bytes) => {
      taken += bytes;
      return true;
    });
    const started = taken;
    expect(started).toBeGreaterThan(600 * 512);
    expect(instance.memoryBytes).toBe(started);
    await instance.call("run", [2000]);
    expect(taken - started).toBeGreaterThan(1900 * 512);
    expect(instance.memoryBytes).toBe(taken);
    instance.abandon(new Error("over"));
    expect(instance.memoryBytes).toBe(0);
  });

  test("take none while there are few", async () => {
    const instance = await instantiate(text("stream.new $s", 30), (bytes) => bytes === 0);
    expect(await instance.call("run", [1])).toBe(7);
    expect(instance.memoryBytes).toBe(0);
  });

  test("end it where there is no memory for them", async () => {
    const instance = await instantiate(text("waitable-set.new", 10), (bytes) => bytes === 0);
    await expect(instance.call("run", [1000])).rejects.toThrow(Trap);
    expect(instance.isDead).toBe(true);
  });
});
