import fc from "fast-check";
import { expect, test } from "vitest";
import { BoundedQueue } from "./bounded-queue.ts";

test("a full queue refuses, and keeps what it has", () => {
  const queue = new BoundedQueue<string>();
  expect(queue.push("a", 2)).toBe(true);
  expect(queue.push("b", 2)).toBe(true);
  expect(queue.push("c", 2)).toBe(false);
  expect(queue.drain()).toEqual(["a", "b"]);
});

test("a lowered limit refuses new items without dropping old ones", () => {
  const queue = new BoundedQueue<string>();
  queue.push("a", 2);
  queue.push("b", 2);
  expect(queue.push("c", 1)).toBe(false);
  expect(queue.depth).toBe(2);
});

test("it behaves as an array with a limit, whatever the order of operations", () => {
  const operation = fc.oneof(
    fc.record({ kind: fc.constant("push" as const), item: fc.nat(9) }),
    fc.record({ kind: fc.constant("shift" as const), item: fc.constant(0) }),
    fc.record({ kind: fc.constant("unshift" as const), item: fc.nat(9) }),
    fc.record({ kind: fc.constant("remove" as const), item: fc.nat(9) }),
  );
  fc.assert(
    fc.property(
      fc.array(operation, { maxLength: 60 }),
      fc.integer({ min: 1, max: 6 }),
      (run, depthMax) => {
        const queue = new BoundedQueue<number>();
        const model: number[] = [];
        for (const { kind, item } of run) {
          expect(apply(queue, kind, item, depthMax)).toBe(
            applyToModel(model, kind, item, depthMax),
          );
          expect(queue.depth).toBe(model.length);
        }
        expect(queue.drain()).toEqual(model);
      },
    ),
  );
});

type Kind = "push" | "shift" | "unshift" | "remove";

function apply(queue: BoundedQueue<number>, kind: Kind, item: number, depthMax: number): unknown {
  if (kind === "push") return queue.push(item, depthMax);
  if (kind === "unshift") return queue.unshift(item);
  return kind === "shift" ? queue.shift() : queue.remove(item);
}

function applyToModel(model: number[], kind: Kind, item: number, depthMax: number): unknown {
  if (kind === "push") return model.length < depthMax && model.push(item) > 0;
  if (kind === "unshift") return void model.unshift(item);
  if (kind === "shift") return model.shift();
  const index = model.indexOf(item);
  return index !== -1 && model.splice(index, 1).length > 0;
}
