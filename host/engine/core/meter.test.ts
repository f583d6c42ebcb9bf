import { componentEmbed, componentNew } from "@bytecodealliance/jco";
import { describe, expect, test } from "vitest";
import { func, u32 } from "../component/wit-types.ts";
import { createEngine } from "../create-engine.ts";
import { Trap } from "../engine.ts";
import type { Bounds, Instance } from "../engine.ts";
import { assemble } from "../testing/assemble.ts";
import { testLimits } from "../testing/limits.ts";
import { buildStoreGuest, storeLinks, storeWorld } from "../testing/store-guest.ts";
import { testWorld } from "../testing/world.ts";

const engine = createEngine();

class Spent extends Error {
  override readonly name = "Spent";
}

const PAGE_BYTES = 65_536;

function bounds(given: Partial<Bounds>): Bounds {
  return { memoryBytesMax: Infinity, onFuelSpent: () => undefined, ...given };
}

/** Asked so often, a guest is ended. */
function endedAfter(times: number): Bounds {
  let asked = 0;
  return bounds({
    onFuelSpent: () => {
      asked += 1;
      if (asked > times) throw new Spent("spent");
      return undefined;
    },
  });
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

async function instantiate(text: string, given: Bounds): Promise<Instance> {
  const bytes = await assemble(`(component ${text})`);
  const { component } = engine.compile(bytes, testWorld, testLimits);
  const links = { "test:host/things": { functions: { greet: (name: string) => name } } };
  return engine.instantiate(component, links, given);
}

/** One core module whose `run` has this code. */
function program(code: string, fields = ""): string {
  return `(core module $m ${fields} (func (export "run") (param $x i32) (result i32) ${code}))
    (core instance $c (instantiate $m))
    (func $run (param "x" u32) (result u32) (canon lift (core func $c "run")))
    (export "run" (func $run))`;
}

const LOOP = "(loop (br 0)) unreachable";

describe("a guest that waits", () => {
  test("goes on with nobody else between its resumption and its code", async () => {
    const events: string[] = [];
    const { promise, resolve } = Promise.withResolvers<number>();
    const bytes = await assemble(`(component
      (import "test:host/things@1.2.3" (instance $t
        (export "wait" (func (param "x" u32) (result u32)))
        (export "add" (func (param "a" u32) (param "b" u32) (result u32)))))
      (core func $wait (canon lower (func $t "wait")))
      (core func $add (canon lower (func $t "add")))
      (core module $m
        (import "h" "wait" (func $wait (param i32) (result i32)))
        (import "h" "add" (func $add (param i32 i32) (result i32)))
        (func (export "run") (param $x i32) (result i32)
          (call $add (call $wait (local.get $x)) (i32.const 1))))
      (core instance $c (instantiate $m (with "h" (instance
        (export "wait" (func $wait)) (export "add" (func $add))))))
      (func $run (param "x" u32) (result u32) (canon lift (core func $c "run")))
      (export "run" (func $run)))`);
    const { component } = engine.compile(bytes, testWorld, testLimits);
    const calls = ["a", "b", "c"].map((name) => {
      const functions = {
        wait: () => promise,
        add: (a: number, b: number) => {
          events.push(`${name} runs`);
          return a + b;
        },
      };
      const given = bounds({
        onSuspend: () => events.push(`${name} waits`),
        onResume: () => events.push(`${name} resumes`),
      });
      const instance = engine.instantiate(component, { "test:host/things": { functions } }, given);
      return instance.call("run", [1]);
    });
    expect(events).toEqual(["a waits", "b waits", "c waits"]);
    resolve(1);
    expect(await Promise.all(calls)).toEqual([2, 2, 2]);
    for (const name of ["a", "b", "c"]) {
      expect(events[events.indexOf(`${name} runs`) - 1]).toBe(`${name} resumes`);
    }
  });

  test("does not wait as long as it computes beside what it has asked for", async () => {
    const wit = `
      package test:sleeper@1.0.0;
      interface host { sleep: async func(ms: u32) -> u32; }
      world guest { import host; export start: async func(ms: u32) -> u32; }`;
    const sleep = func({ ms: u32 }, u32, { async: true });
    const binary = await assemble(`(module
      (import "test:sleeper/host@1.0.0" "[async-lower]sleep" (func $sleep (param i32 i32) (result i32)))
      (import "[export]$root" "[task-return]start" (func $return (param i32)))
      (memory (export "memory") 1)
      (func (export "[async-lift]start") (param i32) (result i32)
        (drop (call $sleep (local.get 0) (i32.const 64)))
        (loop (br 0)) unreachable)
      (func (export "[callback][async-lift]start") (param i32 i32 i32) (result i32) unreachable))`);
    const embedded = await componentEmbed({ binary, witSource: wit, world: "guest" });
    const { component } = engine.compile(
      await componentNew(embedded, []),
      {
        imports: [
          {
            name: "test:sleeper/host",
            version: "1.0.0",
            resources: {},
            functions: { sleep: { type: sleep, suspends: true } },
          },
        ],
        exports: { start: [sleep] },
      },
      testLimits,
    );
    let waits = 0;
    const instance = engine.instantiate(
      component,
      { "test:sleeper/host": { functions: { sleep: () => new Promise(() => {}) } } },
      { ...endedAfter(5), onSuspend: () => (waits += 1) },
    );
    await expect(instance.call("start", [1])).rejects.toThrow(Spent);
    expect(waits).toBe(0);
  });
});

describe("a guest that computes without an end", () => {
  test("is ended with what its bounds throw, and its instance is dead", async () => {
    const instance = await instantiate(program(LOOP), endedAfter(5));
    await expect(instance.call("run", [1])).rejects.toThrow(Spent);
    expect(instance.isDead).toBe(true);
  });

  test("is ended also where it handles every exception", async () => {
    const code = `(loop $l (block $b (try_table (catch_all $b) (loop (br 0)))) (br $l)) unreachable`;
    const instance = await instantiate(program(code), endedAfter(5));
    await expect(instance.call("run", [1])).rejects.toThrow(Spent);
  });

  test("is ended while it starts", async () => {
    const text = program("local.get $x", "(func $s (loop (br 0))) (start $s)");
    await expect(instantiate(text, endedAfter(5))).rejects.toThrow(Spent);
  });

  test("is ended while it makes room for what the host hands over, and cannot wait there", async () => {
    const answers: boolean[] = [];
    const given = bounds({
      onFuelSpent: (canWait) => {
        answers.push(canWait);
        if (answers.length > 3) throw new Spent("spent");
        return undefined;
      },
    });
    const text = `
      (import "test:host/things@1.2.3" (instance $t
        (export "greet" (func (param "name" string) (result string)))))
      (core module $memory (memory (export "m") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) ${LOOP}))
      (core instance $mem (instantiate $memory))
      (core func $greet (canon lower (func $t "greet") (memory (core memory $mem "m")) (realloc (core func $mem "realloc"))))
      (core module $m (import "h" "greet" (func $greet (param i32 i32 i32)))
        (func (export "run") (param i32) (result i32)
          (call $greet (i32.const 0) (i32.const 3) (i32.const 8)) (i32.const 1)))
      (core instance $c (instantiate $m (with "h" (instance (export "greet" (func $greet))))))
      (func $run (param "x" u32) (result u32) (canon lift (core func $c "run")))
      (export "run" (func $run))`;
    const instance = await instantiate(text, given);
    await expect(instance.call("run", [1])).rejects.toThrow(Spent);
    // The first one before \`run\`, for its own core instance.
    expect(answers).toEqual([true, false, false, false]);
  });

  test("is put aside as often as it is asked to wait, and others run meanwhile", async () => {
    let asked = 0;
    const given = bounds({
      onFuelSpent: (canWait) => {
        expect(canWait).toBe(true);
        asked += 1;
        if (asked > 20) throw new Spent("spent");
        return nextTurn();
      },
    });
    const endless = await instantiate(program(LOOP), given);
    const other = await instantiate(program("local.get $x"), bounds({}));
    const ended = endless.call("run", [1]);
    for (let served = 0; served < 15; served += 1) {
      expect(await other.call("run", [served])).toBe(served);
      await nextTurn();
    }
    expect(asked).toBeLessThanOrEqual(20);
    await expect(ended).rejects.toThrow(Spent);
    expect(asked).toBe(21);
  });

  test("is given up while it is put aside, and never goes on", async () => {
    let asked = 0;
    const given = bounds({
      onFuelSpent: () => {
        asked += 1;
        return nextTurn();
      },
    });
    const instance = await instantiate(program(LOOP), given);
    const called = instance.call("run", [1]);
    instance.abandon(new Spent("given up"));
    await expect(called).rejects.toThrow("given up");
    const before = asked;
    await nextTurn();
    await nextTurn();
    expect(asked).toBe(before);
  });

  test("ends with the reason when what it waits for fails", async () => {
    const given = bounds({ onFuelSpent: () => Promise.reject(new Spent("while it waited")) });
    const instance = await instantiate(program(LOOP), given);
    await expect(instance.call("run", [1])).rejects.toThrow("while it waited");
  });

  test("in JavaScript is put aside, and ended", async () => {
    const { component } = engine.compile(
      await buildStoreGuest("async", "for (;;);"),
      storeWorld,
      testLimits,
    );
    let asked = 0;
    const given = bounds({
      onFuelSpent: (canWait) => {
        asked += 1;
        if (asked > 200) throw new Spent("spent");
        return canWait ? nextTurn() : undefined;
      },
    });
    const instance = engine.instantiate(component, storeLinks(), given);
    await expect(instance.call("handle", [new Uint8Array(1)])).rejects.toThrow(Spent);
  });
});

describe("the fuel of an instance", () => {
  const COUNT = `(loop $l (br_if $l (local.tee $x (i32.sub (local.get $x) (i32.const 1)))))
    (local.get $x)`;

  test("grows with what its calls do, by the instruction", async () => {
    const instance = await instantiate(program(COUNT), bounds({}));
    await instance.call("run", [1]);
    const first = instance.fuelUsed;
    await instance.call("run", [1]);
    expect(instance.fuelUsed).toBe(2 * first);
    await instance.call("run", [1_000_001]);
    // Five instructions go round.
    expect(instance.fuelUsed).toBe(3 * first + 5_000_000);
  });

  test("is kept when the instance is frozen, and goes on when it is called again", async () => {
    const instance = await instantiate(program(COUNT), bounds({}));
    await instance.call("run", [1000]);
    const used = instance.fuelUsed;
    expect(instance.freeze()).toBe(true);
    expect(instance.fuelUsed).toBe(used);
    await instance.call("run", [1000]);
    expect(instance.fuelUsed).toBe(2 * used);
  });

  test("cannot be had by another core module of the component", async () => {
    const text = `(core module $m (func $f (export "f") (call $f)))
      (core instance $c (instantiate $m))
      (core module $thief (import "m" "downpour:fuel" (global (mut i32)))
        (func (export "run") (param i32) (result i32) (local.get 0)))
      (core instance $t (instantiate $thief (with "m" (instance $c))))
      (func $run (param "x" u32) (result u32) (canon lift (core func $t "run")))
      (export "run" (func $run))`;
    await expect(instantiate(text, bounds({}))).rejects.toThrow("is not given a core global");
  });
});

describe("the memories of an instance", () => {
  const GROW = "(memory.grow (local.get $x))";
  const FAILED = 0xffff_ffff;

  test("grow up to the limit, all of them together", async () => {
    const text = program(
      `(if (i32.eq (memory.grow $b (i32.const 2)) (i32.const -1)) (then unreachable)) ${GROW}`,
      "(memory $a 1) (memory $b 1)",
    );
    const instance = await instantiate(text, bounds({ memoryBytesMax: 8 * PAGE_BYTES }));
    // Two to begin with, and two more each time.
    expect(await instance.call("run", [1])).toBe(1);
    expect(await instance.call("run", [2])).toBe(FAILED);
    await expect(instance.call("run", [0])).rejects.toThrow(Trap);
  });

  test("that begin with more than the limit are never made", async () => {
    const text = program("local.get $x", "(memory 30000) (memory 30000)");
    await expect(instantiate(text, bounds({ memoryBytesMax: 8 * PAGE_BYTES }))).rejects.toThrow(
      "the memories of the component begin with more than it may have",
    );
  });

  test("are counted as before when it was frozen in between", async () => {
    const text = program(
      GROW,
      `(memory 1) (func $s (drop (memory.grow (i32.const 1)))) (start $s)`,
    );
    const instance = await instantiate(text, bounds({ memoryBytesMax: 4 * PAGE_BYTES }));
    expect(await instance.call("run", [1])).toBe(2);
    expect(instance.freeze()).toBe(true);
    expect(await instance.call("run", [1])).toBe(3);
    expect(instance.freeze()).toBe(true);
    expect(await instance.call("run", [1])).toBe(FAILED);
  });
});
