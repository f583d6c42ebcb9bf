// What lifting and lowering need of one core instance at run time. Compiled closures are shared by
// all instances of a plan and take the context as their first argument: an instance costs these few
// small objects, and no closure of its own.
//
// X1. A view of guest memory never outlives the call that took it: any call into the guest may grow
//     the memory, which detaches the buffer. `bytes()` and `view()` notice that and make new ones.
// X2. Memories are not shared and 32 bit: the decoder refuses others.

import type { ComponentInstance } from "./component-instance.ts";
import type { Loans } from "./resources.ts";
import { trap } from "./trap.ts";

export type CoreValue = number | bigint;

/** Flat values in, at most one out. */
export type SyncCoreFunction = (...flat: CoreValue[]) => CoreValue | void;

/** Returns a promise where it is wrapped by `WebAssembly.promising`, or is to be by `Suspending`. */
export type CoreFunction = (...flat: CoreValue[]) => CoreResult;

export type CoreResult = CoreValue | void | Promise<CoreValue | void>;

export type Realloc = (
  oldPtr: number,
  oldByteLength: number,
  alignment: number,
  newByteLength: number,
) => number;

/** One linear memory and views of it. All contexts with the same memory share one. */
export class GuestMemory {
  readonly memory: WebAssembly.Memory;
  #bytes: Uint8Array | undefined;
  #view: DataView | undefined;
  #buffer: Buffer | undefined;

  constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
  }

  get byteLength(): number {
    return this.bytes().length;
  }

  /** A detached array has length 0: that is cheaper to see than to ask for `memory.buffer` again. */
  bytes(): Uint8Array {
    const bytes = this.#bytes;
    if (bytes !== undefined && bytes.length !== 0) return bytes;
    this.#view = undefined;
    this.#buffer = undefined;
    return (this.#bytes = new Uint8Array(this.memory.buffer));
  }

  view(): DataView {
    const bytes = this.bytes();
    return (this.#view ??= new DataView(bytes.buffer));
  }

  /** The same bytes for Node's string encoders. Never `slice` it: a `Buffer` slices without copying. */
  buffer(): Buffer {
    const bytes = this.bytes();
    return (this.#buffer ??= Buffer.from(bytes.buffer));
  }
}

/** One component instance with one set of canonical options. */
export class GuestContext {
  readonly instance: ComponentInstance;
  readonly #memory: GuestMemory | undefined;
  readonly #realloc: Realloc | undefined;
  /** What the call whose arguments are being lifted borrows; set only while they are. */
  loans: Loans | undefined = undefined;

  constructor(
    instance: ComponentInstance,
    memory: GuestMemory | undefined,
    realloc: Realloc | undefined,
  ) {
    this.instance = instance;
    this.#memory = memory;
    this.#realloc = realloc;
  }

  /** The decoder checks that a function whose types need a memory names one. */
  get memory(): GuestMemory {
    return this.#memory ?? trap("the function needs a memory, and names none");
  }

  get hasMemory(): boolean {
    return this.#memory !== undefined;
  }

  allocate(alignment: number, byteLength: number): number {
    return this.reallocate(0, 0, alignment, byteLength);
  }

  reallocate(
    oldPtr: number,
    oldByteLength: number,
    alignment: number,
    newByteLength: number,
  ): number {
    const { instance } = this;
    const realloc = this.#realloc ?? trap("the function needs `realloc`, and names none");
    const { meter } = instance.guest;
    const couldWait = meter.canWait;
    instance.mayLeave = false;
    meter.canWait = false;
    const ptr = realloc(oldPtr, oldByteLength, alignment, newByteLength) >>> 0;
    meter.canWait = couldWait;
    instance.mayLeave = true;
    if (ptr % alignment !== 0) trap(`realloc gave an address that is not aligned to ${alignment}`);
    if (ptr + newByteLength > this.memory.byteLength) trap("realloc gave a range outside memory");
    return ptr;
  }

  /** Called before each lifting of a call's values. */
  startLifting(): void {
    const { guest } = this.instance;
    guest.liftableBytes = guest.limits.liftedBytesMax;
  }

  /** Counts what a lifted value takes on the host's side. */
  chargeLifting(bytes: number): void {
    const { guest } = this.instance;
    guest.liftableBytes -= bytes;
    if (guest.liftableBytes < 0) {
      trap(`the values of one call take more than ${guest.limits.liftedBytesMax} bytes`);
    }
  }

  /** Traps unless the range is aligned and inside memory. */
  checkRange(ptr: number, alignment: number, byteLength: number, what: string): void {
    if (ptr % alignment !== 0) trap(`${what} is not aligned to ${alignment}`);
    if (ptr + byteLength > this.memory.byteLength) trap(`${what} reaches outside memory`);
  }
}
