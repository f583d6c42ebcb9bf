// The canonical built-ins around asynchronous calls: core functions, made for one component instance
// (or context, where they write to memory). A `CoreFunction` may return a promise, and is to be
// wrapped with `WebAssembly.Suspending`; a `SyncCoreFunction` never does.
//
// The host never cancels a task (`task.ts`): what a guest would learn of that, it never does.

import type { ComponentInstance } from "../canonical/component-instance.ts";
import type { CoreFunction, GuestContext, SyncCoreFunction } from "../canonical/guest-context.ts";
import { guarded, requireMayLeave } from "../canonical/leave.ts";
import { trap } from "../canonical/trap.ts";
import { requireWaitableSet } from "./lift-async-export.ts";
import { Subtask } from "./subtask.ts";
import { Task } from "./task.ts";
import { NO_EVENT, Waitable, WaitableSet, requireAlive } from "./waitable-set.ts";
import type { GuestEvent } from "./waitable-set.ts";

const BACKPRESSURE_MAX = 2 ** 16 - 1;

/** Each task has two words of storage of its own. A start function runs in a task of its own, too. */
export function contextGet(instance: ComponentInstance, slot: 0 | 1): SyncCoreFunction {
  if (slot === 0) return () => currentTask(instance).context0;
  return () => currentTask(instance).context1;
}

export function contextSet(instance: ComponentInstance, slot: 0 | 1): SyncCoreFunction {
  if (slot === 0) {
    return (value) => {
      currentTask(instance).context0 = Number(value) | 0;
    };
  }
  return (value) => {
    currentTask(instance).context1 = Number(value) | 0;
  };
}

function currentTask(instance: ComponentInstance): Task {
  return instance.task ?? new Task(instance);
}

export function backpressureIncrement(instance: ComponentInstance): SyncCoreFunction {
  return () =>
    guarded(instance, () => {
      if (instance.backpressure >= BACKPRESSURE_MAX) trap("backpressure was raised too often");
      instance.backpressure += 1;
    });
}

export function backpressureDecrement(instance: ComponentInstance): SyncCoreFunction {
  return () =>
    guarded(instance, () => {
      if (instance.backpressure === 0) trap("backpressure was lowered more often than raised");
      instance.backpressure -= 1;
    });
}

/** The earlier form, which toolchains still emit. */
export function backpressureSet(instance: ComponentInstance): SyncCoreFunction {
  return (isOn) => {
    instance.backpressure = Number(isOn) === 0 ? 0 : 1;
  };
}

export function taskCancel(instance: ComponentInstance): SyncCoreFunction {
  return () =>
    guarded(instance, () => {
      requireMayLeave(instance);
      trap("task.cancel in a call that nobody cancelled");
    });
}

export function waitableSetNew(instance: ComponentInstance): SyncCoreFunction {
  return () =>
    guarded(instance, () => {
      requireMayLeave(instance);
      return instance.handles.add(new WaitableSet());
    });
}

export function waitableSetDrop(instance: ComponentInstance): SyncCoreFunction {
  return (index) =>
    guarded(instance, () => {
      requireMayLeave(instance);
      requireWaitableSet(instance.handles.get(Number(index) >>> 0)).drop();
      instance.handles.remove(Number(index) >>> 0);
    });
}

export function waitableSetPoll(cx: GuestContext): SyncCoreFunction {
  return (index, ptr) =>
    guarded(cx.instance, () => {
      requireMayLeave(cx.instance);
      const set = requireWaitableSet(cx.instance.handles.get(Number(index) >>> 0));
      return saveEvent(cx, Number(ptr) >>> 0, set.take() ?? NO_EVENT);
    });
}

export function waitableSetWait(cx: GuestContext): CoreFunction {
  return (index, ptr) =>
    guarded(cx.instance, () => {
      requireMayLeave(cx.instance);
      const set = requireWaitableSet(cx.instance.handles.get(Number(index) >>> 0));
      const event = set.take();
      if (event !== undefined) return saveEvent(cx, Number(ptr) >>> 0, event);
      return guardedLater(cx.instance, async () =>
        saveEvent(cx, Number(ptr) >>> 0, await set.wait(cx.instance.guest)),
      );
    });
}

function saveEvent(cx: GuestContext, ptr: number, event: GuestEvent): number {
  cx.checkRange(ptr, 4, 8, "the place for the event");
  const view = cx.memory.view();
  view.setUint32(ptr, event.index, true);
  view.setUint32(ptr + 4, event.payload, true);
  return event.code;
}

export function waitableJoin(instance: ComponentInstance): SyncCoreFunction {
  return (waitableIndex, setIndex) =>
    guarded(instance, () => {
      requireMayLeave(instance);
      const waitable = instance.handles.get(Number(waitableIndex) >>> 0);
      if (!(waitable instanceof Waitable)) trap("a handle of another kind, not a waitable");
      const index = Number(setIndex) >>> 0;
      waitable.join(index === 0 ? undefined : requireWaitableSet(instance.handles.get(index)));
    });
}

export function subtaskDrop(instance: ComponentInstance): SyncCoreFunction {
  return (index) =>
    guarded(instance, () => {
      requireMayLeave(instance);
      requireSubtask(instance, Number(index) >>> 0).drop();
      instance.handles.remove(Number(index) >>> 0);
    });
}

/** Nobody has to wait for a host function to be cancelled, so both forms end at once. */
export function subtaskCancel(instance: ComponentInstance, isAsync: boolean): SyncCoreFunction {
  return (index) =>
    guarded(instance, () => {
      requireMayLeave(instance);
      const subtask = requireSubtask(instance, Number(index) >>> 0);
      if (subtask.isInSet && !isAsync) trap("a subtask in a set was cancelled synchronously");
      return subtask.cancel();
    });
}

function requireSubtask(instance: ComponentInstance, index: number): Subtask {
  const entry = instance.handles.get(index);
  return entry instanceof Subtask ? entry : trap("a handle of another kind, not a subtask");
}

/** Lets the thread's other work run; answers that nobody cancelled the call. */
export function threadYield(instance: ComponentInstance): CoreFunction {
  return () =>
    guarded(instance, () => {
      requireMayLeave(instance);
      return guardedLater(instance, async () => {
        await instance.guest.meter.yielded();
        await requireAlive(instance.guest);
        return 0;
      });
    });
}

/** Suspends the stack of the guest until the JavaScript that it asked for is done. */
function guardedLater<T>(instance: ComponentInstance, run: () => Promise<T>): Promise<T> {
  const { guest } = instance;
  return guest.suspend(
    run(),
    (value) => value,
    (cause) => guest.fail(cause),
  );
}
