import { componentEmbed, componentNew, parse } from "@bytecodealliance/jco";
import { beforeAll, describe, expect, test } from "vitest";
import { func, u32 } from "../component/wit-types.ts";
import { createEngine } from "../create-engine.ts";
import type { CompileLimits, CompiledComponent, Instance, World } from "../engine.ts";
import { Trap } from "../engine.ts";

const limits: CompileLimits = {
  componentBytesMax: 1024 * 1024,
  nestingDepthMax: 32,
  sectionsMax: 10_000,
  coreFunctionsMax: 100_000,
  coreModulesMax: 16,
  typeNodesMax: 10_000,
  definitionsMax: 10_000,
  nameBytesMax: 1024,
  tablesMax: 64,
  tableElementsMax: 100_000,
  grownTableElementsMax: 10_000,
  memoriesMax: 16,
};

const WIT = `
  package test:waiting@1.0.0;
  interface host { sleep: async func(ms: u32) -> u32; }
  world guest {
    import host;
    export both: async func(first: u32, second: u32) -> u32;
    export blocked: async func(ms: u32) -> u32;
    export stuck: async func() -> u32;
  }`;

const sleep = func({ ms: u32 }, u32, { async: true });

const world: World = {
  imports: [
    {
      name: "test:waiting/host",
      version: "1.0.0",
      resources: {},
      functions: { sleep: { type: sleep, suspends: true } },
    },
  ],
  exports: {
    both: [func({ first: u32, second: u32 }, u32, { async: true })],
    blocked: [func({ ms: u32 }, u32, { async: true })],
    stuck: [func({}, u32, { async: true })],
  },
};

// `both` starts two sleeps at once and waits for them through its callback; `blocked` waits for one
// in the midst of its code; `stuck` waits for an empty set.
const CORE = `
  (module
    (import "test:waiting/host@1.0.0" "[async-lower]sleep" (func $sleep (param i32 i32) (result i32)))
    (import "$root" "[waitable-set-new]" (func $set-new (result i32)))
    (import "$root" "[waitable-set-wait]" (func $set-wait (param i32 i32) (result i32)))
    (import "$root" "[waitable-set-drop]" (func $set-drop (param i32)))
    (import "$root" "[waitable-join]" (func $join (param i32 i32)))
    (import "$root" "[subtask-drop]" (func $subtask-drop (param i32)))
    (import "[export]$root" "[task-return]both" (func $return-both (param i32)))
    (import "[export]$root" "[task-return]blocked" (func $return-blocked (param i32)))
    (import "[export]$root" "[task-return]stuck" (func $return-stuck (param i32)))
    (memory (export "memory") 1)
    (global $set (mut i32) (i32.const 0))
    (global $left (mut i32) (i32.const 0))
    (func $start (param $ms i32) (param $place i32)
      (local $packed i32)
      (local.set $packed (call $sleep (local.get $ms) (local.get $place)))
      (if (i32.eq (i32.and (local.get $packed) (i32.const 15)) (i32.const 1))
        (then
          (call $join (i32.shr_u (local.get $packed) (i32.const 4)) (global.get $set))
          (global.set $left (i32.add (global.get $left) (i32.const 1))))))
    (func $next (result i32)
      (if (result i32) (global.get $left)
        (then (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4))))
        (else
          (call $set-drop (global.get $set))
          (call $return-both (i32.add (i32.load (i32.const 64)) (i32.load (i32.const 68))))
          (i32.const 0))))
    (func (export "[async-lift]both") (param i32 i32) (result i32)
      (global.set $set (call $set-new))
      (call $start (local.get 0) (i32.const 64))
      (call $start (local.get 1) (i32.const 68))
      (call $next))
    (func (export "[callback][async-lift]both") (param $event i32) (param $index i32) (param $state i32) (result i32)
      (call $subtask-drop (local.get $index))
      (global.set $left (i32.sub (global.get $left) (i32.const 1)))
      (call $next))
    (func (export "[async-lift]blocked") (param i32) (result i32)
      (global.set $set (call $set-new))
      (call $start (local.get 0) (i32.const 64))
      (drop (call $set-wait (global.get $set) (i32.const 16)))
      (call $subtask-drop (i32.load (i32.const 16)))
      (call $set-drop (global.get $set))
      (global.set $left (i32.const 0))
      (call $return-blocked (i32.load (i32.const 64)))
      (i32.const 0))
    (func (export "[callback][async-lift]blocked") (param i32 i32 i32) (result i32) unreachable)
    (func (export "[async-lift]stuck") (result i32)
      (i32.or (i32.const 2) (i32.shl (call $set-new) (i32.const 4))))
    (func (export "[callback][async-lift]stuck") (param i32 i32 i32) (result i32) unreachable))`;

async function later(ms: number): Promise<number> {
  await new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
  return ms;
}

describe("a component with asynchronous imports", () => {
  let component: CompiledComponent;
  beforeAll(async () => {
    const binary = await parse(CORE);
    const embedded = await componentEmbed({ binary, witSource: WIT, world: "guest" });
    const bytes = await componentNew(embedded, []);
    component = createEngine().compile(bytes, world, limits).component;
  });

  function instantiate(host: (ms: number) => unknown): Instance {
    const links = { "test:waiting/host": { functions: { sleep: host } } };
    return createEngine().instantiate(component, links);
  }

  test("has several calls under way at once", async () => {
    let inFlight = 0;
    let inFlightMost = 0;
    const instance = instantiate(async (ms) => {
      inFlight += 1;
      inFlightMost = Math.max(inFlightMost, inFlight);
      await later(ms);
      inFlight -= 1;
      return ms;
    });
    expect(await instance.call("both", [3, 2])).toBe(5);
    expect(await instance.call("both", [1, 4])).toBe(5);
    expect(inFlightMost).toBe(2);
  });

  test("goes on at once where the host answers at once", async () => {
    expect(await instantiate((ms) => ms).call("both", [3, 2])).toBe(5);
  });

  test("can wait in the midst of its code", async () => {
    const instance = instantiate(later);
    expect(await instance.call("blocked", [2])).toBe(2);
    expect(await instance.call("blocked", [1])).toBe(1);
  });

  test.each(["both", "blocked"])(
    "ends with the failure of the host while it waits in %s",
    async (name) => {
      const failure = new Error("the host failed");
      const instance = instantiate(async (ms) => {
        await later(ms);
        throw failure;
      });
      await expect(instance.call(name, name === "both" ? [1, 1] : [1])).rejects.toBe(failure);
      expect(instance.isDead).toBe(true);
    },
  );

  test.each(["both", "blocked"])("can be abandoned while it waits in %s", async (name) => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const instance = instantiate(() => promise);
    const call = instance.call(name, name === "both" ? [1, 1] : [1]);
    const reason = new Error("the caller left");
    instance.abandon(reason);
    await expect(call).rejects.toBe(reason);
    resolve(1);
    await new Promise(setImmediate);
    expect(instance.isDead).toBe(true);
  });

  test("traps where it waits for nothing", async () => {
    await expect(instantiate((ms) => ms).call("stuck", [])).rejects.toThrow(Trap);
  });
});
