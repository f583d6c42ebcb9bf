import { componentEmbed, componentNew } from "@bytecodealliance/jco";
import { describe, expect, test } from "vitest";
import { func, u32 } from "../component/wit-types.ts";
import { createEngine } from "../create-engine.ts";
import { Trap } from "../engine.ts";
import type { Bounds, Instance, Links, World } from "../engine.ts";
import { assemble } from "../testing/assemble.ts";
import { testLimits } from "../testing/limits.ts";
import { buildStoreGuest, storeLinks, storeWorld } from "../testing/store-guest.ts";
import { testWorld } from "../testing/world.ts";

const engine = createEngine();

interface Host {
  readonly wait?: (x: number) => number | Promise<number>;
  readonly dropThing?: (thing: { readonly n: number }) => void;
}

function linksTo(host: Host): Links {
  return {
    "test:host/things": {
      functions: {
        add: (a: number, b: number) => a + b,
        wait: host.wait ?? ((x: number) => x),
        greet: (name: string) => `hello ${name}`,
        "[constructor]thing": (n: number) => ({ n }),
        "[method]thing.value": ({ n }: { readonly n: number }) => n,
      },
      drop: { thing: host.dropThing ?? (() => {}) },
    },
  };
}

async function instantiate(text: string, host: Host = {}, bounds?: Bounds): Promise<Instance> {
  const bytes = await assemble(`(component ${text})`);
  const { component } = engine.compile(bytes, testWorld, testLimits);
  return engine.instantiate(component, linksTo(host), bounds);
}

const LIFT_RUN = `(func $run (param "x" u32) (result u32) (canon lift (core func $c "run")))
  (export "run" (func $run))`;

/** A component of one module; `run` is its body, and it may wait for the host. */
function program(body: string, fields = ""): string {
  return `
    (import "test:host/things@1.2.3" (instance $t (export "wait" (func (param "x" u32) (result u32)))))
    (core func $wait (canon lower (func $t "wait")))
    (core module $m
      (import "host" "wait" (func $wait (param i32) (result i32)))
      ${fields}
      (func $run (export "run") (param $x i32) (result i32) ${body}))
    (core instance $c (instantiate $m (with "host" (instance (export "wait" (func $wait))))))
    ${LIFT_RUN}`;
}

/** Calls an instance, freezing it before each call. */
async function callFrozen(instance: Instance, args: readonly number[]): Promise<unknown[]> {
  const answers: unknown[] = [];
  for (const x of args) {
    expect(instance.freeze()).toBe(true);
    answers.push(await instance.call("run", [x]));
  }
  return answers;
}

describe("a frozen instance goes on where it was", () => {
  test("with its memories, also those that it does not export", async () => {
    const instance = await instantiate(
      program(
        `(i32.store $b (i32.const 70000) (i32.add (i32.load $b (i32.const 70000)) (local.get $x)))
         (i32.store $a (i32.const 8) (i32.load $b (i32.const 70000)))
         (i32.load $a (i32.const 8))`,
        `(memory $a (export "a") 1) (memory $b 2) (data (memory $b) (i32.const 70000) "\\05")`,
      ),
    );
    expect(await callFrozen(instance, [1, 10, 100])).toEqual([6, 16, 116]);
  });

  test("with the size that its memories grew to", async () => {
    const grow = program(
      "(drop (memory.grow (local.get $x))) (memory.size)",
      '(memory (export "m") 1 10)',
    );
    const instance = await instantiate(grow);
    expect(await callFrozen(instance, [2, 0, 20, 3])).toEqual([3, 3, 3, 6]);
  });

  test("with its globals of every type, in every core instance", async () => {
    const instance = await instantiate(`
      (core module $other
        (global $i (export "i") (mut i64) (i64.const -9007199254740993))
        (func (export "next") (result i32)
          (global.set $i (i64.add (global.get $i) (i64.const 1))) (i32.wrap_i64 (global.get $i))))
      (core instance $o1 (instantiate $other))
      (core instance $o2 (instantiate $other))
      (core module $m
        (import "a" "next" (func $a (result i32))) (import "b" "next" (func $b (result i32)))
        (import "a" "i" (global $shared (mut i64)))
        (global $f (mut f32) (f32.const 0.1)) (global $d (mut f64) (f64.const 0.1))
        (func (export "run") (param $x i32) (result i32)
          (global.set $f (f32.add (global.get $f) (f32.const 1)))
          (global.set $d (f64.mul (global.get $d) (f64.const 2)))
          (drop (call $a)) (drop (call $a)) (drop (call $b))
          (i32.add (i32.sub (call $a) (call $b))
            (i32.trunc_f64_u (f64.add (f64.promote_f32 (global.get $f)) (global.get $d))))))
      (core instance $c (instantiate $m (with "a" (instance $o1)) (with "b" (instance $o2))))
      ${LIFT_RUN}`);
    const unfrozen: unknown[] = [];
    const frozen = await callFrozen(instance, [0, 0, 0, 0]);
    expect(frozen).toEqual([1 + 1, 2 + 2, 3 + 3, 4 + 5]);
    for (let i = 0; i < 2; i += 1) unfrozen.push(await instance.call("run", [0]));
    expect(unfrozen).toEqual([5 + 8, 6 + 12]);
  });

  test("with the handles that it holds, and the objects behind them", async () => {
    const dropped: number[] = [];
    const instance = await instantiate(KEEPS_THINGS, { dropThing: ({ n }) => dropped.push(n) });
    // Makes a thing of 5, and then of 6; each call answers the value of the first one.
    expect(await callFrozen(instance, [5, 6])).toEqual([5, 5]);
    instance.freeze();
    expect(dropped).toEqual([]);
    instance.abandon(new Error("idle for too long"));
    expect(dropped.toSorted((a, b) => a - b)).toEqual([5, 6]);
  });

  test("and waits for the host as before", async () => {
    const instance = await instantiate(
      program(
        "(global.set $n (i32.add (global.get $n) (call $wait (local.get $x)))) (global.get $n)",
        "(global $n (mut i32) (i32.const 0))",
      ),
      { wait: (x) => Promise.resolve(x) },
    );
    expect(await callFrozen(instance, [1, 2, 3])).toEqual([1, 3, 6]);
  });

  test.each(["sync", "async"] as const)(
    "as a JavaScript guest, %s, with its own heap",
    async (kind) => {
      const { component } = engine.compile(
        await buildStoreGuest(
          kind,
          "(globalThis.seen ??= []).push({ input }); return new Uint8Array([calls, seen.length]);",
        ),
        storeWorld,
        testLimits,
      );
      const instance = engine.instantiate(component, storeLinks());
      for (const calls of [1, 2, 3]) {
        expect(instance.freeze()).toBe(true);
        expect(await instance.call("handle", [new Uint8Array(4)])).toEqual(
          Uint8Array.of(calls, calls),
        );
      }
      expect(await instance.call("describe", [])).toBe('{"calls":3}');
    },
  );
});

/** Keeps each thing it makes, and answers the value of the first. */
const KEEPS_THINGS = `
  (import "test:host/things@1.2.3" (instance $t
    (export "thing" (type $thing (sub resource)))
    (export "[constructor]thing" (func (param "n" u32) (result (own $thing))))
    (export "[method]thing.value" (func (param "self" (borrow $thing)) (result u32)))))
  (alias export $t "thing" (type $thing))
  (core func $make (canon lower (func $t "[constructor]thing")))
  (core func $value (canon lower (func $t "[method]thing.value")))
  (core module $m
    (import "h" "make" (func $make (param i32) (result i32)))
    (import "h" "value" (func $value (param i32) (result i32)))
    (global $first (mut i32) (i32.const 0))
    (func (export "run") (param $x i32) (result i32) (local $made i32)
      (local.set $made (call $make (local.get $x)))
      (if (i32.eqz (global.get $first)) (then (global.set $first (local.get $made))))
      (call $value (global.get $first))))
  (core instance $c (instantiate $m (with "h" (instance
    (export "make" (func $make)) (export "value" (func $value))))))
  ${LIFT_RUN}`;

describe("a frozen instance", () => {
  test("keeps only what its calls changed", async () => {
    const { component } = engine.compile(await buildStoreGuest("async"), storeWorld, testLimits);
    const instance = engine.instantiate(component, storeLinks());
    await instance.call("handle", [new Uint8Array(4)]);
    const linkedBytes = instance.memoryBytes;
    expect(instance.freeze()).toBe(true);
    expect(instance.memoryBytes).toBeGreaterThan(0);
    expect(instance.memoryBytes).toBeLessThan(linkedBytes / 8);
    await instance.call("handle", [new Uint8Array(4)]);
    expect(instance.memoryBytes).toBe(linkedBytes);
  });

  test("can be frozen again, before its first call too, and is not dead", async () => {
    const instance = await instantiate(program("(local.get $x)"));
    expect([instance.freeze(), instance.freeze(), instance.isDead]).toEqual([true, true, false]);
    expect(await instance.call("run", [7])).toBe(7);
  });

  test("traps as before, and is dead then", async () => {
    const instance = await instantiate(program("(unreachable)"));
    instance.freeze();
    await expect(instance.call("run", [1])).rejects.toThrow(Trap);
    expect([instance.isDead, instance.freeze()]).toEqual([true, false]);
  });

  test("that is abandoned is dead", async () => {
    const instance = await instantiate(program("(local.get $x)"));
    instance.freeze();
    instance.abandon(new Error("its revision was deleted"));
    expect(instance.isDead).toBe(true);
    await expect(instance.call("run", [1])).rejects.toThrow("dead");
  });

  test("runs its start functions again without a trace", async () => {
    const instance = await instantiate(
      program(
        "(i32.add (i32.load (i32.const 0)) (local.get $x))",
        `(memory 1) (global $starts (mut i32) (i32.const 0))
         (func $start (global.set $starts (i32.add (global.get $starts) (i32.const 1)))
           (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (global.get $starts))))
         (start $start)`,
      ),
    );
    expect(await callFrozen(instance, [10, 10])).toEqual([11, 11]);
  });

  test("asks for its memory before it is brought back, once, and waits for it frozen", async () => {
    const asked: number[] = [];
    let isFull = false;
    const instance = await instantiate(
      program(
        "(drop (memory.grow (local.get $x))) (memory.size)",
        "(memory 1) (func $start (drop (memory.grow (i32.const 2)))) (start $start)",
      ),
      {},
      {
        memoryBytesMax: Infinity,
        onFuelSpent: () => undefined,
        takeMemory: (bytes) => {
          asked.push(bytes / 65_536);
          return !isFull;
        },
      },
    );
    expect(await instance.call("run", [4])).toBe(7);
    expect(instance.freeze()).toBe(true);
    isFull = true;
    await expect(instance.call("run", [0])).rejects.toThrow(RangeError);
    expect(instance.isDead).toBe(false);
    isFull = false;
    expect(await instance.call("run", [1])).toBe(8);
    expect(asked).toEqual([1, 2, 4, 7, 7, 1]);
  });

  test("is dead where its bounds end it while it is brought back", async () => {
    let isLate = false;
    const onFuelSpent = (): undefined => {
      if (isLate) throw new Error("the deadline");
    };
    const bounds = { memoryBytesMax: Infinity, onFuelSpent };
    const instance = await instantiate(computesAtStart(1_000_000), {}, bounds);
    expect(await callFrozen(instance, [7])).toEqual([1_000_007]);
    expect(instance.freeze()).toBe(true);
    isLate = true;
    await expect(instance.call("run", [7])).rejects.toThrow("the deadline");
    expect(instance.isDead).toBe(true);
  });

  test("may come from another thread's compilation", async () => {
    const bytes = await assemble(
      `(component ${program("(global.set 0 (i32.add (global.get 0) (i32.const 1))) (global.get 0)", "(global (mut i32) (i32.const 0))")})`,
    );
    const { stored } = engine.compile(bytes, testWorld, testLimits);
    const instance = engine.instantiate(createEngine().load(structuredClone(stored)), linksTo({}));
    expect(await callFrozen(instance, [0, 0])).toEqual([1, 2]);
  });
});

const SLEEPER_WIT = `
  package test:sleeper@1.0.0;
  interface host { sleep: async func(ms: u32) -> u32; }
  world guest { import host; export start: async func(ms: u32) -> u32; }`;

const SLEEP = func({ ms: u32 }, u32, { async: true });

const SLEEPER_WORLD: World = {
  imports: [
    {
      name: "test:sleeper/host",
      version: "1.0.0",
      resources: {},
      functions: { sleep: { type: SLEEP, suspends: true } },
    },
  ],
  exports: { start: [SLEEP] },
};

/** Each call starts a sleep that it does not wait for, and answers what the one before it has given. */
const SLEEPER = `
  (module
    (import "test:sleeper/host@1.0.0" "[async-lower]sleep" (func $sleep (param i32 i32) (result i32)))
    (import "[export]$root" "[task-return]start" (func $return (param i32)))
    (memory (export "memory") 1)
    (func (export "[async-lift]start") (param i32) (result i32)
      (call $return (i32.load (i32.const 64)))
      (if (local.get 0) (then (drop (call $sleep (local.get 0) (i32.const 64)))))
      (i32.const 0))
    (func (export "[callback][async-lift]start") (param i32 i32 i32) (result i32) unreachable))`;

function computesAtStart(rounds: number): string {
  return program(
    "(i32.add (global.get $n) (local.get $x))",
    `(global $n (mut i32) (i32.const 0))
     (func $start (loop
       (global.set $n (i32.add (global.get $n) (i32.const 1)))
       (br_if 0 (i32.lt_u (global.get $n) (i32.const ${rounds})))))
     (start $start)`,
  );
}

const CALLS_HOST_AT_START = `
  (import "test:host/things@1.2.3" (instance $t
    (export "add" (func (param "a" u32) (param "b" u32) (result u32)))))
  (core func $add (canon lower (func $t "add")))
  (core module $m
    (import "host" "add" (func $add (param i32 i32) (result i32)))
    (global $sum (mut i32) (i32.const 0))
    (func $start (global.set $sum (call $add (i32.const 3) (i32.const 4))))
    (start $start)
    (func (export "run") (param $x i32) (result i32) (i32.add (global.get $sum) (local.get $x))))
  (core instance $c (instantiate $m (with "host" (instance (export "add" (func $add))))))
  ${LIFT_RUN}`;

describe("an instance is not frozen, and goes on", () => {
  test("while a call runs", async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const instance = await instantiate(program("(call $wait (local.get $x))"), {
      wait: () => promise,
    });
    const called = instance.call("run", [1]);
    expect(instance.freeze()).toBe(false);
    resolve(42);
    expect(await called).toBe(42);
    expect(instance.freeze()).toBe(true);
  });

  test("while an asynchronous import is under way: its result is to lie in the memory", async () => {
    const binary = await assemble(SLEEPER);
    const embedded = await componentEmbed({ binary, witSource: SLEEPER_WIT, world: "guest" });
    const bytes = await componentNew(embedded, []);
    const { promise, resolve } = Promise.withResolvers<number>();
    const { component } = engine.compile(bytes, SLEEPER_WORLD, testLimits);
    const links = { "test:sleeper/host": { functions: { sleep: () => promise } } };
    const instance = engine.instantiate(component, links);
    expect(await instance.call("start", [1])).toBe(0);
    expect(instance.freeze()).toBe(false);
    resolve(42);
    await new Promise(setImmediate);
    // It is there, and delivered in the next call.
    expect(instance.freeze()).toBe(false);
    expect(await instance.call("start", [0])).toBe(42);
    expect(instance.freeze()).toBe(true);
    expect(await instance.call("start", [0])).toBe(42);
  });

  test("while its memories are larger than 8 MiB", async () => {
    const body = "(drop (memory.grow (local.get $x))) (memory.size)";
    const instance = await instantiate(program(body, "(memory 128)"));
    expect(instance.freeze()).toBe(true);
    expect(await instance.call("run", [1])).toBe(129);
    expect(instance.freeze()).toBe(false);
    expect(await instance.call("run", [1])).toBe(130);
  });

  test.each([
    [
      "where it may have other state: elements that it sets",
      program(
        `(if (local.get $x) (then (table.set (i32.const 0) (ref.func $seven))))
         (call_indirect (result i32) (i32.const 0))`,
        `(table 1 funcref) (elem (i32.const 0) $run0) (func $run0 (result i32) (i32.const 5))
         (func $seven (result i32) (i32.const 7)) (elem declare func $seven)`,
      ),
      [0, 1, 0],
      [5, 7, 7],
    ],
    ["where its start function calls the host", CALLS_HOST_AT_START, [1, 2], [8, 9]],
    ["where its start function computes for long", computesAtStart(20_000_000), [1], [20_000_001]],
    [
      "while a global is not a number",
      program(
        `(global.set $nan (f32.div (f32.const 0) (f32.convert_i32_s (local.get $x))))
         (i32.reinterpret_f32 (f32.abs (global.get $nan)))`,
        "(global $nan (mut f32) (f32.const 0))",
      ),
      [0],
      [0x7fc00000],
    ],
  ])("%s", async (_, text, args, answers) => {
    const instance = await instantiate(text);
    const given: unknown[] = [];
    for (const x of args) {
      given.push(await instance.call("run", [x]));
      expect(instance.freeze()).toBe(false);
    }
    expect(given).toEqual(answers);
    expect(instance.isDead).toBe(false);
  });
});
