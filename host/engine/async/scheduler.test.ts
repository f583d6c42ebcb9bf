import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { func, u32 } from "../component/wit-types.ts";
import { createEngine } from "../create-engine.ts";
import type { Bounds, CompiledComponent, Instance, World } from "../engine.ts";
import { assemble } from "../testing/assemble.ts";
import { testLimits } from "../testing/limits.ts";
import { WaitableSet } from "./waitable-set.ts";

// The host calls `caller`, which starts `count` calls of `callee` and then yields `turns` times. In `wait`, those all
// wait for one set, in which one call of the host, `pass`, is under way after the other. In `held`, they all yield, and
// then another one waits for `pass` in the midst of its code.
const COMPONENT = `
  (component
    (import "test:calls/host@1.0.0" (instance $host (export "pass" (func async))))
    (component $Callee
      (import "pass" (func $pass async))
      (core module $Memory (memory (export "memory") 1))
      (core instance $memory (instantiate $Memory))
      (core func $pass (canon lower (func $pass) async))
      (core func $set-new (canon waitable-set.new))
      (core func $set-wait (canon waitable-set.wait (memory (core memory $memory "memory"))))
      (core func $join (canon waitable.join))
      (core func $drop (canon subtask.drop))
      (core func $return (canon task.return))
      (core module $Main
        (import "" "pass" (func $pass (result i32)))
        (import "" "set-new" (func $set-new (result i32)))
        (import "" "set-wait" (func $set-wait (param i32 i32) (result i32)))
        (import "" "join" (func $join (param i32 i32)))
        (import "" "drop" (func $drop (param i32)))
        (import "" "return" (func $return))
        (global $set (mut i32) (i32.const 0))
        (func $start
          (call $join (i32.shr_u (call $pass) (i32.const 4)) (global.get $set)))
        (func $awaited (result i32) (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4))))
        (func (export "wait") (result i32)
          (if (i32.eqz (global.get $set)) (then (global.set $set (call $set-new)) (call $start)))
          (call $awaited))
        (func (export "has-event") (param $code i32) (param $subtask i32) (param i32) (result i32)
          (call $join (local.get $subtask) (i32.const 0))
          (call $drop (local.get $subtask))
          (call $start)
          (call $awaited))
        (func (export "yield") (result i32) (i32.const 1))
        (func (export "hold") (result i32)
          (global.set $set (call $set-new))
          (call $start)
          (drop (call $set-wait (global.get $set) (i32.const 0)))
          (call $return)
          (i32.const 0))
        (func (export "end") (param i32 i32 i32) (result i32)
          (call $return)
          (i32.const 0)))
      (core instance $main (instantiate $Main (with "" (instance
        (export "pass" (func $pass)) (export "set-new" (func $set-new)) (export "set-wait" (func $set-wait))
        (export "join" (func $join)) (export "drop" (func $drop)) (export "return" (func $return))))))
      (func (export "wait") async (canon lift (core func $main "wait") async (callback (core func $main "has-event"))))
      (func (export "yield") async (canon lift (core func $main "yield") async (callback (core func $main "end"))))
      (func (export "hold") async (canon lift (core func $main "hold") async (callback (core func $main "end")))))
    (component $Caller
      (import "callee" (instance $callee
        (export "wait" (func async)) (export "yield" (func async)) (export "hold" (func async))))
      (core func $wait (canon lower (func $callee "wait") async))
      (core func $yield (canon lower (func $callee "yield") async))
      (core func $hold (canon lower (func $callee "hold") async))
      (core func $return (canon task.return))
      (core module $Main
        (import "" "wait" (func $wait (result i32)))
        (import "" "yield" (func $yield (result i32)))
        (import "" "hold" (func $hold (result i32)))
        (import "" "return" (func $return))
        (global $left (mut i32) (i32.const 0))
        (func (export "wait") (param $count i32) (param $turns i32) (result i32)
          (global.set $left (local.get $turns))
          (loop $next
            (drop (call $wait))
            (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
          (i32.const 1))
        (func (export "held") (param $count i32) (param $turns i32) (result i32)
          (global.set $left (local.get $turns))
          (loop $next
            (drop (call $yield))
            (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
          (drop (call $hold))
          (i32.const 1))
        (func (export "turn") (param i32 i32 i32) (result i32)
          (global.set $left (i32.sub (global.get $left) (i32.const 1)))
          (if (global.get $left) (then (return (i32.const 1))))
          (call $return)
          (i32.const 0)))
      (core instance $main (instantiate $Main (with "" (instance
        (export "wait" (func $wait)) (export "yield" (func $yield)) (export "hold" (func $hold))
        (export "return" (func $return))))))
      (func (export "wait") async (param "count" u32) (param "turns" u32)
        (canon lift (core func $main "wait") async (callback (core func $main "turn"))))
      (func (export "held") async (param "count" u32) (param "turns" u32)
        (canon lift (core func $main "held") async (callback (core func $main "turn")))))
    (instance $callee (instantiate $Callee (with "pass" (func $host "pass"))))
    (instance $caller (instantiate $Caller (with "callee" (instance $callee))))
    (export "wait" (func $caller "wait"))
    (export "held" (func $caller "held")))`;

const called = func({ count: u32, turns: u32 }, null, { async: true });

const world: World = {
  imports: [
    {
      name: "test:calls/host",
      version: "1.0.0",
      resources: {},
      functions: { pass: { type: func({}, null, { async: true }), suspends: true } },
    },
  ],
  exports: { wait: [called], held: [called] },
};

const engine = createEngine();
let component: CompiledComponent;
beforeAll(async () => {
  component = engine.compile(await assemble(COMPONENT), world, testLimits).component;
});

afterEach(() => {
  vi.restoreAllMocks();
});

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function instantiate(
  pass: () => Promise<void>,
  bounds: Partial<Bounds>,
  from = component,
): Instance {
  const links = { "test:calls/host": { functions: { pass } } };
  const unbounded = { memoryBytesMax: Infinity, onFuelSpent: () => undefined };
  return engine.instantiate(from, links, { ...unbounded, ...bounds });
}

test("an event for which many tasks wait costs no more than a look at each, in time of the guest", async () => {
  const count = 200;
  let isRunning = true;
  let events = 0;
  const instance = instantiate(
    async () => {
      await nextTurn();
      events += 1;
    },
    {
      onSuspend: () => (isRunning = false),
      onResume: () => (isRunning = true),
    },
  );
  const looks: boolean[] = [];
  const original = Object.getOwnPropertyDescriptor(WaitableSet.prototype, "hasPendingEvent");
  vi.spyOn(WaitableSet.prototype, "hasPendingEvent", "get").mockImplementation(function look(
    this: WaitableSet,
  ) {
    looks.push(isRunning);
    return original?.get?.call(this) === true;
  });
  await instance.call("wait", [count, 30]);
  expect(events).toBeGreaterThan(20);
  expect(looks.length).toBeLessThan(2 * (count + events) * count);
  expect(looks).not.toContain(false);
});

test("a guest leaves the thread to others also while it only looks for who goes on", async () => {
  const count = 300;
  let yielded = 0;
  const instance = instantiate(() => new Promise(() => {}), {
    onYield: () => {
      yielded += 1;
      return nextTurn();
    },
  });
  await instance.call("held", [count, 1]);
  expect(yielded).toBeGreaterThan(count + 1);
});

// In each call, a function of a synchronous type starts a call of the host, and leaves it under way.
const LEAVING = `
  (component
    (import "test:calls/host@1.0.0" (instance $host (export "pass" (func async))))
    (core func $pass (canon lower (func $host "pass") async))
    (core module $Main
      (import "" "pass" (func $pass (result i32)))
      (func (export "leave") (drop (call $pass))))
    (core instance $main (instantiate $Main (with "" (instance (export "pass" (func $pass))))))
    (func (export "leave") (canon lift (core func $main "leave"))))`;

describe("what the host brings between two calls", () => {
  let leaving: CompiledComponent;
  beforeAll(async () => {
    const exports = { leave: [func({})] };
    const bytes = await assemble(LEAVING);
    leaving = engine.compile(bytes, { ...world, exports }, testLimits).component;
  });

  test("is delivered in the next one, and takes no time before", async () => {
    let resumed = 0;
    const bounds = { onResume: () => (resumed += 1) };
    const instance = instantiate(() => nextTurn(), bounds, leaving);
    // More than may be under way at once.
    for (let call = 0; call < 1_001; call += 1) {
      await instance.call("leave", []);
      const before = resumed;
      await nextTurn();
      await nextTurn();
      expect(resumed).toBe(before);
    }
  });

  test("ends the next one where it is a failure, and the instance with it", async () => {
    const failure = new Error("the host failed");
    const instance = instantiate(() => Promise.reject(failure), {}, leaving);
    await instance.call("leave", []);
    await nextTurn();
    expect(instance.isDead).toBe(false);
    await expect(instance.call("leave", [])).rejects.toBe(failure);
    expect(instance.isDead).toBe(true);
  });
});
