import { Trap } from "../engine.ts";
import type { Bounds } from "../engine.ts";
import { createHook, WAIT } from "./hook.ts";
import type { HookTarget } from "./hook.ts";
import { addedExports } from "./rewrite-module.ts";

/** What a meter needs of its guest. */
interface MeteredGuest {
  fail(cause: unknown): Error;
  suspend<T, R>(
    pending: Promise<T>,
    onFulfilled: (value: T) => R,
    onRejected: (cause: unknown) => Error,
  ): Promise<R>;
}

/**
 * So much fuel a core instance gets at once: 20 to 100 microseconds of compiled code, and some
 * milliseconds at most, of code that waits for memory with each instruction.
 */
export const FUEL_GRANT = 500_000;
const PAGE_BYTES = 65_536;

let hook: WebAssembly.ExportValue | undefined;

/**
 * What one guest uses: the fuel of all its core instances, and their memories.
 *
 * F1. Whoever gave the bounds is asked before a core instance gets more fuel, and may end the guest there:
 *     what it throws becomes the guest's failure, and a trap that no handler of the guest catches.
 * F2. A guest is only asked to wait where its stack can be put aside: `canWait` is false where a frame of
 *     JavaScript is below it.
 * F3. Pages are counted before a memory gets them: those that there are, and those that were asked for. While
 *     others are attached in the place of those that are gone, those of all of them are counted at once.
 */
export class Meter implements HookTarget {
  readonly #bounds: Bounds;
  readonly #guest: MeteredGuest;
  /** Of each core instance: what it has left. */
  readonly #tanks: WebAssembly.Global[] = [];
  #granted = 0;
  /** Of what was paid to the engine, what nobody was asked for yet. */
  #paid = 0;
  #pages = 0;
  #isReattaching = false;
  #pending: Promise<void> | undefined;
  canWait = false;

  constructor(bounds: Bounds, guest: MeteredGuest) {
    this.#bounds = bounds;
    this.#guest = guest;
  }

  get fuelUsed(): number {
    return this.#granted - this.#tanks.reduce((sum, { value }) => sum + Number(value), 0);
  }

  /**
   * Those that its core instances begin with, in all. Throws `Trap` where they are more than it may have, and
   * `RangeError` where there is no memory for them now.
   */
  begin(pages: number): void {
    if (!this.#fits(pages)) {
      throw new Trap("the memories of the component begin with more than it may have");
    }
    if (!this.#take(pages)) throw noMemory();
  }

  #fits(pages: number): boolean {
    return (this.#pages + pages) * PAGE_BYTES <= this.#bounds.memoryBytesMax;
  }

  #take(pages: number): boolean {
    if (!this.#isReattaching && !this.#mayHave(pages)) return false;
    this.#pages += pages;
    return true;
  }

  #mayHave(pages: number): boolean {
    return this.takeBytes(pages * PAGE_BYTES);
  }

  /** For what the engine keeps at the wish of the guest, beside its memories; false as for a full memory. */
  takeBytes(bytes: number): boolean {
    return this.#bounds.takeMemory?.(bytes) ?? true;
  }

  /** Makes a core instance pay, and then runs its start function. */
  attach(exports: Readonly<Record<string, WebAssembly.ExportValue>>): void {
    const tank = exports[addedExports.fuel];
    if (tank instanceof WebAssembly.Global) {
      this.#tanks.push(tank);
      hook ??= createHook();
      setGlobal(exports[addedExports.hook], hook);
      setGlobal(exports[addedExports.meter], this);
    }
    const start = exports[addedExports.start];
    if (typeof start === "function") this.directly(() => start());
  }

  /** Its core instances are gone: others will be attached in their place, with as much memory. */
  detach(): void {
    this.#granted = this.fuelUsed;
    this.#tanks.length = 0;
  }

  /** Attaches others. Throws `RangeError` where there is no memory for them now. */
  reattach<T>(link: () => T): T {
    const pages = this.#pages;
    if (!this.#mayHave(pages)) throw noMemory();
    this.#pages = 0;
    this.#isReattaching = true;
    try {
      return link();
    } catch (error) {
      this.detach();
      throw error;
    } finally {
      this.#pages = pages;
      this.#isReattaching = false;
    }
  }

  /** Calls into the guest from JavaScript, on the stack that there is (F2). */
  directly<T>(call: () => T): T {
    const couldWait = this.canWait;
    this.canWait = false;
    const returned = call();
    // Not after a throw: then the guest has ended.
    this.canWait = couldWait;
    return returned;
  }

  /** Settles when a guest that let others go on has its turn again. */
  yielded(): Promise<void> {
    return this.#bounds.onYield?.() ?? nextTurn();
  }

  /**
   * For what the engine does at the wish of the guest, and takes its time for: as if the guest had done it. Where it
   * is much, the guest asks for more fuel as soon as it goes on: there it can be put aside, and here it may not.
   */
  pay(units: number): void {
    this.#granted += units;
    this.#paid += units;
    if (this.#paid < FUEL_GRANT) return;
    this.#paid = 0;
    for (const tank of this.#tanks) {
      this.#granted -= Number(tank.value);
      tank.value = typeof tank.value === "bigint" ? 0n : 0;
    }
  }

  ask(pages: number): number {
    try {
      if (pages === 0) return this.#refuel();
      if (pages > 0) return this.#fits(pages) && this.#take(pages) ? 1 : 0;
      this.#pages += pages;
      return 1;
    } catch (cause) {
      throw this.#guest.fail(cause);
    }
  }

  wait(): Promise<number> {
    const pending = this.#pending ?? Promise.resolve();
    this.#pending = undefined;
    return this.#guest.suspend(
      pending,
      () => this.#grant(),
      (cause) => this.#guest.fail(cause),
    );
  }

  #refuel(): number {
    this.#pending = this.#bounds.onFuelSpent(this.canWait);
    return this.#pending === undefined ? this.#grant() : WAIT;
  }

  #grant(): number {
    this.#granted += FUEL_GRANT;
    return FUEL_GRANT;
  }
}

function noMemory(): RangeError {
  return new RangeError("there is no memory for another instance now");
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function setGlobal(global: WebAssembly.ExportValue | undefined, value: unknown): void {
  if (!(global instanceof WebAssembly.Global)) throw new Error("a metered module lacks an export");
  global.value = value;
}
