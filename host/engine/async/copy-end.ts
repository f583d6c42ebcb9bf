// The ends of streams and futures, as entries of a handle table.
//
// N1. An end copies at most once at a time; from when a copy begins until the guest has its event, it can be neither
//     dropped nor given away.
// N2. The readable end is a value: it moves where it is passed to, idle and in no set. The writable one stays.
// N3. Who was told that the other end is gone, or that a future is done, uses the end no more: it can be dropped.
// N4. A future is written before its writable end is dropped, or its reader is gone.

import type { ComponentInstance } from "../canonical/component-instance.ts";
import type { GuestContext } from "../canonical/guest-context.ts";
import { trap } from "../canonical/trap.ts";
import type { NumberedEnd } from "../component/plan.ts";
import type { EndSide } from "../component/syntax.ts";
import { COPY_RESULTS, SharedFuture, SharedStream } from "./shared-ends.ts";
import type { Copy, CopyResult } from "./shared-ends.ts";
import { EVENT_CODES, Waitable } from "./waitable-set.ts";
import type { GuestEvent } from "./waitable-set.ts";

/** The type of an end. */
export interface EndType extends NumberedEnd {
  readonly side: EndSide;
}

export function endType({ kind, elementNumber }: NumberedEnd, side: EndSide): EndType {
  return { kind, side, elementNumber };
}

function isSameEnd(a: EndType, b: EndType): boolean {
  return a.kind === b.kind && a.side === b.side && a.elementNumber === b.elementNumber;
}

const CODES = {
  stream: { readable: EVENT_CODES.streamRead, writable: EVENT_CODES.streamWrite },
  future: { readable: EVENT_CODES.futureRead, writable: EVENT_CODES.futureWrite },
} as const;

type EndState = "idle" | "copying" | "cancelling" | "done";

export class CopyEnd extends Waitable {
  readonly type: EndType;
  readonly shared: SharedStream | SharedFuture;
  #state: EndState = "idle";
  #copy: Copy | undefined;

  constructor(type: EndType, shared: SharedStream | SharedFuture) {
    super();
    this.type = type;
    this.shared = shared;
  }

  get eventCode(): GuestEvent["code"] {
    return CODES[this.type.kind][this.type.side];
  }

  requireIdle(what: string): void {
    if (this.#state === "done")
      trap(`${what}, which is done: its other end is gone, or it was used up`);
    if (this.#state !== "idle") trap(`${what}, which has a copy under way`);
  }

  startCopy(copy: Copy): void {
    this.#state = "copying";
    this.#copy = copy;
    if (this.type.side === "readable") this.shared.read(copy);
    else this.shared.write(copy);
  }

  /** With the event of its copy. */
  finishCopy(result: CopyResult): void {
    const isOver =
      result === COPY_RESULTS.dropped ||
      (result === COPY_RESULTS.completed && this.type.kind === "future");
    this.#state = isOver ? "done" : "idle";
    this.#copy = undefined;
  }

  cancelCopy(): void {
    const copy = this.#copy;
    if (copy === undefined || this.#state !== "copying" || this.isAwaited) {
      trap(`a read or write of a ${this.type.kind} was cancelled that is not under way`);
    }
    this.#state = "cancelling";
    this.shared.cancel(copy, this.hasPendingEvent);
  }

  drop(): void {
    if (this.#state === "copying" || this.#state === "cancelling") {
      trap(`an end of a ${this.type.kind} was dropped, which has a copy under way`);
    }
    if (this.type.kind === "future" && this.type.side === "writable" && this.#state !== "done") {
      trap("the writable end of a future was dropped before it was written");
    }
    this.shared.drop();
    this.join(undefined);
  }
}

export function requireEnd(instance: ComponentInstance, index: number, type: EndType): CopyEnd {
  const entry = instance.handles.get(index);
  if (!(entry instanceof CopyEnd)) trap(`a handle of another kind, not an end of a ${type.kind}`);
  if (!isSameEnd(entry.type, type)) {
    trap(`a handle of another type, not the ${type.side} end of such a ${type.kind}`);
  }
  return entry;
}

/** As a value: the readable end leaves the table, and what it shares with the writable one goes on. */
export function liftEnd(cx: GuestContext, index: number, type: EndType): unknown {
  const { handles } = cx.instance;
  const end = requireEnd(cx.instance, index, type);
  end.requireIdle(`an end of a ${type.kind} was given away`);
  if (end.isInSet) trap(`an end of a ${type.kind} was given away while it is in a waitable set`);
  handles.remove(index);
  return end.shared;
}

export function lowerEnd(cx: GuestContext, value: unknown, type: EndType): number {
  const isOfKind =
    type.kind === "stream" ? value instanceof SharedStream : value instanceof SharedFuture;
  if (!isOfKind || !(value instanceof SharedStream || value instanceof SharedFuture)) {
    throw new TypeError(`expected a ${type.kind}`);
  }
  return cx.instance.handles.add(new CopyEnd(type, value));
}
