// The canonical built-ins of streams and futures: `{stream,future}.{new,read,write,cancel-read,cancel-write,
// drop-readable,drop-writable}`.

import type { ComponentInstance } from "../canonical/component-instance.ts";
import type {
  CoreFunction,
  CoreResult,
  CoreValue,
  GuestContext,
  SyncCoreFunction,
} from "../canonical/guest-context.ts";
import { guarded, requireMayLeave } from "../canonical/leave.ts";
import type { StringEncoding } from "../canonical/strings.ts";
import { trap } from "../canonical/trap.ts";
import type { NumberedEnd } from "../component/plan.ts";
import type { EndSide } from "../component/syntax.ts";
import { BLOCKED } from "./builtins.ts";
import { CopyBuffer } from "./copy-buffer.ts";
import type { ElementLayout } from "./copy-buffer.ts";
import type { ElementLayouts } from "./copy-element.ts";
import { CopyEnd, endType, requireEnd } from "./copy-end.ts";
import { COPY_RESULTS, SharedFuture, SharedStream } from "./shared-ends.ts";
import type { CopyResult } from "./shared-ends.ts";
import { requireTask } from "./waitable-set.ts";

/** Both ends: the readable one in the lower half. */
export function endNew(instance: ComponentInstance, type: NumberedEnd): SyncCoreFunction {
  const readable = endType(type, "readable");
  const writable = endType(type, "writable");
  return () =>
    guarded(instance, () => {
      requireMayLeave(instance);
      const { handles } = instance;
      const shared = type.kind === "stream" ? new SharedStream() : new SharedFuture();
      const readableIndex = handles.add(new CopyEnd(readable, shared));
      const writableIndex = handles.add(new CopyEnd(writable, shared));
      return BigInt(readableIndex) | (BigInt(writableIndex) << 32n);
    });
}

export interface CopyOptions {
  readonly type: NumberedEnd;
  readonly side: EndSide;
  readonly stringEncoding: StringEncoding;
  readonly async: boolean;
}

/** Compiled once for each plan. Where it is not asynchronous, it is to be wrapped with `WebAssembly.Suspending`. */
export function compileCopy(
  options: CopyOptions,
  elements: ElementLayouts,
): (cx: GuestContext) => CoreFunction {
  const type = endType(options.type, options.side);
  let element: ElementLayout | undefined;
  const isStream = type.kind === "stream";
  return (cx) => (index, ptr, count) =>
    guarded(cx.instance, () => {
      const { instance } = cx;
      requireMayLeave(instance);
      const end = requireEnd(instance, toU32(index), type);
      end.requireIdle(`a read or write of an end of a ${type.kind}`);
      if (end.isInSet && !options.async) {
        trap(`a ${type.kind} in a waitable set was read or written synchronously`);
      }
      const length = isStream ? toU32(count) : 1;
      element ??= elements.layout(type.elementNumber, options.stringEncoding);
      const buffer = new CopyBuffer(cx, element, toU32(ptr), length);
      startCopy(end, toU32(index), buffer, instance);
      return options.async
        ? (end.takePendingEvent()?.payload ?? BLOCKED)
        : awaitCopy(end, instance);
    });
}

function startCopy(
  end: CopyEnd,
  index: number,
  buffer: CopyBuffer,
  { guest }: ComponentInstance,
): void {
  const { shared, eventCode: code } = end;
  guest.copiesUnderWay += 1;
  const isStream = shared instanceof SharedStream;
  const tell = (result: CopyResult, reclaim: (() => void) | undefined): void =>
    end.setPendingEvent(() => {
      reclaim?.();
      end.finishCopy(result);
      guest.copiesUnderWay -= 1;
      return { code, index, payload: isStream ? result | (buffer.progress << 4) : result };
    });
  end.startCopy({
    buffer,
    onCopy: (reclaim) => tell(COPY_RESULTS.completed, reclaim),
    onDone: (result) => tell(result, undefined),
  });
}

function awaitCopy(end: CopyEnd, instance: ComponentInstance): CoreResult {
  const take = (): number => end.takePendingEvent()?.payload ?? BLOCKED;
  if (end.hasPendingEvent) return take();
  return end.await(requireTask(instance), () => end.hasPendingEvent, take);
}

/** The other side never has to be waited for, so both forms end at once. */
export function endCancel(
  instance: ComponentInstance,
  options: Pick<CopyOptions, "type" | "side" | "async">,
): SyncCoreFunction {
  const type = endType(options.type, options.side);
  return (index) =>
    guarded(instance, () => {
      requireMayLeave(instance);
      const end = requireEnd(instance, toU32(index), type);
      if (end.isInSet && !options.async) {
        trap(`a copy of a ${type.kind} in a waitable set was cancelled synchronously`);
      }
      end.cancelCopy();
      return end.takePendingEvent()?.payload ?? BLOCKED;
    });
}

export function endDrop(
  instance: ComponentInstance,
  options: Pick<CopyOptions, "type" | "side">,
): SyncCoreFunction {
  const type = endType(options.type, options.side);
  return (index) =>
    guarded(instance, () => {
      requireMayLeave(instance);
      requireEnd(instance, toU32(index), type).drop();
      instance.handles.remove(toU32(index));
    });
}

function toU32(value: CoreValue | undefined): number {
  return Number(value) >>> 0;
}
