import { describe, expect, test } from "vitest";
import type { ComponentValue, FuncType } from "../component/types.ts";
import { borrow, func, list, own, u32 } from "../component/wit-types.ts";
import { Trap } from "../engine.ts";
import type { ComponentInstance } from "./component-instance.ts";
import type { GuestContext } from "./guest-context.ts";
import type { Guest } from "./guest.ts";
import { compileLiftedExport } from "./lift-export.ts";
import { compileLoweredImport } from "./lower-host-function.ts";
import type { HostFunction } from "./lower-host-function.ts";
import { GuestResource, resourceDrop, resourceNew, resourceRep } from "./resources.ts";
import { createCoreGuest } from "./testing/core-guest.ts";

const HOST = 1;
const GUEST = 2;

interface Setup {
  readonly guest: Guest;
  readonly instance: ComponentInstance;
  readonly cx: GuestContext;
  readonly dropped: unknown[];
  readonly destroyed: unknown[];
  /** Puts an object of the host into the guest's table, as a result of an import does. */
  readonly give: (object: object) => number;
  readonly dropHost: (index: number) => unknown;
}

function setUp(limits: { readonly handlesMax?: number } = {}): Setup {
  const { guest, cx } = createCoreGuest({ limits });
  const { instance } = cx;
  const dropped: unknown[] = [];
  const destroyed: unknown[] = [];
  guest.defineResource(HOST, { dropHostObject: (object) => dropped.push(object) });
  guest.defineResource(GUEST, {
    definedBy: instance,
    destructor: (rep) => {
      destroyed.push(rep);
    },
  });
  return {
    guest,
    instance,
    cx,
    dropped,
    destroyed,
    give: (object) => Number(call(cx, func({}, own(HOST)), () => object)),
    dropHost: resourceDrop(instance, HOST),
  };
}

/** Calls a host function as the guest does. */
function call(
  cx: GuestContext,
  type: FuncType,
  host: HostFunction,
  ...flat: number[]
): ComponentValue {
  return compileLoweredImport(type, { stringEncoding: "utf8", suspends: true })(
    cx,
    host,
    undefined,
  )(...flat);
}

/** What went wrong on the host's side: the guest itself sees only an uncatchable trap. */
function causeOf(guest: Guest, run: () => unknown): unknown {
  expect(run).toThrow(WebAssembly.RuntimeError);
  return guest.failure?.cause;
}

describe("a resource of the host", () => {
  test("comes back as the object that went in", () => {
    const { cx, give } = setUp();
    const object = { name: "stream" };
    let seen: unknown;
    call(cx, func({ self: borrow(HOST) }), (self: object) => (seen = self), give(object));
    expect(seen).toBe(object);
  });

  test("is dropped once, with its last handle", () => {
    const { give, dropHost, dropped, guest } = setUp();
    const object = {};
    const index = give(object);
    dropHost(index);
    expect(dropped).toEqual([object]);
    expect(causeOf(guest, () => dropHost(index))).toBeInstanceOf(Trap);
  });

  test("that the guest gave away is not dropped, and its handle is gone", () => {
    const { cx, give, dropped, guest } = setUp();
    const index = give({});
    call(cx, func({ moved: own(HOST) }), () => undefined, index);
    guest.close();
    expect(dropped).toEqual([]);
    expect(
      causeOf(guest, () => call(cx, func({ moved: own(HOST) }), () => {}, index)),
    ).toBeInstanceOf(Trap);
  });

  test("is dropped when the guest ends", () => {
    const { give, dropped, guest } = setUp();
    const object = {};
    give(object);
    guest.close();
    guest.close();
    expect(dropped).toEqual([object]);
  });

  test("that is lent can be neither dropped nor given away until the call returns", async () => {
    const { cx, give, dropHost, guest, instance } = setUp();
    const index = give({});
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const pending = call(cx, func({ self: borrow(HOST) }), () => promise, index);
    expect(causeOf(guest, () => dropHost(index))).toMatchObject({ message: /lent/u });
    expect(instance.handles.count).toBe(1);
    resolve(undefined);
    await pending;
    expect(dropHost(index)).toBeUndefined();
  });

  test("that was lent twice in one call is lent until both end", () => {
    const { cx, give, dropHost } = setUp();
    const index = give({});
    cx.memory.view().setUint32(0, index, true);
    cx.memory.view().setUint32(4, index, true);
    call(cx, func({ all: list(borrow(HOST)) }), () => undefined, 0, 2);
    expect(dropHost(index)).toBeUndefined();
  });

  test("must be an object", () => {
    const { guest, cx } = setUp();
    expect(causeOf(guest, () => call(cx, func({}, own(HOST)), () => 5))).toBeInstanceOf(TypeError);
  });
});

describe("a resource of the guest", () => {
  test("keeps the representation that the guest chose, until its destructor gets it", () => {
    const { instance, destroyed } = setUp();
    const index = Number(resourceNew(instance, GUEST)(-5));
    expect(resourceRep(instance, GUEST)(index)).toBe(-5);
    resourceDrop(instance, GUEST)(index);
    expect(destroyed).toEqual([-5]);
  });

  test("is a GuestResource for the host, which may give it back", () => {
    const { cx, instance } = setUp();
    const index = Number(resourceNew(instance, GUEST)(7));
    let held: unknown;
    call(cx, func({ moved: own(GUEST) }), (moved: unknown) => (held = moved) && undefined, index);
    expect(held).toBeInstanceOf(GuestResource);
    const again = call(cx, func({}, own(GUEST)), () => held);
    expect(resourceRep(instance, GUEST)(Number(again))).toBe(7);
  });

  test("that the host drops is destroyed once", () => {
    const { cx, instance, destroyed } = setUp();
    const index = Number(resourceNew(instance, GUEST)(7));
    let held: GuestResource | undefined;
    call(cx, func({ moved: own(GUEST) }), (moved: GuestResource) => void (held = moved), index);
    held?.drop();
    expect(destroyed).toEqual([7]);
    expect(() => held?.drop()).toThrow(Trap);
  });

  test("that outlives its guest is not destroyed: none of the guest's code runs any more", () => {
    const { cx, guest, instance, destroyed } = setUp();
    const index = Number(resourceNew(instance, GUEST)(7));
    let held: GuestResource | undefined;
    call(cx, func({ moved: own(GUEST) }), (moved: GuestResource) => void (held = moved), index);
    guest.close();
    held?.drop();
    expect(destroyed).toEqual([]);
  });

  test("that the host only borrowed is of no use after the call", () => {
    const { cx, instance } = setUp();
    const index = Number(resourceNew(instance, GUEST)(7));
    let held: GuestResource | undefined;
    call(cx, func({ self: borrow(GUEST) }), (self: GuestResource) => void (held = self), index);
    expect(() => held?.rep).toThrow(Trap);
  });

  test("is known to its own component by representation, without a handle", () => {
    const { cx, instance } = setUp();
    const seen: unknown[] = [];
    const resource = new GuestResource(GUEST, cx.instance.guest.resourceType(GUEST), 7, true);
    compileLiftedExport(func({ self: borrow(GUEST) }), { stringEncoding: "utf8" }).call(
      { cx, core: (rep) => void seen.push(rep), postReturn: undefined },
      [resource],
    );
    expect([seen, instance.handles.count]).toEqual([[7], 0]);
  });
});

describe("a handle that is borrowed by an export", () => {
  const type = func({ self: borrow(HOST) }, u32);

  test("is valid during the call, and must be dropped in it", () => {
    const { cx, dropHost, dropped } = setUp();
    const core = (index: unknown): number => {
      dropHost(Number(index));
      return 1;
    };
    const lifted = compileLiftedExport(type, { stringEncoding: "utf8" });
    expect(lifted.call({ cx, core, postReturn: undefined }, [{}])).toBe(1);
    expect(dropped).toEqual([]);
  });

  test("traps where the guest kept it", () => {
    const { cx } = setUp();
    const lifted = compileLiftedExport(type, { stringEncoding: "utf8" });
    expect(() => lifted.call({ cx, core: () => 1, postReturn: undefined }, [{}])).toThrow(Trap);
  });

  test("cannot be given away as if it were owned", () => {
    const { cx, guest } = setUp();
    const core = (index: unknown): number => {
      call(cx, func({ moved: own(HOST) }), () => undefined, Number(index));
      return 1;
    };
    const lifted = compileLiftedExport(type, { stringEncoding: "utf8" });
    expect(
      causeOf(guest, () => lifted.call({ cx, core, postReturn: undefined }, [{}])),
    ).toMatchObject({ message: /borrowed/u });
  });
});

describe("handles", () => {
  test("of another resource type trap", () => {
    const { give, guest, instance } = setUp();
    const index = give({});
    expect(causeOf(guest, () => resourceDrop(instance, GUEST)(index))).toBeInstanceOf(Trap);
  });

  test.each([0, 1, -1, 0x7fff_ffff])("that were never given out trap: %i", (index) => {
    const { dropHost, guest } = setUp();
    expect(causeOf(guest, () => dropHost(index))).toBeInstanceOf(Trap);
  });

  test("are given out again after they were dropped, the last one first", () => {
    const { give, dropHost } = setUp();
    const [first, second] = [give({}), give({})];
    dropHost(first);
    dropHost(second);
    expect([give({}), give({}), give({})]).toEqual([second, first, 3]);
  });

  test("are bounded in number", () => {
    const { give, guest } = setUp({ handlesMax: 2 });
    give({});
    give({});
    expect(causeOf(guest, () => give({}))).toMatchObject({ message: /more than 2 handles/u });
  });
});
