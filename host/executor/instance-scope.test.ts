import { expect, test } from "vitest";
import { func, u32 } from "../engine/component/wit-types.ts";
import { createEngine } from "../engine/create-engine.ts";
import type { World } from "../engine/engine.ts";
import { assemble } from "../engine/testing/assemble.ts";
import { testLimits } from "../engine/testing/limits.ts";
import { InstanceScope } from "./instance-scope.ts";
import { appLimits, invocationOf } from "./testing/calls.ts";
import { ThreadClock } from "./thread-clock.ts";
import { Turns } from "./turns.ts";

function compute(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

function scopeOf(clock: ThreadClock, turns = new Turns(1), sliceMs = 1): InstanceScope {
  return new InstanceScope({
    app: { tenantId: "acme", app: "a", revisionId: "r" },
    limits: appLimits(),
    emit: () => undefined,
    clock,
    turns,
    sliceMs,
  });
}

function begin(scope: InstanceScope, sequence: number): void {
  scope.start(sequence);
  scope.begin(invocationOf({ sequence }));
}

test("a guest pays for its start, and not for the time that it waits", () => {
  const scope = scopeOf(new ThreadClock(() => undefined));
  const startedAtMs = performance.now();
  scope.start(1);
  compute(5);
  scope.begin(invocationOf());
  scope.suspended();
  compute(5);
  scope.resumed();
  compute(5);
  scope.end();
  expect(scope.cpuMs).toBeGreaterThanOrEqual(10);
  expect(scope.cpuMs).toBeLessThanOrEqual(performance.now() - startedAtMs - 5);
});

test("a guest that computes when its call has returned, and others have run since, is asked to wait all the same", () => {
  const clock = new ThreadClock(() => undefined);
  const [returned, next] = [scopeOf(clock), scopeOf(clock)];
  begin(returned, 1);
  begin(next, 2);
  expect(returned.fuelSpent(true)).toBeUndefined();
  compute(5);
  expect(returned.fuelSpent(true)).toBeInstanceOf(Promise);
});

test("of many that have computed for long and wait for the same, one goes on in each turn of the thread", async () => {
  const turns = new Turns(1);
  const clock = new ThreadClock(() => undefined);
  const scopes = Array.from({ length: 4 }, () => scopeOf(clock, turns));
  scopes.forEach((scope, sequence) => {
    begin(scope, sequence + 1);
    compute(2);
    scope.suspended();
  });
  let wentOn = 0;
  const arrivals = scopes.map(async (scope) => {
    await scope.arrived();
    wentOn += 1;
  });
  const each: number[] = [];
  while (wentOn < scopes.length) {
    const before = wentOn;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    each.push(wentOn - before);
  }
  await Promise.all(arrivals);
  expect(Math.max(...each)).toBe(1);
});

test("one that has computed for less than a slice, or has ended, waits for no turn", async () => {
  const clock = new ThreadClock(() => undefined);
  const [short, ended] = [scopeOf(clock, new Turns(1), 60_000), scopeOf(clock)];
  begin(short, 1);
  short.suspended();
  begin(ended, 2);
  compute(2);
  ended.suspended();
  ended.end();
  let wentOn = 0;
  const arrivals = [short, ended].map(async (scope) => {
    await scope.arrived();
    wentOn += 1;
  });
  await Promise.resolve();
  await Promise.resolve();
  expect(wentOn).toBe(2);
  await Promise.all(arrivals);
});

test("one that was put aside keeps its turn when code of it runs for something else", async () => {
  const turns = new Turns(1);
  const clock = new ThreadClock(() => undefined);
  const scope = scopeOf(clock, turns);
  begin(scope, 1);
  const turn = scope.yielded();
  scope.suspended();
  // The end of an import that it did not wait for is put into its memory.
  scope.resumed();
  scope.suspended();
  await expect(turn).resolves.toBeUndefined();
});

// Two components of one guest: both yield `times` before they return, the one while it calls the other.
const YIELDING = `
  (component
    (component $Callee
      (core func $return (canon task.return))
      (core module $Main
        (import "" "return" (func $return))
        (global $left (mut i32) (i32.const 0))
        (func (export "yield") (param $times i32) (result i32)
          (global.set $left (local.get $times))
          (i32.const 1))
        (func (export "callback") (param i32 i32 i32) (result i32)
          (global.set $left (i32.sub (global.get $left) (i32.const 1)))
          (if (global.get $left) (then (return (i32.const 1))))
          (call $return)
          (i32.const 0)))
      (core instance $main (instantiate $Main (with "" (instance (export "return" (func $return))))))
      (func (export "yield") async (param "times" u32)
        (canon lift (core func $main "yield") async (callback (core func $main "callback")))))
    (component $Caller
      (import "callee" (instance $callee (export "yield" (func async (param "times" u32)))))
      (core func $yield (canon lower (func $callee "yield") async))
      (core func $return (canon task.return (result u32)))
      (core func $set-new (canon waitable-set.new))
      (core func $join (canon waitable.join))
      (core func $drop (canon subtask.drop))
      (core module $Main
        (import "" "yield" (func $yield (param i32) (result i32)))
        (import "" "return" (func $return (param i32)))
        (import "" "set-new" (func $set-new (result i32)))
        (import "" "join" (func $join (param i32 i32)))
        (import "" "drop" (func $drop (param i32)))
        (global $set (mut i32) (i32.const 0))
        (global $subtask (mut i32) (i32.const 0))
        (global $left (mut i32) (i32.const 0))
        (func (export "run") (param $times i32) (result i32)
          (if (i32.eqz (global.get $set)) (then (global.set $set (call $set-new))))
          (global.set $left (local.get $times))
          (global.set $subtask (i32.shr_u (call $yield (local.get $times)) (i32.const 4)))
          (call $join (global.get $subtask) (global.get $set))
          (i32.const 1))
        (func (export "callback") (param $code i32) (param i32 i32) (result i32)
          (if (local.get $code)
            (then
              (call $join (global.get $subtask) (i32.const 0))
              (call $drop (global.get $subtask))
              (call $return (i32.const 7))
              (return (i32.const 0))))
          (global.set $left (i32.sub (global.get $left) (i32.const 1)))
          (if (global.get $left) (then (return (i32.const 1))))
          (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4)))))
      (core instance $main (instantiate $Main (with "" (instance
        (export "yield" (func $yield)) (export "return" (func $return)) (export "drop" (func $drop))
        (export "set-new" (func $set-new)) (export "join" (func $join))))))
      (func (export "run") async (param "times" u32) (result u32)
        (canon lift (core func $main "run") async (callback (core func $main "callback")))))
    (instance $callee (instantiate $Callee))
    (instance $caller (instantiate $Caller (with "callee" (instance $callee))))
    (export "run" (func $caller "run")))`;

const yieldingWorld: World = {
  imports: [],
  exports: { run: [func({ times: u32 }, u32, { async: true })] },
};

test.each([
  ["a guest whose tasks yield at once, three hundred times", 300, 1],
  ["an instance that yields in each of three hundred calls", 1, 300],
])("%s, has all its turns", async (_, times, calls) => {
  const engine = createEngine();
  const bytes = await assemble(YIELDING);
  const { component } = engine.compile(bytes, yieldingWorld, testLimits);
  const scope = scopeOf(new ThreadClock(() => undefined));
  scope.start(1);
  const bounds = {
    memoryBytesMax: Infinity,
    onFuelSpent: (canWait: boolean) => scope.fuelSpent(canWait),
    onYield: () => scope.yielded(),
    onSuspend: () => scope.suspended(),
    onResume: () => scope.resumed(),
  };
  const instance = engine.instantiate(component, {}, bounds);
  scope.end();
  for (let sequence = 2; sequence < 2 + calls; sequence += 1) {
    begin(scope, sequence);
    // One after the other: an instance runs one call at a time.
    expect(await instance.call("run", [times])).toBe(7);
    scope.end();
  }
});

test("a turn that a guest waits for does not outlast its call", async () => {
  const scope = scopeOf(new ThreadClock(() => undefined));
  begin(scope, 1);
  const left = scope.yielded();
  scope.end();
  begin(scope, 2);
  const next = scope.yielded();
  await expect(Promise.all([left, next])).resolves.toBeDefined();
});
