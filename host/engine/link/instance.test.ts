import { describe, expect, test } from "vitest";
import { createEngine } from "../create-engine.ts";
import { Trap } from "../engine.ts";
import type { Instance, Links } from "../engine.ts";
import { assemble } from "../testing/assemble.ts";
import { testLimits } from "../testing/limits.ts";
import { testWorld } from "../testing/world.ts";

const engine = createEngine();

interface HostFunctions {
  readonly add?: (a: number, b: number) => number;
  readonly wait?: (x: number) => number | Promise<number>;
  readonly greet?: (name: string) => string;
  readonly makeThing?: (n: number) => object;
  readonly thingValue?: (thing: { readonly n: number }) => number;
  readonly dropThing?: (thing: { readonly n: number }) => void;
}

function linksTo(host: HostFunctions): Links {
  return {
    "test:host/things": {
      functions: {
        add: host.add ?? ((a: number, b: number) => a + b),
        wait: host.wait ?? ((x: number) => Promise.resolve(x)),
        greet: host.greet ?? ((name: string) => `hello ${name}`),
        "[constructor]thing": host.makeThing ?? ((n: number) => ({ n })),
        "[method]thing.value": host.thingValue ?? (({ n }: { readonly n: number }) => n),
      },
      drop: { thing: host.dropThing ?? (() => {}) },
    },
  };
}

async function instantiate(text: string, host: HostFunctions = {}): Promise<Instance> {
  const bytes = await assemble(`(component ${text})`);
  const { component } = engine.compile(bytes, testWorld, testLimits);
  return engine.instantiate(component, linksTo(host));
}

const LIFT_RUN = `(func $run (param "x" u32) (result u32) (canon lift (core func $c "run")))
  (export "run" (func $run))`;

/** A component of one module; `run` is its body, and it may import what the world offers. */
function program(body: string, fields = ""): string {
  return `
    (import "test:host/things@1.2.3" (instance $t
      (export "add" (func (param "a" u32) (param "b" u32) (result u32)))
      (export "wait" (func (param "x" u32) (result u32)))))
    (core func $add (canon lower (func $t "add")))
    (core func $wait (canon lower (func $t "wait")))
    (core module $m
      (import "host" "add" (func $add (param i32 i32) (result i32)))
      (import "host" "wait" (func $wait (param i32) (result i32)))
      ${fields}
      (func $run (export "run") (param $x i32) (result i32) ${body}))
    (core instance $c (instantiate $m
      (with "host" (instance (export "add" (func $add)) (export "wait" (func $wait))))))
    ${LIFT_RUN}`;
}

const WAIT_THEN_ADD = program("(call $add (call $wait (local.get $x)) (i32.const 1))");

describe("a call", () => {
  test("gives what the guest returns, and calls the host on the way", async () => {
    const instance = await instantiate(program("(call $add (local.get $x) (i32.const 2))"));
    expect(await instance.call("run", [40])).toBe(42);
  });

  test("waits for the host where a function may wait", async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const instance = await instantiate(WAIT_THEN_ADD, { wait: () => promise });
    const called = instance.call("run", [1]);
    resolve(41);
    expect(await called).toBe(42);
    expect(await instance.call("run", [1])).toBe(42);
  });

  test("needs no promise of a function that may wait and need not", async () => {
    const instance = await instantiate(WAIT_THEN_ADD, { wait: (x) => x });
    expect(await instance.call("run", [41])).toBe(42);
  });

  test("is refused while another one runs, which goes on", async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const instance = await instantiate(WAIT_THEN_ADD, { wait: () => promise });
    const first = instance.call("run", [1]);
    await expect(instance.call("run", [2])).rejects.toThrow("the instance is in a call already");
    resolve(41);
    expect(await first).toBe(42);
    expect(instance.isDead).toBe(false);
  });

  test("is refused from inside another one", async () => {
    let inner: Promise<unknown> | undefined;
    const instance: Instance = await instantiate(
      program("(call $add (local.get $x) (i32.const 2))"),
      {
        add: (a, b) => {
          inner = instance.call("run", [1]);
          return a + b;
        },
      },
    );
    expect(await instance.call("run", [40])).toBe(42);
    await expect(inner).rejects.toThrow("the instance is in a call already");
  });

  test("of a function that the world does not have is refused, and harms nothing", async () => {
    const instance = await instantiate(WAIT_THEN_ADD);
    await expect(instance.call("__proto__", [])).rejects.toThrow(
      "the world has no export __proto__",
    );
    expect(await instance.call("run", [41])).toBe(42);
  });

  test("keeps its instance's memory to itself", async () => {
    const counter = program(
      `(global.set $n (i32.add (global.get $n) (local.get $x))) (global.get $n)`,
      "(global $n (mut i32) (i32.const 0))",
    );
    const { component } = engine.compile(
      await assemble(`(component ${counter})`),
      testWorld,
      testLimits,
    );
    const [a, b] = [
      engine.instantiate(component, linksTo({})),
      engine.instantiate(component, linksTo({})),
    ];
    expect(await a.call("run", [1])).toBe(1);
    expect(await a.call("run", [1])).toBe(2);
    expect(await b.call("run", [5])).toBe(5);
  });

  test("is one of a thousand that wait on one thread", async () => {
    const { component } = engine.compile(
      await assemble(`(component ${WAIT_THEN_ADD})`),
      testWorld,
      testLimits,
    );
    const gate = Promise.withResolvers<void>();
    const links = linksTo({ wait: async (x) => (await gate.promise, x) });
    const calls = Array.from({ length: 1000 }, (_, i) =>
      engine.instantiate(component, links).call("run", [i]),
    );
    gate.resolve();
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 1000 }, (_, i) => i + 1));
  });
});

describe("a trap ends the instance", () => {
  test.each([
    ["unreachable", "unreachable", "", "unreachable"],
    ["a division by zero", "(i32.div_u (local.get $x) (i32.const 0))", "", "divide by zero"],
    [
      "an access outside memory",
      "(i32.load (i32.const 65536))",
      "(memory 1)",
      "memory access out of bounds",
    ],
    ["a recursion without end", "(call $run (local.get $x))", "", "call stack exhausted"],
    [
      "an exception of its own that it lets go",
      "(throw $e)",
      "(tag $e)",
      "an exception left the guest",
    ],
  ])("%s", async (_what, body, fields, message) => {
    const instance = await instantiate(program(body, fields));
    const error = await instance.call("run", [1]).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(Trap);
    expect(error).toMatchObject({ message });
    expect(instance).toMatchObject({ isDead: true, memoryBytes: 0 });
    await expect(instance.call("run", [1])).rejects.toThrow("the instance is dead");
  });

  test("after a wait, too", async () => {
    const instance = await instantiate(program("(drop (call $wait (local.get $x))) unreachable"));
    await expect(instance.call("run", [1])).rejects.toThrow(new Trap("unreachable"));
    expect(instance.isDead).toBe(true);
  });
});

describe("what a host function throws", () => {
  class QuotaExceeded extends Error {}

  test.each([
    [
      "at once",
      () => {
        throw new QuotaExceeded("too much");
      },
    ],
    ["later", () => Promise.reject(new QuotaExceeded("too much"))],
  ])("%s, reaches the caller unchanged, and ends the instance", async (_when, wait) => {
    const instance = await instantiate(WAIT_THEN_ADD, { wait });
    await expect(instance.call("run", [1])).rejects.toThrow(QuotaExceeded);
    expect(instance.isDead).toBe(true);
  });

  test("cannot be caught by the guest", async () => {
    const catching = program(`
      (block $caught
        (try_table (catch_all $caught) (drop (call $wait (local.get $x)))))
      (call $add (i32.const 1) (i32.const 1))`);
    const called: string[] = [];
    const instance = await instantiate(catching, {
      wait: () => Promise.reject(new QuotaExceeded("too much")),
      add: () => called.push("add"),
    });
    await expect(instance.call("run", [1])).rejects.toThrow(QuotaExceeded);
    expect(called).toEqual([]);
  });
});

describe("an abandoned instance", () => {
  test("rejects its call with the reason at once, and is dead", async () => {
    const instance = await instantiate(WAIT_THEN_ADD, { wait: () => new Promise(() => {}) });
    const called = instance.call("run", [1]);
    const reason = new Error("deadline");
    instance.abandon(reason);
    expect(instance.isDead).toBe(true);
    await expect(called).rejects.toBe(reason);
    await expect(instance.call("run", [1])).rejects.toThrow("the instance is dead");
  });

  test.each([
    ["comes later", (settle: PromiseWithResolvers<number>) => settle.resolve(1)],
    ["fails later", (settle: PromiseWithResolvers<number>) => settle.reject(new Error("late"))],
  ])("is not resumed when what it waited for %s", async (_what, settle) => {
    const pending = Promise.withResolvers<number>();
    const added: number[] = [];
    const instance = await instantiate(
      program(`
        (block $caught
          (try_table (catch_all $caught) (drop (call $wait (local.get $x)))))
        (call $add (i32.const 1) (i32.const 1))`),
      { wait: () => pending.promise, add: (a, b) => added.push(a + b) },
    );
    const called = instance.call("run", [1]);
    instance.abandon(new Error("deadline"));
    await expect(called).rejects.toThrow("deadline");
    settle(pending);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    expect(added).toEqual([]);
  });

  test("runs no further host function where one of them abandoned it", async () => {
    const waited: number[] = [];
    const instance: Instance = await instantiate(
      program("(drop (call $add (local.get $x) (local.get $x))) (call $wait (local.get $x))"),
      {
        add: () => {
          instance.abandon(new Error("over"));
          return 1;
        },
        wait: (x) => waited.push(x),
      },
    );
    await expect(instance.call("run", [1])).rejects.toThrow("over");
    expect(waited).toEqual([]);
  });

  test("without a call is only dead", async () => {
    const instance = await instantiate(WAIT_THEN_ADD);
    instance.abandon(new Error("shutdown"));
    instance.abandon(new Error("again"));
    await expect(instance.call("run", [1])).rejects.toThrow("the instance is dead");
  });
});

describe("linking", () => {
  test("runs start functions, and a trap in one is the outcome", async () => {
    const text = program("local.get $x", "(func $s unreachable) (start $s)");
    await expect(instantiate(text)).rejects.toThrow(new Trap("unreachable"));
  });

  test("cannot wait in a start function", async () => {
    const text = program("local.get $x", "(func $s (drop (call $wait (i32.const 1)))) (start $s)");
    await expect(instantiate(text)).rejects.toThrow("the guest waited where it cannot");
  });

  test("takes any core name for what it is", async () => {
    const names = ["__proto__", "constructor", "toString", "", 'a\\"b', "\u2028"];
    const imports = names.map(
      (name) =>
        `(import "__proto__" "${escape(name)}" (func $f${names.indexOf(name)} (result i32)))`,
    );
    const exports = names.map(
      (name, i) => `(func (export "${escape(name)}") (result i32) i32.const ${i + 1})`,
    );
    const sum = names.map((_, i) => `call $f${i}`).join(" ") + " i32.add".repeat(names.length - 1);
    const instance = await instantiate(`
      (core module $p ${exports.join(" ")})
      (core instance $p (instantiate $p))
      (core module $m ${imports.join(" ")} (func (export "run") (param i32) (result i32) ${sum}))
      (core instance $c (instantiate $m (with "__proto__" (instance $p))))
      ${LIFT_RUN}`);
    expect(await instance.call("run", [0])).toBe(21);
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain("");
  });

  test("counts the memory of all core instances, as it is now", async () => {
    const instance = await instantiate(
      program(
        "(memory.grow $b (local.get $x))",
        `(memory (export "a") 1) (memory $b (export "b") 2)`,
      ),
    );
    expect(instance.memoryBytes).toBe(3 * 65_536);
    await instance.call("run", [4]);
    expect(instance.memoryBytes).toBe(7 * 65_536);
  });

  test("refuses a memory that threads could share", async () => {
    await expect(
      instantiate(program("local.get $x", `(memory (export "m") 1 1 shared)`)),
    ).rejects.toThrow("a shared memory is not supported");
  });

  test("without a function of an interface is a bug of the caller, not a trap", async () => {
    const { component } = engine.compile(
      await assemble(`(component ${WAIT_THEN_ADD})`),
      testWorld,
      testLimits,
    );
    expect(() => engine.instantiate(component, {})).toThrow("test:host/things is linked without");
  });
});

/** A component whose `shout` appends to a string, and one that calls it with its own memory. */
const COMPOSED = `
  (import "test:host/things@1.2.3" (instance $t
    (export "wait" (func (param "x" u32) (result u32)))
    (export "greet" (func (param "name" string) (result string)))))
  (component $callee
    (import "greet" (func $greet (param "name" string) (result string)))
    (core module $libc (memory (export "memory") 1)
      (global $next (mut i32) (i32.const 1024))
      (func (export "realloc") (param i32 i32 i32 i32) (result i32)
        (global.get $next)
        (global.set $next (i32.and (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 7)) (i32.const -8)))))
    (core instance $libc (instantiate $libc))
    (core func $greet (canon lower (func $greet)
      (memory (core memory $libc "memory")) (realloc (core func $libc "realloc")) string-encoding=utf16))
    (core module $m
      (import "libc" "memory" (memory 1))
      (import "host" "greet" (func $greet (param i32 i32 i32)))
      (func (export "shout") (param i32 i32) (result i32)
        (call $greet (local.get 0) (local.get 1) (i32.const 16))
        (i32.const 16)))
    (core instance $c (instantiate $m
      (with "libc" (instance $libc))
      (with "host" (instance (export "greet" (func $greet))))))
    (func $shout (param "s" string) (result string) (canon lift (core func $c "shout")
      (memory (core memory $libc "memory")) (realloc (core func $libc "realloc")) string-encoding=utf16))
    (export "shout" (func $shout)))
  (instance $callee (instantiate $callee (with "greet" (func $t "greet"))))
  (component $caller
    (import "shout" (func $shout (param "s" string) (result string)))
    (core module $libc (memory (export "memory") 1) (data (i32.const 100) "b\\c3\\a4r")
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 512)))
    (core instance $libc (instantiate $libc))
    (core func $shout (canon lower (func $shout)
      (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
    (core module $m
      (import "libc" "memory" (memory 1))
      (import "host" "shout" (func $shout (param i32 i32 i32)))
      (func (export "run") (param i32) (result i32)
        (call $shout (i32.const 100) (i32.const 4) (i32.const 32))
        (i32.load (i32.const 36))))
    (core instance $c (instantiate $m
      (with "libc" (instance $libc))
      (with "host" (instance (export "shout" (func $shout))))))
    (func $run (param "x" u32) (result u32) (canon lift (core func $c "run")))
    (export "run" (func $run)))
  (instance $caller (instantiate $caller (with "shout" (func $callee "shout"))))
  (export "run" (func $caller "run"))`;

describe("components that call each other", () => {
  test("pass values between memories and encodings", async () => {
    const greeted: string[] = [];
    const instance = await instantiate(COMPOSED, {
      greet: (name) => {
        greeted.push(name);
        return `${name}!!`;
      },
    });
    // The length in bytes of "bär!!" in the caller's UTF-8.
    expect(await instance.call("run", [0])).toBe(6);
    expect(greeted).toEqual(["bär"]);
  });

  /** Waits in one component, for which another one waits. */
  const WAITING = `
      (import "test:host/things@1.2.3" (instance $t (export "wait" (func (param "x" u32) (result u32)))))
      (component $callee
        (import "wait" (func $wait (param "x" u32) (result u32)))
        (core func $wait (canon lower (func $wait)))
        (core module $m (import "h" "wait" (func $wait (param i32) (result i32)))
          (func (export "run") (param i32) (result i32) (call $wait (local.get 0))))
        (core instance $c (instantiate $m (with "h" (instance (export "wait" (func $wait))))))
        ${LIFT_RUN})
      (instance $callee (instantiate $callee (with "wait" (func $t "wait"))))
      (core func $inner (canon lower (func $callee "run")))
      (core module $m (import "h" "inner" (func $inner (param i32) (result i32)))
        (func (export "run") (param i32) (result i32) (call $inner (local.get 0))))
      (core instance $c (instantiate $m (with "h" (instance (export "inner" (func $inner))))))
      ${LIFT_RUN}`;

  test("wait for each other's calls of the host", async () => {
    const instance = await instantiate(WAITING, { wait: async (x) => x + 1 });
    expect(await instance.call("run", [1])).toBe(2);
    expect(await instance.call("run", [2])).toBe(3);
  });

  test("go on at once where the host answers at once", async () => {
    const instance = await instantiate(WAITING, { wait: (x) => x + 1 });
    expect(await instance.call("run", [1])).toBe(2);
  });

  test("end with the failure of a host for which one of them waits", async () => {
    const failure = new Error("the host failed");
    const instance = await instantiate(WAITING, { wait: () => Promise.reject(failure) });
    await expect(instance.call("run", [1])).rejects.toBe(failure);
    expect(instance.isDead).toBe(true);
  });

  test("are abandoned together while one of them waits", async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const instance = await instantiate(WAITING, { wait: () => promise });
    const called = instance.call("run", [1]);
    const reason = new Error("the caller left");
    instance.abandon(reason);
    await expect(called).rejects.toBe(reason);
    resolve(1);
    await new Promise(setImmediate);
    expect(instance.isDead).toBe(true);
  });
});

/** Makes a thing, asks for its value, and drops it if `x` is not zero. */
const WITH_THING = `
  (import "test:host/things@1.2.3" (instance $t
    (export "thing" (type $thing (sub resource)))
    (export "[constructor]thing" (func (param "n" u32) (result (own $thing))))
    (export "[method]thing.value" (func (param "self" (borrow $thing)) (result u32)))))
  (alias export $t "thing" (type $thing))
  (core func $make (canon lower (func $t "[constructor]thing")))
  (core func $value (canon lower (func $t "[method]thing.value")))
  (core func $drop (canon resource.drop $thing))
  (core module $m
    (import "h" "make" (func $make (param i32) (result i32)))
    (import "h" "value" (func $value (param i32) (result i32)))
    (import "h" "drop" (func $drop (param i32)))
    (func (export "run") (param $x i32) (result i32)
      (local $thing i32) (local $value i32)
      (local.set $thing (call $make (i32.const 7)))
      (local.set $value (call $value (local.get $thing)))
      (if (local.get $x) (then (call $drop (local.get $thing))))
      (local.get $value)))
  (core instance $c (instantiate $m (with "h" (instance
    (export "make" (func $make)) (export "value" (func $value)) (export "drop" (func $drop))))))
  ${LIFT_RUN}`;

describe("resources of the host", () => {
  test("are dropped when the guest drops them", async () => {
    const dropped: number[] = [];
    const instance = await instantiate(WITH_THING, { dropThing: ({ n }) => dropped.push(n) });
    expect(await instance.call("run", [1])).toBe(7);
    expect(dropped).toEqual([7]);
  });

  test("that the guest kept are dropped with the instance", async () => {
    const dropped: number[] = [];
    const instance = await instantiate(WITH_THING, { dropThing: ({ n }) => dropped.push(n) });
    await instance.call("run", [0]);
    expect(dropped).toEqual([]);
    instance.abandon(new Error("idle for too long"));
    expect(dropped).toEqual([7]);
  });
});

test("a resource of the guest runs its destructor, in its own component", async () => {
  const instance = await instantiate(`
    (core module $d (global $dropped (mut i32) (i32.const 0))
      (func (export "dtor") (param i32) (global.set $dropped (local.get 0)))
      (func (export "dropped") (result i32) (global.get $dropped)))
    (core instance $d (instantiate $d))
    (type $r (resource (rep i32) (dtor (core func $d "dtor"))))
    (core func $new (canon resource.new $r))
    (core func $rep (canon resource.rep $r))
    (core func $drop (canon resource.drop $r))
    (core module $m
      (import "h" "new" (func $new (param i32) (result i32)))
      (import "h" "rep" (func $rep (param i32) (result i32)))
      (import "h" "drop" (func $drop (param i32)))
      (import "d" "dropped" (func $dropped (result i32)))
      (func (export "run") (param $x i32) (result i32) (local $h i32)
        (local.set $h (call $new (local.get $x)))
        (if (i32.ne (call $rep (local.get $h)) (local.get $x)) (then unreachable))
        (call $drop (local.get $h))
        (call $dropped)))
    (core instance $c (instantiate $m (with "d" (instance $d)) (with "h" (instance
      (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))))
    ${LIFT_RUN}`);
  expect(await instance.call("run", [77])).toBe(77);
});

function escape(name: string): string {
  return name.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
}
