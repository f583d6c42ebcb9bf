// What the two ends of a stream or future share: nothing but who waits for the other side. Elements are never stored in
// between; they are copied when a read and a write meet.
//
// Q1. At most one side waits, with its buffer. The other side that comes copies, and tells the waiting one.
// Q2. Where one end is dropped, the other learns of it at its copy that waits, or at the next one.
// Q3. A read or write of a stream that waits goes on with what is left of its buffer until its guest takes the event.
// Q4. A component does not copy to itself what has to be lifted: `realloc` would run in the midst of the call.

import { trap } from "../canonical/trap.ts";
import { copyElements } from "./copy-buffer.ts";
import type { CopyBuffer } from "./copy-buffer.ts";

export const COPY_RESULTS = { completed: 0, dropped: 1, cancelled: 2 } as const;

export type CopyResult = (typeof COPY_RESULTS)[keyof typeof COPY_RESULTS];

/** What one side brings, and how it is told. */
export interface Copy {
  readonly buffer: CopyBuffer;
  /** Something was copied, and more may be until it calls `reclaim`: of a stream only. */
  readonly onCopy: (reclaim: () => void) => void;
  readonly onDone: (result: CopyResult) => void;
}

abstract class Shared {
  protected pending: Copy | undefined;
  protected isDropped = false;

  /** Whoever waits is told, and waits no more. */
  protected finishPending(result: CopyResult): void {
    const { pending } = this;
    this.pending = undefined;
    pending?.onDone(result);
  }

  /** Nothing more is copied. One whose buffer is used up, or that was told its end already, has completed. */
  cancel(copy: Copy, isTold: boolean): void {
    if (this.pending !== copy || (isTold && copy.buffer.remain === 0)) return;
    this.finishPending(COPY_RESULTS.cancelled);
  }

  drop(): void {
    if (this.isDropped) return;
    this.isDropped = true;
    this.finishPending(COPY_RESULTS.dropped);
  }

  protected requireOther(pending: CopyBuffer, other: CopyBuffer): void {
    if (other.instance === pending.instance && other.isLifted) {
      trap("a component reads what it writes itself, and only numbers can be copied so");
    }
  }
}

export class SharedStream extends Shared {
  read(copy: Copy): void {
    const { pending } = this;
    if (this.isDropped) copy.onDone(COPY_RESULTS.dropped);
    else if (pending === undefined) this.pending = copy;
    else {
      this.requireOther(pending.buffer, copy.buffer);
      if (pending.buffer.remain === 0) this.#replacePending(copy);
      else this.#meet(pending, copy, () => copyElements(pending.buffer, copy.buffer));
    }
  }

  write(copy: Copy): void {
    const { pending } = this;
    if (this.isDropped) copy.onDone(COPY_RESULTS.dropped);
    else if (pending === undefined) this.pending = copy;
    else {
      this.requireOther(pending.buffer, copy.buffer);
      if (pending.buffer.remain > 0) {
        this.#meet(pending, copy, () => copyElements(copy.buffer, pending.buffer));
      } else if (copy.buffer.length === 0 && pending.buffer.length === 0) {
        copy.onDone(COPY_RESULTS.completed);
      } else this.#replacePending(copy);
    }
  }

  #meet(pending: Copy, copy: Copy, move: () => void): void {
    if (copy.buffer.remain > 0) {
      move();
      pending.onCopy(() => {
        this.pending = undefined;
      });
    }
    copy.onDone(COPY_RESULTS.completed);
  }

  #replacePending(copy: Copy): void {
    this.finishPending(COPY_RESULTS.completed);
    this.pending = copy;
  }
}

export class SharedFuture extends Shared {
  /** The reading end. Its writing end writes before it is dropped, so that this one never waits in vain. */
  read(copy: Copy): void {
    this.#meet(copy, (pending) => copyElements(pending.buffer, copy.buffer));
  }

  write(copy: Copy): void {
    if (this.isDropped) copy.onDone(COPY_RESULTS.dropped);
    else this.#meet(copy, (pending) => copyElements(copy.buffer, pending.buffer));
  }

  #meet(copy: Copy, move: (pending: Copy) => void): void {
    const { pending } = this;
    if (pending === undefined) {
      this.pending = copy;
      return;
    }
    this.requireOther(pending.buffer, copy.buffer);
    move(pending);
    this.finishPending(COPY_RESULTS.completed);
    copy.onDone(COPY_RESULTS.completed);
  }
}
