// What is copied through streams and futures, and where it lies. One copy moves elements from a source to a destination:
// each is a range of a guest's memory.
//
// M1. A range is aligned, and inside the memory it is in, from when the copy begins: memories only grow.
// M2. Numbers are copied as bytes. All else is lifted and lowered one by one, as any value is: it takes no more of the
//     host at once than one element does.
// M3. Whoever calls pays for what is copied, about as for code that takes as long.
// M4. One copy moves at most so much that the thread is held for some milliseconds. The rest is for the next one: to
//     either side it is as if the other one had had less room.

import type { ComponentInstance } from "../canonical/component-instance.ts";
import type { GuestContext } from "../canonical/guest-context.ts";
import type { Load } from "../canonical/load-value.ts";
import type { Save } from "../canonical/save-value.ts";
import { trap } from "../canonical/trap.ts";
import type { ComponentValue, ValueType } from "../component/types.ts";

const ELEMENTS_MAX = 2 ** 28 - 1;

/** In one copy: of numbers. */
const COPIED_BYTES_MAX = 4 * 1024 * 1024;
/** In one copy: of what is lifted and lowered. */
const LIFTED_BYTES_MAX = 1024 * 1024;
const LIFTED_ELEMENTS_MAX = 10_000;
/** Of fuel; of the content of an element, and of numbers, each byte is one. */
const LIFTED_ELEMENT_UNITS = 1000;

const NUMBERS: ReadonlySet<ValueType["kind"]> = new Set([
  "s8",
  "u8",
  "s16",
  "u16",
  "s32",
  "u32",
  "s64",
  "u64",
  "f32",
  "f64",
]);

/** How elements of one type lie in the memory of a guest with one encoding; undefined where they have no content. */
export interface ElementLayout {
  readonly alignment: number;
  readonly byteLength: number;
  readonly hostBytes: number;
  readonly isNumber: boolean;
  readonly load: Load;
  readonly save: Save;
}

export function isNumber(type: ValueType): boolean {
  return NUMBERS.has(type.kind);
}

/** Copies as many elements as both have, and one copy may (M4). Both have some. */
export function copyElements(from: CopyBuffer, to: CopyBuffer): void {
  const most = Math.min(from.remain, to.remain);
  if (from.copyRange(to, most)) return;
  const lifted = Math.min(most, LIFTED_ELEMENTS_MAX);
  let count = 0;
  let liftedBytes = 0;
  for (; count < lifted && liftedBytes < LIFTED_BYTES_MAX; count += 1) {
    to.put(from.take());
    liftedBytes += from.liftedBytes;
  }
  from.instance.guest.meter.pay(count * LIFTED_ELEMENT_UNITS + liftedBytes);
}

/** A range of elements in the memory of a guest: to be read from, or to be written to. */
export class CopyBuffer {
  readonly #cx: GuestContext;
  readonly #element: ElementLayout | undefined;
  readonly #ptr: number;
  readonly length: number;
  #progress = 0;
  /** What the element took of the host that was taken last. */
  liftedBytes = 0;

  constructor(cx: GuestContext, element: ElementLayout | undefined, ptr: number, length: number) {
    if (length > ELEMENTS_MAX) trap(`a copy of more than ${ELEMENTS_MAX} elements`);
    if (element !== undefined && length > 0) {
      cx.checkRange(ptr, element.alignment, length * element.byteLength, "the range of a copy");
    }
    this.#cx = cx;
    this.#element = element;
    this.#ptr = ptr;
    this.length = length;
  }

  get instance(): ComponentInstance {
    return this.#cx.instance;
  }

  /** Whether its elements are lifted or lowered, one by one (M2). */
  get isLifted(): boolean {
    return this.#element !== undefined && !this.#element.isNumber;
  }

  get progress(): number {
    return this.#progress;
  }

  get remain(): number {
    return this.length - this.#progress;
  }

  /** Without looking at the elements, where they are such. Both have the same type. */
  copyRange(to: CopyBuffer, most: number): boolean {
    const element = this.#element;
    let count = most;
    if (element !== undefined) {
      if (!element.isNumber) return false;
      const { byteLength } = element;
      count = Math.min(most, COPIED_BYTES_MAX / byteLength);
      const start = this.#address(byteLength);
      const bytes = this.#cx.memory.bytes().subarray(start, start + count * byteLength);
      to.#cx.memory.bytes().set(bytes, to.#address(byteLength));
      this.instance.guest.meter.pay(bytes.length);
    }
    this.#progress += count;
    to.#progress += count;
    return true;
  }

  take(): ComponentValue {
    const element = this.#element;
    if (element === undefined) {
      this.#progress += 1;
      return undefined;
    }
    const { guest } = this.instance;
    this.#cx.startLifting();
    const value = element.load(this.#cx, this.#address(element.byteLength));
    this.liftedBytes = guest.limits.liftedBytesMax - guest.liftableBytes + element.hostBytes;
    this.#progress += 1;
    return value;
  }

  put(value: ComponentValue): void {
    const element = this.#element;
    element?.save(this.#cx, this.#address(element.byteLength), value);
    this.#progress += 1;
  }

  #address(byteLength: number): number {
    return this.#ptr + this.#progress * byteLength;
  }
}
