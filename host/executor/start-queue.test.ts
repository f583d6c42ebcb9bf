import { expect, test } from "vitest";
import { StartQueue } from "./start-queue.ts";
import { invocationOf } from "./testing/calls.ts";

function queueOf(...ids: readonly string[]): StartQueue {
  const queue = new StartQueue();
  for (const id of ids) queue.push(id.charAt(0), invocationOf({ invocationId: id }));
  return queue;
}

function takeAll(queue: StartQueue, mayStart: (tenantId: string) => boolean): string {
  const taken: string[] = [];
  for (let next = queue.next(mayStart); next !== undefined; next = queue.next(mayStart)) {
    const [tenantId, { invocationId }] = next;
    taken.push(invocationId);
    queue.take(tenantId);
  }
  return taken.join(" ");
}

test("tenants take turns, and each one's invocations start in the order in which they came", () => {
  const queue = queueOf("a1", "a2", "a3", "b1", "c1", "b2");
  expect(takeAll(queue, () => true)).toBe("a1 b1 c1 a2 b2 a3");
  expect(queue.size).toBe(0);
});

test("a tenant that may start none is passed over, and keeps its own", () => {
  const queue = queueOf("a1", "b1", "a2");
  expect(takeAll(queue, (tenantId) => tenantId !== "a")).toBe("b1");
  expect([queue.size, takeAll(queue, () => true)]).toEqual([2, "a1 a2"]);
});

test("one that is removed never starts", () => {
  const queue = queueOf("a1", "a2", "b1");
  expect(queue.remove("a1")?.invocationId).toBe("a1");
  expect(queue.remove("b1")?.invocationId).toBe("b1");
  expect(queue.remove("b1")).toBeUndefined();
  expect([queue.size, takeAll(queue, () => true)]).toEqual([1, "a2"]);
});
