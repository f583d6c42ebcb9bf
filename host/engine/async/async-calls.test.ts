import { describe, expect, test } from "vitest";
import type { CoreFunction, GuestContext, SyncCoreFunction } from "../canonical/guest-context.ts";
import { createCoreGuest } from "../canonical/testing/core-guest.ts";
import type { CoreGuest } from "../canonical/testing/core-guest.ts";
import type { ComponentValue, ValueType } from "../component/types.ts";
import { borrow, func, string, u32 } from "../component/wit-types.ts";
import { Trap } from "../engine.ts";
import * as builtins from "./builtins.ts";
import { compileAsyncExport, compileTaskReturn } from "./lift-async-export.ts";
import { compileAsyncLoweredImport } from "./lower-async-import.ts";
import { SUBTASK_STATES } from "./subtask.ts";
import { Task } from "./task.ts";
import { EVENT_CODES } from "./waitable-set.ts";

const utf8 = { stringEncoding: "utf8" } as const;
/** As a plan numbers the type of its results. */
const U32_NUMBER = 1;
const lifted = { ...utf8, async: true, resultNumber: U32_NUMBER } as const;
const EXIT = 0;
const YIELD = 1;

function waitFor(setIndex: number): number {
  return 2 | (setIndex << 4);
}

function unexpected(): never {
  throw new Error("the callback was not expected");
}

/** Runs one call of `f: async func() -> u32` whose core functions are given. */
function run(
  cx: GuestContext,
  core: CoreFunction,
  callback: CoreFunction = unexpected,
): Promise<unknown> {
  const exported = compileAsyncExport(func({}, u32, { async: true }), lifted);
  return new Promise((resolve, reject) => {
    const end = { returned: resolve, failed: reject };
    exported.callFromHost({ cx, core, callback, postReturn: undefined }, [], end);
  });
}

function returning(cx: GuestContext, type: ValueType = u32): SyncCoreFunction {
  const resultNumber = type === u32 ? U32_NUMBER : U32_NUMBER + 1;
  return compileTaskReturn(type, { ...utf8, resultNumber })(cx);
}

/** What ended the guest, whichever way it came out. */
async function failureOf({ guest }: CoreGuest, call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return guest.failure?.cause ?? error;
  }
  throw new Error("the call did not fail");
}

describe("an asynchronous call", () => {
  test("that exits at once gives its result", async () => {
    const { cx } = createCoreGuest();
    const result = run(cx, () => {
      returning(cx)(5);
      return EXIT;
    });
    expect(await result).toBe(5);
  });

  test("ends when it exits, not when it returns", async () => {
    const { cx } = createCoreGuest();
    const steps: string[] = [];
    const result = run(
      cx,
      () => {
        returning(cx)(5);
        return YIELD;
      },
      (...event) => {
        steps.push(event.join(" "));
        return steps.length < 3 ? YIELD : EXIT;
      },
    );
    expect([await result, steps]).toEqual([5, ["0 0 0", "0 0 0", "0 0 0"]]);
  });

  test("that yields lets other work of the thread run", async () => {
    const { cx } = createCoreGuest();
    let turns = 0;
    const other = setInterval(() => (turns += 1), 0);
    await run(
      cx,
      () => YIELD,
      () => {
        if (turns < 2) return YIELD;
        returning(cx)(turns);
        return EXIT;
      },
    );
    clearInterval(other);
    expect(turns).toBeGreaterThanOrEqual(2);
  });

  test.each<[string, (guest: CoreGuest) => unknown, RegExp]>([
    ["that exits without a result", ({ cx }) => run(cx, () => EXIT), /without task.return/u],
    [
      "that returns twice",
      ({ cx }) =>
        run(cx, () => {
          returning(cx)(1);
          returning(cx)(2);
          return EXIT;
        }),
      /called twice/u,
    ],
    [
      "that returns another type",
      ({ cx }) => run(cx, () => void returning(cx, string)(0, 0)),
      /another type/u,
    ],
    ["that answers with an unknown code", ({ cx }) => run(cx, () => 3), /callback code 3/u],
    ["that waits for what is no set", ({ cx }) => run(cx, () => waitFor(9)), /unknown handle/u],
    [
      "that waits for a set where nothing can happen",
      ({ cx }) => run(cx, () => waitFor(Number(builtins.waitableSetNew(cx.instance)()))),
      /cannot come/u,
    ],
    [
      "that cancels itself",
      ({ cx }) => run(cx, () => void builtins.taskCancel(cx.instance)()),
      /nobody cancelled/u,
    ],
    ["task.return outside of one", ({ cx }) => returning(cx)(1), /outside/u],
  ])("%s traps", async (_what, call, message) => {
    const guest = createCoreGuest();
    const cause = await failureOf(guest, () => call(guest));
    expect(cause).toBeInstanceOf(Trap);
    expect(cause).toMatchObject({ message: expect.stringMatching(message) });
  });

  test("has storage of its own, empty at its start", async () => {
    const { cx } = createCoreGuest();
    const get = builtins.contextGet(cx.instance, 0);
    const other = builtins.contextGet(cx.instance, 1);
    const seen: unknown[] = [];
    const core = (): number => {
      seen.push(get(), other());
      builtins.contextSet(cx.instance, 0)(7);
      builtins.contextSet(cx.instance, 1)(8);
      seen.push(get(), other());
      returning(cx)(1);
      return EXIT;
    };
    await run(cx, core);
    await run(cx, core);
    expect(seen).toEqual([0, 0, 7, 8, 0, 0, 7, 8]);
  });
});

interface Started {
  readonly status: number;
  readonly index: number;
}

/** The next call of the host begins, and what it has brought is delivered. */
async function nextCall({ guest }: CoreGuest): Promise<void> {
  await new Promise(setImmediate);
  guest.scheduler.callBegins();
}

/** The guest calls an import asynchronously: `g: func() -> u32`, the result goes to `place`. */
function start({ cx }: CoreGuest, host: () => ComponentValue, place = 64): Started {
  const core = compileAsyncLoweredImport(func({}, u32), utf8)(cx, host, undefined);
  const packed = Number(core(place));
  return { status: packed & 0xf, index: packed >>> 4 };
}

describe("an asynchronous import", () => {
  test("that answers at once has no subtask", () => {
    const guest = createCoreGuest();
    expect(start(guest, () => 9)).toEqual({ status: SUBTASK_STATES.returned, index: 0 });
    expect(guest.cx.memory.view().getUint32(64, true)).toBe(9);
  });

  test("that waits wakes the guest through its set", async () => {
    const guest = createCoreGuest();
    const { cx } = guest;
    const { promise, resolve } = Promise.withResolvers<number>();
    const events: unknown[] = [];
    let subtask = 0;
    let set = 0;
    const result = run(
      cx,
      () => {
        const started = start(guest, () => promise);
        expect(started.status).toBe(SUBTASK_STATES.started);
        subtask = started.index;
        set = Number(builtins.waitableSetNew(cx.instance)());
        builtins.waitableJoin(cx.instance)(subtask, set);
        setImmediate(() => resolve(9));
        return waitFor(set);
      },
      (...event) => {
        events.push(event);
        builtins.subtaskDrop(cx.instance)(subtask);
        builtins.waitableSetDrop(cx.instance)(set);
        returning(cx)(cx.memory.view().getUint32(64, true));
        return EXIT;
      },
    );
    expect(await result).toBe(9);
    expect(events).toEqual([[EVENT_CODES.subtask, subtask, SUBTASK_STATES.returned]]);
    expect(cx.instance.handles.count).toBe(0);
  });

  test("that fails ends the call that waits for it, with the failure of the host", async () => {
    const guest = createCoreGuest();
    const { cx } = guest;
    const cause = new Error("the host failed");
    const failure = await failureOf(guest, () =>
      run(cx, () => {
        const { index } = start(guest, () => Promise.reject(cause));
        const set = Number(builtins.waitableSetNew(cx.instance)());
        builtins.waitableJoin(cx.instance)(index, set);
        return waitFor(set);
      }),
    );
    expect(failure).toBe(cause);
  });

  test("that failed before the next call ends that", async () => {
    const guest = createCoreGuest();
    const cause = new Error("the host failed");
    start(guest, () => Promise.reject(cause));
    expect(await failureOf(guest, () => nextCall(guest))).toBe(cause);
    expect(guest.guest.failure?.cause).toBe(cause);
  });

  test("lends what it borrows until its end is delivered", async () => {
    const guest = createCoreGuest();
    const { cx } = guest;
    guest.guest.defineResource(1, {});
    const { promise, resolve } = Promise.withResolvers<void>();
    const give = compileAsyncLoweredImport(func({}, { kind: "own", resource: 1 }), utf8);
    give(cx, () => ({}), undefined)(32);
    const handle = cx.memory.view().getUint32(32, true);
    const lend = compileAsyncLoweredImport(func({ self: borrow(1) }), utf8);
    const subtask = Number(lend(cx, () => promise, undefined)(handle)) >>> 4;
    const entry = cx.instance.handles.get(handle);
    expect(entry).toMatchObject({ lendCount: 1 });
    resolve();
    await promise;
    await nextCall(guest);
    expect(entry).toMatchObject({ lendCount: 1 });
    expect(builtins.subtaskCancel(cx.instance, true)(subtask)).toBe(SUBTASK_STATES.returned);
    expect(entry).toMatchObject({ lendCount: 0 });
  });

  test("is one of a bounded number", async () => {
    const guest = createCoreGuest({ limits: { subtasksMax: 2 } });
    const { promise, resolve } = Promise.withResolvers<number>();
    start(guest, () => promise);
    start(guest, () => promise);
    resolve(1);
    await nextCall(guest);
    start(guest, () => new Promise(() => {}));
    start(guest, () => new Promise(() => {}));
    const cause = await failureOf(guest, () => start(guest, () => 1));
    expect(cause).toMatchObject({ message: expect.stringMatching(/more than 2 asynchronous/u) });
  });

  test("that settles after the guest was closed writes nothing", async () => {
    const guest = createCoreGuest();
    const { promise, resolve } = Promise.withResolvers<number>();
    start(guest, () => promise);
    guest.guest.close();
    resolve(9);
    await new Promise(setImmediate);
    expect(guest.cx.memory.view().getUint32(64, true)).toBe(0);
  });
});

describe("waitable sets", () => {
  test("answer a poll with the event, or that there is none", async () => {
    const guest = createCoreGuest();
    const { instance } = guest.cx;
    const { promise, resolve } = Promise.withResolvers<number>();
    const { index } = start(guest, () => promise);
    const set = Number(builtins.waitableSetNew(instance)());
    builtins.waitableJoin(instance)(index, set);
    const poll = builtins.waitableSetPoll(guest.cx, false);
    expect(poll(set, 16)).toBe(EVENT_CODES.none);
    resolve(1);
    await nextCall(guest);
    expect(poll(set, 16)).toBe(EVENT_CODES.subtask);
    const view = guest.cx.memory.view();
    expect([view.getUint32(16, true), view.getUint32(20, true)]).toEqual([index, 2]);
    expect(poll(set, 16)).toBe(EVENT_CODES.none);
  });

  test("let no call wait that is synchronous, or starts", async () => {
    const guest = createCoreGuest();
    const set = Number(builtins.waitableSetNew(guest.cx.instance)());
    const wait = builtins.waitableSetWait(guest.cx, false);
    expect(await failureOf(guest, () => wait(set, 16))).toMatchObject({
      message: expect.stringMatching(/while it starts/u),
    });
  });

  test("starve none of their members", async () => {
    const guest = createCoreGuest();
    const { instance } = guest.cx;
    const set = Number(builtins.waitableSetNew(instance)());
    const indices = [1, 2, 3].map((value) => start(guest, async () => value).index);
    for (const index of indices) builtins.waitableJoin(instance)(index, set);
    await nextCall(guest);
    const seen = indices.map(() => {
      builtins.waitableSetPoll(guest.cx, false)(set, 16);
      return guest.cx.memory.view().getUint32(16, true);
    });
    expect(new Set(seen)).toEqual(new Set(indices));
  });

  test.each<[string, (guest: CoreGuest, set: number, subtask: number) => unknown, RegExp]>([
    [
      "dropped with members",
      ({ cx }, set, subtask) => {
        builtins.waitableJoin(cx.instance)(subtask, set);
        return builtins.waitableSetDrop(cx.instance)(set);
      },
      /with waitables in it/u,
    ],
    [
      "joined by what is no waitable",
      ({ cx }, set) => builtins.waitableJoin(cx.instance)(set, set),
      /not a waitable/u,
    ],
    [
      "polled with a place outside memory",
      ({ cx }, set) => builtins.waitableSetPoll(cx, false)(set, 0x7fff_0000),
      /outside memory/u,
    ],
    [
      "and a subtask that is dropped before its end",
      ({ cx }, _set, subtask) => builtins.subtaskDrop(cx.instance)(subtask),
      /before its end/u,
    ],
    [
      "and a subtask that is cancelled twice",
      ({ cx }, _set, subtask) => {
        void builtins.subtaskCancel(cx.instance, true)(subtask);
        return builtins.subtaskCancel(cx.instance, true)(subtask);
      },
      /cancelled after its end/u,
    ],
    [
      "and a subtask in one that is cancelled synchronously",
      ({ cx }, set, subtask) => {
        builtins.waitableJoin(cx.instance)(subtask, set);
        return builtins.subtaskCancel(cx.instance, false)(subtask);
      },
      /synchronously/u,
    ],
  ])("%s trap", async (_what, act, message) => {
    const guest = createCoreGuest();
    const subtask = start(guest, () => new Promise(() => {})).index;
    const set = Number(builtins.waitableSetNew(guest.cx.instance)());
    const cause = await failureOf(guest, () => act(guest, set, subtask));
    expect(cause).toMatchObject({ message: expect.stringMatching(message) });
  });
});

describe("a cancelled subtask", () => {
  test.each([true, false])(
    "ends at once, and what the host answers later is ignored (async: %s)",
    async (isAsync) => {
      const guest = createCoreGuest();
      const { cx } = guest;
      const { promise, resolve } = Promise.withResolvers<number>();
      const { index } = start(guest, () => promise);
      expect(builtins.subtaskCancel(cx.instance, isAsync)(index)).toBe(
        SUBTASK_STATES.cancelledBeforeReturned,
      );
      builtins.subtaskDrop(cx.instance)(index);
      expect(cx.instance.handles.count).toBe(0);
      expect(guest.guest.subtasksUnderWay).toBe(1);
      resolve(9);
      await nextCall(guest);
      expect(cx.memory.view().getUint32(64, true)).toBe(0);
      expect(guest.guest.subtasksUnderWay).toBe(0);
    },
  );

  test("ends as returned where the host has answered before", async () => {
    const guest = createCoreGuest();
    const { index } = start(guest, () => Promise.resolve(4));
    await nextCall(guest);
    expect(builtins.subtaskCancel(guest.cx.instance, false)(index)).toBe(SUBTASK_STATES.returned);
    expect(guest.cx.memory.view().getUint32(64, true)).toBe(4);
  });

  test("hides a later failure of the host", async () => {
    const guest = createCoreGuest();
    const { promise, reject } = Promise.withResolvers<number>();
    const { index } = start(guest, () => promise);
    void builtins.subtaskCancel(guest.cx.instance, false)(index);
    reject(new Error("the host failed"));
    await nextCall(guest);
    expect(guest.guest.failure).toBeUndefined();
  });

  test("gives back at once what it has borrowed", () => {
    const { cx, guest } = createCoreGuest();
    guest.defineResource(1, {});
    const give = compileAsyncLoweredImport(func({}, { kind: "own", resource: 1 }), utf8);
    give(cx, () => ({}), undefined)(32);
    const handle = cx.memory.view().getUint32(32, true);
    const lend = compileAsyncLoweredImport(func({ self: borrow(1) }), utf8);
    const pending = new Promise<void>(() => {});
    const subtask = Number(lend(cx, () => pending, undefined)(handle)) >>> 4;
    void builtins.subtaskCancel(cx.instance, false)(subtask);
    expect(cx.instance.handles.get(handle)).toMatchObject({ lendCount: 0 });
  });
});

/** Starts `core` as a call of another component, which cancels it at once. */
async function cancelled(
  guest: CoreGuest,
  core: () => Promise<void>,
): Promise<{ readonly resolutions: readonly unknown[]; readonly wentOn: boolean }> {
  const { cx } = guest;
  const caller = guest.guest.createComponentInstance();
  const exported = compileAsyncExport(func({}, u32, { async: true }), lifted);
  const resolutions: unknown[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  guest.guest.scheduler.open({ failed: () => {} });
  const answer = async (): Promise<number> => {
    await core();
    return EXIT;
  };
  const coreExport = { cx, core: answer, callback: unexpected, postReturn: undefined };
  const task = exported.start(coreExport, {
    instance: caller,
    onStart: () => [],
    onResolve: (resolution) => void resolutions.push(resolution.kind),
    onExit: resolve,
  });
  const wentOn = task.requestCancellation(caller);
  await promise;
  return { resolutions, wentOn };
}

describe("a call that another component cancels", () => {
  test("hears of it where it waits in the midst of its code, if it says that it may", async () => {
    const guest = createCoreGuest();
    const { cx } = guest;
    const set = Number(builtins.waitableSetNew(cx.instance)());
    const events: unknown[] = [];
    const outcome = await cancelled(guest, async () => {
      events.push(await builtins.waitableSetWait(cx, true)(set, 16));
      builtins.taskCancel(cx.instance)();
    });
    expect([events, outcome]).toEqual([
      [EVENT_CODES.taskCancelled],
      { resolutions: ["cancelled"], wentOn: true },
    ]);
  });

  test.each<[string, (guest: CoreGuest) => unknown, unknown]>([
    ["yields", ({ cx }) => builtins.threadYield(cx.instance, true)(), 1],
    ["polls", ({ cx }) => pollCancellable(cx), EVENT_CODES.taskCancelled],
  ])("hears of it later, where it next %s", async (_what, ask, answer) => {
    const guest = createCoreGuest();
    const { cx } = guest;
    const seen: unknown[] = [];
    const outcome = await cancelled(guest, async () => {
      seen.push(
        await builtins.threadYield(cx.instance, false)(),
        await ask(guest),
        await ask(guest),
      );
      builtins.taskCancel(cx.instance)();
    });
    expect([seen, outcome]).toEqual([
      [0, answer, 0],
      { resolutions: ["cancelled"], wentOn: false },
    ]);
  });

  test("may return in spite of it", async () => {
    const guest = createCoreGuest();
    const outcome = await cancelled(guest, async () => {
      await builtins.threadYield(guest.cx.instance, true)();
      returning(guest.cx)(5);
    });
    expect(outcome.resolutions).toEqual(["returned"]);
  });
});

function pollCancellable(cx: GuestContext): unknown {
  const set = Number(builtins.waitableSetNew(cx.instance)());
  return builtins.waitableSetPoll(cx, true)(set, 16);
}

test("what the host brings is not delivered into the midst of a call", async () => {
  const guest = createCoreGuest();
  const { cx } = guest;
  start(guest, () => Promise.resolve(9));
  start(guest, () => new Promise(() => {}));
  guest.guest.scheduler.open({ failed: () => {} });
  const task = new Task(cx.instance);
  task.begin(undefined);
  await new Promise(setImmediate);
  expect(cx.memory.view().getUint32(64, true)).toBe(0);
  task.exit();
  await new Promise(setImmediate);
  expect(cx.memory.view().getUint32(64, true)).toBe(9);
});

describe("a set that a call waits for", () => {
  test("cannot be dropped", async () => {
    const guest = createCoreGuest();
    const { cx } = guest;
    const set = Number(builtins.waitableSetNew(cx.instance)());
    start(guest, () => new Promise(() => {}));
    const call = run(cx, () => waitFor(set));
    const drop = builtins.waitableSetDrop(cx.instance);
    expect(() => drop(set)).toThrow(WebAssembly.RuntimeError);
    await expect(call).rejects.toThrow(/waits for it/u);
  });
});

test("backpressure may not be lowered below zero", () => {
  const { cx, guest } = createCoreGuest();
  expect(builtins.backpressureDecrement(cx.instance)).toThrow(WebAssembly.RuntimeError);
  expect(guest.failure?.cause).toBeInstanceOf(Trap);
});
