import { expect, test } from "vitest";
import type { ComponentInstance } from "../canonical/component-instance.ts";
import { createCoreGuest } from "../canonical/testing/core-guest.ts";
import { Task } from "./task.ts";
import { EVENT_CODES, Waitable, WaitableSet } from "./waitable-set.ts";
import type { GuestEvent } from "./waitable-set.ts";

class PlainWaitable extends Waitable {}

/** A set with members, and tasks that wait for it in the midst of their code; who got what, in order. */
function createWaiting(count: number): {
  readonly tasks: readonly Task[];
  readonly caller: ComponentInstance;
  readonly got: string[];
  readonly hasEvent: (index: number) => void;
} {
  const { guest, cx } = createCoreGuest();
  const caller = guest.createComponentInstance();
  const set = new WaitableSet();
  const got: string[] = [];
  guest.scheduler.open({ failed: () => {} });
  // As long as this is not there, what they wait for may still come.
  guest.scheduler.expect(new Promise(() => {}), () => {});
  const tasks = Array.from({ length: count }, (_, index) => {
    const call = { signature: undefined, cx, isExclusive: false, caller: { onResolve: () => {} } };
    const task = new Task(cx.instance, call);
    task.begin(caller);
    task.start();
    const take = ({ code, index: from }: GuestEvent): void => {
      got.push(`${index}: ${code === EVENT_CODES.taskCancelled ? "cancelled" : from}`);
      if (code === EVENT_CODES.taskCancelled) task.cancel();
      else task.resolve(undefined);
      task.exit();
    };
    void set.await(task, true, take);
    return task;
  });
  const hasEvent = (index: number): void => {
    const member = new PlainWaitable();
    member.join(set);
    member.setPendingEvent(() => ({ code: EVENT_CODES.subtask, index, payload: 0 }));
  };
  return { tasks, caller, got, hasEvent };
}

test("each event goes to another one of the tasks that wait for the set", async () => {
  const { got, hasEvent } = createWaiting(3);
  hasEvent(7);
  hasEvent(8);
  await new Promise(setImmediate);
  expect(got).toEqual(["0: 7", "1: 8"]);
});

test("what a task was woken for, and leaves because it is cancelled, goes to the next", async () => {
  const { tasks, caller, got, hasEvent } = createWaiting(2);
  hasEvent(7);
  tasks[0]?.requestCancellation(caller);
  await new Promise(setImmediate);
  expect(got).toEqual(["0: cancelled", "1: 7"]);
});
