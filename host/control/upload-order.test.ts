import { expect, test } from "vitest";
import { UploadOrder } from "./upload-order.ts";

test("a change that was overtaken by a later one is superseded", () => {
  const order = new UploadOrder();
  const first = order.begin("a");
  const second = order.begin("a");
  order.applied(second);
  expect(order.isSuperseded(first)).toBe(true);
  expect(order.isSuperseded(second)).toBe(false);
});

test("a later change that failed supersedes nothing", () => {
  const order = new UploadOrder();
  const first = order.begin("a");
  order.end(order.begin("a"));
  expect(order.isSuperseded(first)).toBe(false);
});

test("an earlier change that is applied first does not supersede the later one", () => {
  const order = new UploadOrder();
  const first = order.begin("a");
  const second = order.begin("a");
  order.applied(first);
  expect(order.isSuperseded(second)).toBe(false);
});

test("apps do not supersede each other", () => {
  const order = new UploadOrder();
  const first = order.begin("a");
  order.applied(order.begin("b"));
  expect(order.isSuperseded(first)).toBe(false);
});
