import { parse } from "@bytecodealliance/jco";
import { describe, expect, test } from "vitest";
import { func, list, record, string, u32, u8 } from "../component/wit-types.ts";
import { Trap } from "../engine.ts";
import type { CoreFunction, GuestContext } from "./guest-context.ts";
import { compileLiftedExport } from "./lift-export.ts";
import { compileLoweredImport } from "./lower-host-function.ts";
import { createCoreGuest } from "./testing/core-guest.ts";

const utf8 = { stringEncoding: "utf8", suspends: true } as const;

function sum(all: Record<string, number>): number {
  return Object.values(all).reduce((total, value) => total + value, 0);
}

function add(this: { readonly offset: number }, a: number, b: number): number {
  return this.offset + a + b;
}

function fail(): never {
  throw new Error("failed");
}

/** Calls the import `f`, and answers 2 where the guest could catch what came out of it. */
const CATCHING_MODULE = new WebAssembly.Module(
  await parse(`
    (module
      (import "host" "f" (func $f))
      (func (export "run") (result i32)
        (block $caught
          (try_table (catch_all $caught) (call $f))
          (return (i32.const 1)))
        (i32.const 2)))`),
);

function catchingGuest(f: WebAssembly.ImportValue): () => unknown {
  const { run } = new WebAssembly.Instance(CATCHING_MODULE, { host: { f } }).exports;
  if (typeof run !== "function") throw new Error("the module exports no function");
  return run;
}

function lowered(cx: GuestContext, host: () => unknown): CoreFunction {
  return compileLoweredImport(func({}), utf8)(cx, host, undefined);
}

describe("a failure of the host's side", () => {
  test("can be caught by a guest, if it is thrown as it is", () => {
    const run = catchingGuest(() => {
      throw new Trap("as it is");
    });
    expect(run()).toBe(2);
  });

  test("cannot be caught by a guest", () => {
    const { cx, guest } = createCoreGuest();
    const cause = new Trap("final");
    const run = catchingGuest(
      lowered(cx, () => {
        throw cause;
      }),
    );
    expect(() => run()).toThrow(WebAssembly.RuntimeError);
    expect(guest.failure?.cause).toBe(cause);
  });

  test("cannot be caught by a guest that was suspended", async () => {
    const { cx, guest } = createCoreGuest();
    const cause = new Trap("final");
    const run = catchingGuest(new WebAssembly.Suspending(lowered(cx, () => Promise.reject(cause))));
    await expect(WebAssembly.promising(run)()).rejects.toThrow(WebAssembly.RuntimeError);
    expect(guest.failure?.cause).toBe(cause);
  });

  test("is the first one, and lets no further host function run", () => {
    const { cx, guest } = createCoreGuest();
    const first = new Trap("first");
    let calls = 0;
    expect(
      lowered(cx, () => {
        throw first;
      }),
    ).toThrow(WebAssembly.RuntimeError);
    expect(
      lowered(cx, () => {
        calls += 1;
      }),
    ).toThrow(WebAssembly.RuntimeError);
    expect([guest.failure?.cause, calls]).toEqual([first, 0]);
  });
});

describe("a closed guest", () => {
  test("unwinds the stack that it was suspended on, and none of its code runs", async () => {
    const { cx, guest } = createCoreGuest();
    const run = catchingGuest(new WebAssembly.Suspending(lowered(cx, () => new Promise(() => {}))));
    const call = WebAssembly.promising(run)();
    guest.close();
    await expect(call).rejects.toThrow(WebAssembly.RuntimeError);
    expect(guest.failure).toBeUndefined();
  });

  test.each(["fulfils", "rejects"])("ignores a promise that %s later", async (how) => {
    const { cx, guest } = createCoreGuest();
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const place = 8;
    const type = func({}, string);
    const pending = compileLoweredImport(type, utf8)(cx, () => promise, undefined)(place);
    guest.close();
    await expect(pending).rejects.toThrow(WebAssembly.RuntimeError);
    if (how === "fulfils") resolve("late");
    else reject(new Error("late"));
    await new Promise(setImmediate);
    expect([cx.memory.view().getUint32(place + 4, true), guest.failure]).toEqual([0, undefined]);
  });

  test("calls no host function", () => {
    const { cx, guest } = createCoreGuest();
    guest.close();
    expect(lowered(cx, () => undefined)).toThrow(WebAssembly.RuntimeError);
  });

  test("that a host function closed does not go on", () => {
    const { cx, guest } = createCoreGuest();
    const run = catchingGuest(lowered(cx, () => guest.close()));
    expect(() => run()).toThrow(WebAssembly.RuntimeError);
  });
});

describe("a lowered import", () => {
  test("passes `this` and the arguments, and returns a flat result at once", () => {
    const { cx } = createCoreGuest();
    const type = func({ a: u32, b: u8 }, u32);
    const lower = compileLoweredImport(type, { ...utf8, suspends: false });
    const core = lower(cx, add, { offset: 5 });
    expect(core(1, 0x102)).toBe(8);
  });

  test("refuses a promise where its declaration says that it does not suspend", () => {
    const { cx, guest } = createCoreGuest();
    const lower = compileLoweredImport(func({}), { ...utf8, suspends: false });
    expect(() => lower(cx, async () => undefined, undefined)()).toThrow(WebAssembly.RuntimeError);
    expect(guest.failure?.cause).toBeInstanceOf(TypeError);
  });

  test("takes more than 16 core values by address", () => {
    const { cx } = createCoreGuest();
    const fields = Array.from({ length: 17 }, (_, at) => [`f${String(at)}`, u8] as const);
    const type = func({ all: record(Object.fromEntries(fields)) }, u32);
    cx.memory.bytes().fill(3, 100, 117);
    expect(compileLoweredImport(type, utf8)(cx, sum, undefined)(100)).toBe(51);
  });

  test.each([
    ["outside memory", 0x7fff_0000],
    ["not aligned", 2],
  ])("traps where the place for its result is %s", (_what, address) => {
    const { cx, guest } = createCoreGuest();
    const core = compileLoweredImport(func({}, string), utf8)(cx, () => "a", undefined);
    expect(() => core(address)).toThrow(WebAssembly.RuntimeError);
    expect(guest.failure?.cause).toBeInstanceOf(Trap);
  });

  test("lowers a promise's value after the guest's memory has grown", async () => {
    const { cx, memory } = createCoreGuest();
    const core = compileLoweredImport(func({}, string), utf8)(cx, async () => "abc", undefined);
    const pending = core(8);
    memory.grow(1);
    await pending;
    const view = cx.memory.view();
    const [ptr, length] = [view.getUint32(8, true), view.getUint32(12, true)];
    expect(Buffer.from(cx.memory.bytes().slice(ptr, ptr + length)).toString()).toBe("abc");
  });

  test("cannot be called from `realloc`", () => {
    const host = createCoreGuest();
    const core = compileLoweredImport(func({}), utf8)(host.cx, () => undefined, undefined);
    const reallocates = createCoreGuest({
      realloc: () => {
        host.cx.instance.mayLeave = false;
        void core();
        return 0;
      },
    });
    expect(() => reallocates.cx.allocate(1, 1)).toThrow(WebAssembly.RuntimeError);
    expect(host.guest.failure?.cause).toMatchObject({ message: /none is allowed/u });
  });
});

describe("a lifted export", () => {
  const type = func({ text: string }, string);

  test("frees its result after it was lifted, and may not leave while it does", () => {
    const { cx } = createCoreGuest();
    const freed: unknown[] = [];
    const lifted = compileLiftedExport(type, utf8);
    const result = lifted.call(
      {
        cx,
        core: (ptr, length) => {
          const view = cx.memory.view();
          view.setUint32(8, Number(ptr), true);
          view.setUint32(12, Number(length), true);
          return 8;
        },
        postReturn: (at) => {
          freed.push(at, cx.instance.mayLeave);
          cx.memory.bytes().fill(0);
        },
      },
      ["echoed"],
    );
    expect([result, freed, cx.instance.mayLeave]).toEqual(["echoed", [8, false], true]);
  });

  test("gives a promise exactly where its core function does", async () => {
    const { cx } = createCoreGuest();
    const lifted = compileLiftedExport(func({}, u32), utf8);
    expect(lifted.call({ cx, core: () => 5, postReturn: undefined }, [])).toBe(5);
    const pending = lifted.call({ cx, core: async () => 6, postReturn: undefined }, []);
    expect(pending).toBeInstanceOf(Promise);
    expect(await pending).toBe(6);
  });

  test("cannot be entered while a call is inside", () => {
    const { cx } = createCoreGuest();
    const lifted = compileLiftedExport(func({}), utf8);
    const again = { cx, core: () => undefined, postReturn: undefined };
    const core = (): void => void lifted.call(again, []);
    expect(() => lifted.call({ cx, core, postReturn: undefined }, [])).toThrow(Trap);
  });

  test("stays entered after it failed", () => {
    const { cx } = createCoreGuest();
    const lifted = compileLiftedExport(func({}), utf8);
    expect(() => lifted.call({ cx, core: fail, postReturn: undefined }, [])).toThrow("failed");
    expect(() => lifted.call({ cx, core: () => undefined, postReturn: undefined }, [])).toThrow(
      Trap,
    );
  });
});

test("a call cannot come back into the component that made it", () => {
  const { guest, cx } = createCoreGuest();
  const lifted = compileLiftedExport(func({}), utf8);
  cx.instance.enter(undefined);
  const other = guest.createComponentInstance();
  expect(() =>
    lifted.call({ cx, core: () => undefined, postReturn: undefined }, [], other),
  ).toThrow(Trap);
});

test("lists of strings cross both ways", () => {
  const { cx } = createCoreGuest();
  const type = func({ all: list(string) }, list(string));
  const lifted = compileLiftedExport(type, utf8);
  const core: CoreFunction = (ptr, length) => {
    const view = cx.memory.view();
    view.setUint32(8, Number(ptr), true);
    view.setUint32(12, Number(length), true);
    return 8;
  };
  const words = ["", "a", "ü".repeat(30)];
  expect(lifted.call({ cx, core, postReturn: undefined }, [words])).toEqual(words);
});
