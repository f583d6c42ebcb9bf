import type { ComponentInstance } from "../canonical/component-instance.ts";
import type { CoreValue } from "../canonical/guest-context.ts";
import { Guest } from "../canonical/guest.ts";
import { uncatchableTrap } from "../canonical/trap.ts";
import type { Links } from "../engine.ts";
import { Linking } from "./linking.ts";
import { runSteps } from "./linker.ts";
import { MemoryImage } from "./memory-image.ts";
import type { PreparedStep } from "./prepared-plan.ts";

/** A guest without its core instances: what the engine knows of it, and what they had changed. */
export interface FrozenGuest {
  readonly links: Links;
  readonly guest: Guest;
  readonly componentInstances: ComponentInstance[];
  /** In the order of `Linking.memories`. */
  readonly memories: readonly MemoryImage[];
  /** In the order of the plan. */
  readonly globals: readonly CoreValue[];
}

/**
 * Puts guests of one plan aside, and brings them back. V8's objects for a QuickJS guest take six times
 * the heap of all else that an instance keeps, and its memories gigabytes of address space.
 *
 * Z1. Core instances are always the same when their start functions have run: those call nothing of
 *     the host or the engine and compute for a moment only (tried once for each plan, with functions
 *     and bounds that refuse), and WebAssembly is deterministic. So what a guest changed since is all
 *     there is to keep, and running the start functions again is seen by nobody.
 * Z2. Memories and mutable globals are all that a guest can have changed (`exposeState`).
 * Z3. Nothing but the core instances is made anew: handles and their objects stay as they are.
 */
export class Freezer {
  readonly #steps: readonly PreparedStep[];
  /** Memories as start functions leave them; made for the first guest that is frozen, and null where they call the host, or compute for long. */
  #initial: readonly MemoryImage[] | null | undefined;

  constructor(steps: readonly PreparedStep[]) {
    this.#steps = steps;
  }

  /** The guest is in no call. Undefined where it cannot be put aside, now or at all. */
  freeze(linking: Linking): FrozenGuest | undefined {
    try {
      return this.#freeze(linking);
    } catch (error) {
      // No memory to put it into, or to make the first of its kind: it stays as it is.
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  #freeze(linking: Linking): FrozenGuest | undefined {
    const { links, guest, componentInstances } = linking;
    const memoryBytes = linking.memories.reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (memoryBytes > MEMORY_BYTES_MAX) return undefined;
    // The end of an asynchronous call, and what is copied, is written to the memory that it was called from.
    if (guest.subtasksUnderWay > 0 || guest.copiesUnderWay > 0) return undefined;
    const globals = Array.from(mutableGlobals(linking, this.#steps), ({ value }) => value);
    // JavaScript need not keep the bits of one.
    if (globals.some((value) => Number.isNaN(value))) return undefined;
    const initial = (this.#initial ??= initialMemories(this.#steps));
    if (initial === null) return undefined;
    // Its bounds may have refused memory to its start functions: it began as another.
    const isSmaller = initial.some(
      ({ memoryBytes: initialBytes }, index) =>
        initialBytes > (linking.memories[index]?.byteLength ?? 0),
    );
    if (isSmaller) return undefined;
    const memories = linking.memories.map((memory, index) =>
      MemoryImage.of(memory.bytes(), initial[index]),
    );
    return { links, guest, componentInstances, memories, globals };
  }

  /** Throws `RangeError` where there is no memory or address space for the core instances. */
  thaw({ links, guest, componentInstances, memories, globals }: FrozenGuest): Linking {
    const linking = new Linking(links, guest, componentInstances);
    runSteps(linking, this.#steps);
    for (const [index, image] of memories.entries()) {
      const memory = linking.memories[index];
      if (memory === undefined) throw new Error("a frozen guest had more memories");
      const missingBytes = image.memoryBytes - memory.byteLength;
      if (missingBytes > 0) memory.memory.grow(missingBytes / WASM_PAGE_BYTES);
      image.restore(memory.bytes());
    }
    let index = 0;
    for (const global of mutableGlobals(linking, this.#steps)) {
      const value = globals[index];
      if (value === undefined) throw new Error("a frozen guest had more globals");
      global.value = value;
      index += 1;
    }
    return linking;
  }
}

const WASM_PAGE_BYTES = 65_536;
/** Of one instance: looking through them, and copying what changed, holds the thread for some milliseconds. */
const MEMORY_BYTES_MAX = 8 * 1024 * 1024;

/** Grants of fuel: some milliseconds. They run on a thread that others wait for, in no one's invocation. */
const START_GRANTS_MAX = 100;

function initialMemories(steps: readonly PreparedStep[]): readonly MemoryImage[] | null {
  let isRefused = false;
  let grants = 0;
  const refuse = (): never => {
    isRefused = true;
    throw uncatchableTrap();
  };
  const onFuelSpent = (): undefined => {
    grants += 1;
    if (grants > START_GRANTS_MAX) refuse();
  };
  const guest = new Guest(undefined, { memoryBytesMax: MEMORY_BYTES_MAX, onFuelSpent });
  const linking = new Linking({}, guest);
  try {
    for (const step of steps) {
      if (step.kind === "core-instance") runSteps(linking, [step]);
      else if (step.kind === "trampoline") linking.trampolines.push(refuse);
    }
  } catch (error) {
    if (isRefused || error instanceof WebAssembly.RuntimeError) return null;
    throw error;
  }
  return linking.memories.map((memory) => MemoryImage.of(memory.bytes(), undefined));
}

function* mutableGlobals(
  linking: Linking,
  steps: readonly PreparedStep[],
): Generator<WebAssembly.Global> {
  let instance = 0;
  for (const step of steps) {
    if (step.kind !== "core-instance") continue;
    for (const name of step.globals) yield linking.global({ instance, name });
    instance += 1;
  }
}
