import { describe, expect, test } from "vitest";
import type { CoreFunction, GuestContext } from "../canonical/guest-context.ts";
import { compileSave } from "../canonical/save-value.ts";
import { compileLoad } from "../canonical/load-value.ts";
import type { StringEncoding } from "../canonical/strings.ts";
import { createCoreGuest } from "../canonical/testing/core-guest.ts";
import type { CoreGuest } from "../canonical/testing/core-guest.ts";
import type { EndKind, EndSide } from "../component/syntax.ts";
import { NO_TYPE } from "../component/types.ts";
import type { ComponentValue, ValueType } from "../component/types.ts";
import { list, option, string, u32, u8 } from "../component/wit-types.ts";
import * as builtins from "./builtins.ts";
import { compileCopy, endCancel, endDrop, endNew } from "./copy-builtins.ts";
import { ElementLayouts } from "./copy-element.ts";
import { endType, liftEnd, lowerEnd } from "./copy-end.ts";
import { EVENT_CODES } from "./waitable-set.ts";

const BLOCKED = -1;
const COMPLETED = 0;
const DROPPED = 1;
const CANCELLED = 2;

type EndValue = Extract<ValueType, { readonly kind: EndKind }>;

const elementTypes = new Map<number, ValueType>();

/** The type of a stream or future, with the number of its element, as a plan has it. */
function ofEnd(kind: EndKind, element: ValueType | null): EndValue {
  if (element === null) return { kind, element, elementNumber: NO_TYPE };
  const known = Array.from(elementTypes).find(([, type]) => type === element)?.[0];
  const elementNumber = known ?? elementTypes.size + 1;
  elementTypes.set(elementNumber, element);
  return { kind, element, elementNumber };
}

function progress(count: number, result: number): number {
  return result | (count << 4);
}

/** One side of a stream or future, in the hands of one component instance. */
class End {
  readonly #type: EndValue;
  readonly #side: EndSide;
  readonly index: number;
  readonly cx: GuestContext;
  readonly #encoding: StringEncoding;

  constructor(
    type: EndValue,
    side: EndSide,
    cx: GuestContext,
    index: number,
    encoding: StringEncoding,
  ) {
    this.#type = type;
    this.#side = side;
    this.cx = cx;
    this.index = index;
    this.#encoding = encoding;
  }

  #options(isAsync: boolean): Parameters<typeof compileCopy>[0] {
    return {
      type: this.#type,
      side: this.#side,
      stringEncoding: this.#encoding,
      async: isAsync,
    };
  }

  /** A read or write, whichever this end does. */
  copy(ptr: number, count = 1, isAsync = true): ReturnType<CoreFunction> {
    return compileCopy(this.#options(isAsync), new ElementLayouts(elementTypes))(this.cx)(
      this.index,
      ptr,
      count,
    );
  }

  cancel(): unknown {
    return endCancel(this.cx.instance, this.#options(true))(this.index);
  }

  drop(): unknown {
    return endDrop(this.cx.instance, this.#options(true))(this.index);
  }

  /** What the guest is told next. */
  event(): readonly unknown[] {
    const { instance } = this.cx;
    const set = Number(builtins.waitableSetNew(instance)());
    builtins.waitableJoin(instance)(this.index, set);
    const code = builtins.waitableSetPoll(this.cx, false)(set, 8);
    builtins.waitableJoin(instance)(this.index, 0);
    const view = this.cx.memory.view();
    return [code, view.getUint32(12, true)];
  }

  save(ptr: number, element: ValueType, values: readonly ComponentValue[], bytes: number): void {
    const save = compileSave(element, this.#encoding);
    for (const [at, value] of values.entries()) save(this.cx, ptr + at * bytes, value);
  }

  load(ptr: number, element: ValueType, count: number, bytes: number): ComponentValue[] {
    const load = compileLoad(element, this.#encoding);
    this.cx.startLifting();
    return Array.from({ length: count }, (_, at) => load(this.cx, ptr + at * bytes));
  }
}

interface Pair {
  readonly producer: CoreGuest;
  readonly consumer: CoreGuest;
  readonly writer: End;
  readonly reader: End;
}

/** The readable end was passed on from the component that made both to another one. */
function open(kind: EndKind, element: ValueType | null): Pair {
  const type = ofEnd(kind, element);
  const producer = createCoreGuest();
  const consumer = createCoreGuest({ guest: producer.guest });
  const both = BigInt(endNew(producer.cx.instance, type)() ?? 0);
  const readable = endType(type, "readable");
  const shared = liftEnd(producer.cx, Number(both & 0xffff_ffffn), readable);
  return {
    producer,
    consumer,
    writer: new End(type, "writable", producer.cx, Number(both >> 32n), "utf16"),
    reader: new End(type, "readable", consumer.cx, lowerEnd(consumer.cx, shared, readable), "utf8"),
  };
}

function trapOf({ producer }: Pair, act: () => unknown): unknown {
  expect(act).toThrow(WebAssembly.RuntimeError);
  return producer.guest.failure?.cause;
}

describe("a stream", () => {
  test("copies as many elements as both sides have, and who waited hears of it", () => {
    const { writer, reader } = open("stream", u32);
    writer.save(64, u32, [1, 2, 3], 4);
    expect(reader.copy(64, 8)).toBe(BLOCKED);
    expect(writer.copy(64, 3)).toBe(progress(3, COMPLETED));
    expect(reader.event()).toEqual([EVENT_CODES.streamRead, progress(3, COMPLETED)]);
    expect(reader.load(64, u32, 3, 4)).toEqual([1, 2, 3]);
  });

  test("goes on with what is left of a buffer, until its guest hears of it", () => {
    const { writer, reader } = open("stream", u8);
    writer.save(64, u8, [1, 2, 3, 4, 5], 1);
    expect(writer.copy(64, 5)).toBe(BLOCKED);
    expect(reader.copy(64, 2)).toBe(progress(2, COMPLETED));
    expect(reader.copy(66, 2)).toBe(progress(2, COMPLETED));
    expect(reader.load(64, u8, 4, 1)).toEqual([1, 2, 3, 4]);
    expect(writer.event()).toEqual([EVENT_CODES.streamWrite, progress(4, COMPLETED)]);
    expect(reader.copy(64, 2)).toBe(BLOCKED);
  });

  test("carries strings from one encoding to the other", () => {
    const { writer, reader } = open("stream", string);
    writer.save(64, string, ["grüße", "", "🌧"], 8);
    expect(reader.copy(128, 3)).toBe(BLOCKED);
    expect(writer.copy(64, 3)).toBe(progress(3, COMPLETED));
    expect(reader.load(128, string, 3, 8)).toEqual(["grüße", "", "🌧"]);
  });

  test("of elements without content copies their number", () => {
    const { writer, reader } = open("stream", null);
    expect(writer.copy(0xffff_ffff, 100)).toBe(BLOCKED);
    expect(reader.copy(0xffff_ffff, 30)).toBe(progress(30, COMPLETED));
    expect(writer.event()).toEqual([EVENT_CODES.streamWrite, progress(30, COMPLETED)]);
  });

  test("carries ends of streams, which move", () => {
    const pair = open("stream", ofEnd("stream", u8));
    const inner = BigInt(endNew(pair.producer.cx.instance, ofEnd("stream", u8))() ?? 0);
    const index = Number(inner & 0xffff_ffffn);
    pair.producer.cx.memory.view().setUint32(64, index, true);
    expect(pair.reader.copy(64)).toBe(BLOCKED);
    expect(pair.writer.copy(64)).toBe(progress(1, COMPLETED));
    const moved = pair.consumer.cx.memory.view().getUint32(64, true);
    expect(pair.consumer.cx.instance.handles.get(moved)).toBeDefined();
    pair.reader.event();
    void pair.reader.copy(64);
    expect(trapOf(pair, () => pair.writer.copy(64))).toMatchObject({
      message: expect.stringMatching(/unknown handle/u),
    });
  });

  test("tells the one side that the other is gone, and is of no more use", () => {
    const pair = open("stream", u8);
    expect(pair.reader.copy(64, 5)).toBe(BLOCKED);
    expect(pair.writer.copy(64, 2)).toBe(progress(2, COMPLETED));
    pair.writer.drop();
    expect(pair.reader.event()).toEqual([EVENT_CODES.streamRead, progress(2, DROPPED)]);
    expect(trapOf(pair, () => pair.reader.copy(64))).toMatchObject({
      message: expect.stringMatching(/is done/u),
    });
  });

  test("says so at once where the other side is gone before", () => {
    const { writer, reader } = open("stream", u8);
    reader.drop();
    expect(writer.copy(64, 2)).toBe(progress(0, DROPPED));
  });

  test("gives a buffer back that is cancelled, with what was copied", () => {
    const { writer, reader } = open("stream", u8);
    expect(reader.copy(64, 5)).toBe(BLOCKED);
    expect(reader.cancel()).toBe(progress(0, CANCELLED));
    expect(reader.copy(64, 5)).toBe(BLOCKED);
    expect(writer.copy(64, 2)).toBe(progress(2, COMPLETED));
    expect(reader.cancel()).toBe(progress(2, CANCELLED));
    expect(writer.copy(64, 2)).toBe(BLOCKED);
  });

  test("lets a writer of nothing wait for a reader, who waits then", () => {
    const { writer, reader } = open("stream", u8);
    expect(writer.copy(64, 0)).toBe(BLOCKED);
    expect(reader.copy(64, 4)).toBe(BLOCKED);
    expect(writer.event()).toEqual([EVENT_CODES.streamWrite, progress(0, COMPLETED)]);
  });
});

describe("one copy is bounded:", () => {
  test("four megabytes of numbers", () => {
    const { producer, consumer, writer, reader } = open("stream", u8);
    for (const { memory } of [producer, consumer]) memory.grow(100);
    expect(reader.copy(0, 5 * 2 ** 20)).toBe(BLOCKED);
    expect(writer.copy(0, 5 * 2 ** 20)).toBe(progress(4 * 2 ** 20, COMPLETED));
    expect(reader.event()[1]).toBe(progress(4 * 2 ** 20, COMPLETED));
  });

  test("ten thousand elements that are lifted", () => {
    const { writer, reader } = open("stream", option(u8));
    expect(reader.copy(0, 20_000)).toBe(BLOCKED);
    expect(writer.copy(0, 20_000)).toBe(progress(10_000, COMPLETED));
    expect(writer.copy(20_000, 10_000)).toBe(progress(10_000, COMPLETED));
    expect(reader.event()[1]).toBe(progress(20_000, COMPLETED));
  });

  test("a megabyte of what is in them", () => {
    const { producer, writer, reader } = open("stream", list(u8));
    producer.memory.grow(10);
    writer.save(
      0,
      list(u8),
      Array.from({ length: 8 }, () => new Uint8Array(300_000)),
      8,
    );
    expect(reader.copy(0, 8)).toBe(BLOCKED);
    expect(writer.copy(0, 8)).toBe(progress(4, COMPLETED));
  });
});

describe("a future", () => {
  test("carries one value, and is of no more use on either side", () => {
    const pair = open("future", string);
    pair.writer.save(64, string, ["once"], 8);
    expect(pair.writer.copy(64)).toBe(BLOCKED);
    expect(pair.reader.copy(128)).toBe(COMPLETED);
    expect(pair.reader.load(128, string, 1, 8)).toEqual(["once"]);
    expect(pair.writer.event()).toEqual([EVENT_CODES.futureWrite, COMPLETED]);
    pair.writer.drop();
    expect(trapOf(pair, () => pair.reader.copy(128))).toMatchObject({
      message: expect.stringMatching(/is done/u),
    });
  });

  test("tells the writer that nobody reads it", () => {
    const { writer, reader } = open("future", u8);
    reader.drop();
    expect(writer.copy(64)).toBe(DROPPED);
    writer.drop();
  });

  test("can be read again where the read was cancelled", () => {
    const { writer, reader } = open("future", u8);
    expect(reader.copy(64)).toBe(BLOCKED);
    expect(reader.cancel()).toBe(CANCELLED);
    expect(reader.copy(64)).toBe(BLOCKED);
    expect(writer.copy(64)).toBe(COMPLETED);
  });
});

describe("a trap is", () => {
  test.each<[string, EndKind, ValueType | null, (pair: Pair) => unknown, RegExp]>([
    [
      "a range outside memory",
      "stream",
      u8,
      ({ reader }) => reader.copy(65_530, 7),
      /outside memory/u,
    ],
    [
      "a range past the end of all memory",
      "stream",
      u32,
      ({ reader }) => reader.copy(0xffff_fffc, 4),
      /outside memory/u,
    ],
    [
      "a range that is not aligned",
      "stream",
      u32,
      ({ reader }) => reader.copy(66, 1),
      /not aligned/u,
    ],
    [
      "a place outside memory",
      "future",
      string,
      ({ reader }) => reader.copy(65_532),
      /outside memory/u,
    ],
    [
      "more elements than a buffer has",
      "stream",
      null,
      ({ reader }) => reader.copy(0, 2 ** 28),
      /more than/u,
    ],
    [
      "a second copy of one end",
      "stream",
      u8,
      ({ reader }) => [reader.copy(0, 1), reader.copy(0, 1)],
      /under way/u,
    ],
    [
      "the end of an unwritten future that is dropped",
      "future",
      u8,
      ({ writer }) => writer.drop(),
      /before it was written/u,
    ],
    [
      "an end that is dropped while it copies",
      "stream",
      u8,
      ({ reader }) => [reader.copy(0, 1), reader.drop()],
      /under way/u,
    ],
    [
      "a cancelled copy that is not under way",
      "stream",
      u8,
      ({ reader }) => reader.cancel(),
      /not under way/u,
    ],
    [
      "an end of another type",
      "stream",
      u8,
      ({ reader }) => liftEnd(reader.cx, reader.index, endType(ofEnd("stream", u32), "readable")),
      /another type/u,
    ],
    [
      "the writable end as a value",
      "stream",
      u8,
      ({ writer }) => liftEnd(writer.cx, writer.index, endType(ofEnd("stream", u8), "readable")),
      /another type/u,
    ],
    [
      "an end that is given away while it copies",
      "stream",
      u8,
      ({ reader }) => [
        reader.copy(0, 1),
        liftEnd(reader.cx, reader.index, endType(ofEnd("stream", u8), "readable")),
      ],
      /under way/u,
    ],
    [
      "a synchronous read in a synchronous call",
      "stream",
      u8,
      ({ reader }) => reader.copy(0, 1, false),
      /while it starts/u,
    ],
  ])("%s", (_what, kind, element, act, message) => {
    const pair = open(kind, element);
    let thrown: unknown;
    try {
      act(pair);
    } catch (error) {
      thrown = error;
    }
    expect(pair.producer.guest.failure?.cause ?? thrown).toMatchObject({
      message: expect.stringMatching(message),
    });
  });

  test("what is no number and stays in its component", () => {
    const producer = createCoreGuest();
    const type = ofEnd("stream", string);
    const both = BigInt(endNew(producer.cx.instance, type)() ?? 0);
    const reader = new End(type, "readable", producer.cx, Number(both & 0xffff_ffffn), "utf8");
    const writer = new End(type, "writable", producer.cx, Number(both >> 32n), "utf8");
    void reader.copy(64);
    expect(() => writer.copy(128)).toThrow(WebAssembly.RuntimeError);
    expect(producer.guest.failure?.cause).toMatchObject({
      message: expect.stringMatching(/only numbers/u),
    });
  });

  test("an end too many", () => {
    const { cx, guest } = createCoreGuest({ limits: { handlesMax: 5 } });
    const make = endNew(cx.instance, ofEnd("stream", u8));
    make();
    make();
    expect(make).toThrow(WebAssembly.RuntimeError);
    expect(guest.failure?.cause).toMatchObject({
      message: expect.stringMatching(/more than 5 handles/u),
    });
  });
});

test("a guest pays for what is copied, as for its own code", () => {
  const { producer, writer, reader } = open("stream", u8);
  producer.memory.grow(10);
  expect(reader.copy(0, 60_000)).toBe(BLOCKED);
  expect(writer.copy(0, 60_000)).toBe(progress(60_000, COMPLETED));
  expect(producer.guest.meter.fuelUsed).toBe(60_000);
});

test("a guest knows of the copies that it has under way, until it hears of their ends", () => {
  const { producer, writer, reader } = open("stream", u8);
  const { guest } = producer;
  void reader.copy(0, 1);
  expect(guest.copiesUnderWay).toBe(1);
  void writer.copy(0, 1);
  expect(guest.copiesUnderWay).toBe(1);
  reader.event();
  expect(guest.copiesUnderWay).toBe(0);
});
