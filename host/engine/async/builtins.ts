// The canonical built-ins around asynchronous calls: core functions, made for one component instance
// (or context, where they write to memory). A `CoreFunction` may return a promise, and is to be
// wrapped with `WebAssembly.Suspending`; a `SyncCoreFunction` never does.

import type { ComponentInstance } from "../canonical/component-instance.ts";
import type {
  CoreFunction,
  CoreResult,
  GuestContext,
  SyncCoreFunction,
} from "../canonical/guest-context.ts";
import { guarded, requireMayLeave } from "../canonical/leave.ts";
import { trap } from "../canonical/trap.ts";
import { afterStretch } from "./call-component.ts";
import { requireWaitableSet } from "./lift-async-export.ts";
import { Subtask } from "./subtask.ts";
import { Task } from "./task.ts";
import {
  NO_EVENT,
  TASK_CANCELLED,
  Waitable,
  WaitableSet,
  requireTask,
  suspendUntil,
} from "./waitable-set.ts";
import type { GuestEvent } from "./waitable-set.ts";

/** What an asynchronous built-in answers that could not end at once: there will be an event. */
export const BLOCKED = -1;

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
  return (instance.task ??= new Task(instance));
}

export function backpressureIncrement(instance: ComponentInstance): SyncCoreFunction {
  return () =>
    guarded(instance, () => {
      if (!instance.entrance.raise()) trap("backpressure was raised too often");
    });
}

export function backpressureDecrement(instance: ComponentInstance): SyncCoreFunction {
  return () =>
    guarded(instance, () => {
      if (!instance.entrance.lower()) trap("backpressure was lowered more often than raised");
    });
}

/** The earlier form, which toolchains still emit. */
export function backpressureSet(instance: ComponentInstance): SyncCoreFunction {
  return (isOn) => {
    instance.entrance.set(Number(isOn) !== 0);
  };
}

export function taskCancel(instance: ComponentInstance): SyncCoreFunction {
  return () =>
    guarded(instance, () => {
      requireMayLeave(instance);
      const { task } = instance;
      if (task?.signature === undefined) trap("task.cancel outside an asynchronous call");
      task.cancel();
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

export function waitableSetPoll(cx: GuestContext, isCancellable: boolean): SyncCoreFunction {
  return (index, ptr) =>
    guarded(cx.instance, () => {
      requireMayLeave(cx.instance);
      const set = requireWaitableSet(cx.instance.handles.get(Number(index) >>> 0));
      const isCancelled = cx.instance.task?.takeCancellation(isCancellable) === true;
      return saveEvent(
        cx,
        Number(ptr) >>> 0,
        isCancelled ? TASK_CANCELLED : (set.take() ?? NO_EVENT),
      );
    });
}

export function waitableSetWait(cx: GuestContext, isCancellable: boolean): CoreFunction {
  return (index, ptr) =>
    guarded(cx.instance, () => {
      requireMayLeave(cx.instance);
      const set = requireWaitableSet(cx.instance.handles.get(Number(index) >>> 0));
      const save = (event: GuestEvent): number => saveEvent(cx, Number(ptr) >>> 0, event);
      if (cx.instance.task?.takeCancellation(isCancellable) === true) return save(TASK_CANCELLED);
      const event = set.take();
      return event === undefined
        ? set.await(requireTask(cx.instance), isCancellable, save)
        : save(event);
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

/** Asked in its stretch: where the callee is another component, that goes on first, until it blocks or has ended. */
export function subtaskCancel(instance: ComponentInstance, isAsync: boolean): CoreFunction {
  return (index) =>
    guarded(instance, () => {
      requireMayLeave(instance);
      const subtask = requireSubtask(instance, Number(index) >>> 0);
      if (subtask.isInSet && !isAsync) trap("a subtask in a set was cancelled synchronously");
      const callee = subtask.requestCancellation(instance);
      const finish = (): CoreResult => {
        if (subtask.isResolved) return subtask.takeEnd();
        return isAsync ? BLOCKED : subtask.awaitEnd(requireTask(instance), () => subtask.state);
      };
      return callee === undefined ? finish() : afterStretch({ instance }, callee, finish);
    });
}

function requireSubtask(instance: ComponentInstance, index: number): Subtask {
  const entry = instance.handles.get(index);
  return entry instanceof Subtask ? entry : trap("a handle of another kind, not a subtask");
}

/** Lets others run; answers whether the call learns here that it is cancelled. */
export function threadYield(instance: ComponentInstance, isCancellable: boolean): CoreFunction {
  return () =>
    guarded(instance, () => {
      requireMayLeave(instance);
      const { guest, task } = instance;
      if (task?.takeCancellation(isCancellable) === true) return 1;
      if (task?.canBlock === true) return yieldTask(task, isCancellable);
      // Of the guest, nothing else may run before a synchronous call has returned.
      return guest.suspend(
        guest.meter.yielded(),
        () => 0,
        (cause) => guest.fail(cause),
      );
    });
}

function yieldTask(task: Task, isCancellable: boolean): Promise<number> {
  const { meter, scheduler } = task.instance.guest;
  let hasTurn = false;
  return suspendUntil(task, {
    isReady: () => hasTurn,
    isCancellable,
    onBlocked: (blocked) => {
      scheduler.expect(meter.yielded(), () => {
        hasTurn = true;
        scheduler.wake(blocked);
      });
    },
    onGoOn: (isCancelled) => (isCancelled ? 1 : 0),
  });
}
