import { describe, expect, test } from "vitest";
import { compileLoad } from "../canonical/load-value.ts";
import { compileSave } from "../canonical/save-value.ts";
import { createCoreGuest } from "../canonical/testing/core-guest.ts";
import type { CoreGuest } from "../canonical/testing/core-guest.ts";
import type { EndValueType } from "../component/plan.ts";
import type { ComponentValue } from "../component/types.ts";
import { string, u8 } from "../component/wit-types.ts";
import * as builtins from "./builtins.ts";
import { compileCopy, endCancel, endDrop, endNew } from "./copy-builtins.ts";
import { endType, liftEnd, lowerEnd } from "./copy-end.ts";
import { HostFuture, HostReader, HostStream } from "./host-ends.ts";
import { SharedFuture, SharedStream } from "./shared-ends.ts";

const BLOCKED = -1;
const COMPLETED = 0;
const DROPPED = 1;
const numbers: EndValueType = { kind: "stream", element: u8 };
const texts: EndValueType = { kind: "stream", element: string };
const utf8 = { stringEncoding: "utf8", async: true } as const;

/** Given by the host. */
function receive({ cx }: CoreGuest, value: unknown, type: EndValueType): number {
  return lowerEnd(cx, value, endType(type, "readable"));
}

interface Given {
  readonly writer: number;
  readonly reader: HostReader;
}

/** Made by the guest, and given to the host. */
function give({ cx }: CoreGuest, type: EndValueType): Given {
  const both = BigInt(endNew(cx.instance, type)() ?? 0);
  const shared = liftEnd(cx, Number(both & 0xffff_ffffn), endType(type, "readable"));
  if (!(shared instanceof SharedStream || shared instanceof SharedFuture)) {
    throw new TypeError("the end was lifted as something else");
  }
  return { writer: Number(both >> 32n), reader: new HostReader(shared) };
}

async function event({ cx }: CoreGuest, index: number): Promise<number> {
  await new Promise(setImmediate);
  const set = Number(builtins.waitableSetNew(cx.instance)());
  builtins.waitableJoin(cx.instance)(index, set);
  builtins.waitableSetPoll(cx, false)(set, 8);
  builtins.waitableJoin(cx.instance)(index, 0);
  return cx.memory.view().getUint32(12, true);
}

function read(
  { cx }: CoreGuest,
  type: EndValueType,
  index: number,
  ptr: number,
  count: number,
): unknown {
  return compileCopy({ ...utf8, type, side: "readable" })(cx)(index, ptr, count);
}

function write(
  { cx }: CoreGuest,
  type: EndValueType,
  index: number,
  ptr: number,
  count: number,
): unknown {
  return compileCopy({ ...utf8, type, side: "writable" })(cx)(index, ptr, count);
}

function loadTexts({ cx }: CoreGuest, ptr: number, count: number): ComponentValue[] {
  const load = compileLoad(string, "utf8");
  cx.startLifting();
  return Array.from({ length: count }, (_, at) => load(cx, ptr + at * 8));
}

async function* yieldTexts(): AsyncGenerator<string[]> {
  yield ["one", "two", "three"];
  yield [];
  yield ["four"];
}

describe("a stream of the host", () => {
  test("gives a guest what its source yields, in the pieces that the guest has room for", async () => {
    const guest = createCoreGuest();
    const index = receive(guest, new HostStream(string, yieldTexts()), texts);
    expect(read(guest, texts, index, 64, 2)).toBe(BLOCKED);
    expect(await event(guest, index)).toBe(COMPLETED | (2 << 4));
    expect(loadTexts(guest, 64, 2)).toEqual(["one", "two"]);
    expect(read(guest, texts, index, 64, 2)).toBe(COMPLETED | (1 << 4));
    expect(loadTexts(guest, 64, 1)).toEqual(["three"]);
    expect(read(guest, texts, index, 64, 2)).toBe(BLOCKED);
    expect(await event(guest, index)).toBe(COMPLETED | (1 << 4));
    expect(loadTexts(guest, 64, 1)).toEqual(["four"]);
    expect(read(guest, texts, index, 64, 2)).toBe(BLOCKED);
    expect(await event(guest, index)).toBe(DROPPED);
  });

  test("is not asked for more than a guest reads, and keeps what a cancelled read asked for", async () => {
    const guest = createCoreGuest();
    let asked = 0;
    const source = async function* (): AsyncGenerator<Uint8Array> {
      for (;;) {
        asked += 1;
        yield Uint8Array.of(asked);
      }
    };
    const index = receive(guest, new HostStream(u8, source()), numbers);
    expect(asked).toBe(0);
    expect(read(guest, numbers, index, 64, 8)).toBe(BLOCKED);
    endCancel(guest.cx.instance, { type: numbers, side: "readable", async: true })(index);
    await new Promise(setImmediate);
    expect(read(guest, numbers, index, 64, 8)).toBe(COMPLETED | (1 << 4));
    expect([asked, guest.cx.memory.bytes()[64]]).toEqual([1, 1]);
  });

  test("ends its source where the guest drops it", async () => {
    const guest = createCoreGuest();
    let isEnded = false;
    const source = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield Uint8Array.of(1);
      } finally {
        isEnded = true;
      }
    };
    const index = receive(guest, new HostStream(u8, source()), numbers);
    expect(read(guest, numbers, index, 64, 1)).toBe(BLOCKED);
    await event(guest, index);
    endDrop(guest.cx.instance, { type: numbers, side: "readable" })(index);
    await new Promise(setImmediate);
    expect(isEnded).toBe(true);
  });

  test("ends its source where the guest ends", async () => {
    const guest = createCoreGuest();
    let isEnded = false;
    const source: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: () => {
          isEnded = true;
          return Promise.resolve({ done: true, value: undefined });
        },
      }),
    };
    const index = receive(guest, new HostStream(u8, source), numbers);
    expect(read(guest, numbers, index, 64, 1)).toBe(BLOCKED);
    guest.guest.close();
    expect(isEnded).toBe(true);
  });

  test("whose source fails ends the guest with that", async () => {
    const guest = createCoreGuest();
    const failure = new Error("the host failed");
    const source: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(failure) }),
    };
    const index = receive(guest, new HostStream(u8, source), numbers);
    read(guest, numbers, index, 64, 1);
    await new Promise(setImmediate);
    expect(guest.guest.failure?.cause).toBe(failure);
  });
});

test("a future of the host gives a guest its value", async () => {
  const guest = createCoreGuest();
  const type: EndValueType = { kind: "future", element: string };
  const index = receive(guest, new HostFuture(string, Promise.resolve("later")), type);
  expect(read(guest, type, index, 64, 1)).toBe(BLOCKED);
  expect(await event(guest, index)).toBe(COMPLETED);
  expect(loadTexts(guest, 64, 1)).toEqual(["later"]);
});

describe("the host as a reader", () => {
  test("gets what a guest has written, and what it writes later, until it drops its end", async () => {
    const guest = createCoreGuest();
    const { writer, reader } = give(guest, texts);
    const save = compileSave(string, "utf8");
    save(guest.cx, 64, "one");
    save(guest.cx, 72, "two");
    expect(write(guest, texts, writer, 64, 2)).toBe(BLOCKED);
    expect(await reader.read(1)).toEqual(["one"]);
    expect(await reader.read(8)).toEqual(["two"]);
    expect(await event(guest, writer)).toBe(COMPLETED | (2 << 4));
    const later = reader.read(8);
    await new Promise(setImmediate);
    expect(write(guest, texts, writer, 64, 1)).toBe(COMPLETED | (1 << 4));
    expect(await later).toEqual(["one"]);
    endDrop(guest.cx.instance, { type: texts, side: "writable" })(writer);
    expect(await reader.read(8)).toBeUndefined();
  });

  test("may leave, and the guest learns of it", async () => {
    const guest = createCoreGuest();
    const { writer, reader } = give(guest, numbers);
    expect(write(guest, numbers, writer, 64, 4)).toBe(BLOCKED);
    reader.drop();
    expect(await event(guest, writer)).toBe(DROPPED);
  });

  test("gets the value of a future", async () => {
    const guest = createCoreGuest();
    const type: EndValueType = { kind: "future", element: u8 };
    const { writer, reader } = give(guest, type);
    guest.cx.memory.bytes()[64] = 7;
    expect(write(guest, type, writer, 64, 1)).toBe(BLOCKED);
    expect(await reader.read(1)).toEqual([7]);
    expect(await event(guest, writer)).toBe(COMPLETED);
  });

  test("does not read what is its own", () => {
    const stream = new HostStream(u8, (async function* () {})());
    expect(() => new HostReader(stream)).toThrow(TypeError);
  });
});
