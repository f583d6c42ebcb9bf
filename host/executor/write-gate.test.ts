import { expect, test } from "vitest";
import { WriteGate } from "./write-gate.ts";

function enterOften(gate: WriteGate, tenantId: string, times: number): void {
  for (let entered = 0; entered < times; entered += 1) gate.enter(tenantId);
}

test("a tenant whose invocations wait for their writes starts no more, and others do", () => {
  const gate = new WriteGate(() => undefined);
  enterOften(gate, "floods", 7);
  expect(gate.mayStart("floods")).toBe(true);
  gate.enter("floods");
  expect(gate.mayStart("floods")).toBe(false);
  expect(gate.mayStart("other")).toBe(true);
});

test("a write that settled lets one start, also where its writer waits for the next one at once", () => {
  let left = 0;
  const gate = new WriteGate(() => (left += 1));
  enterOften(gate, "floods", 8);
  gate.leave("floods");
  gate.enter("floods");
  expect([left, gate.mayStart("floods")]).toEqual([1, true]);
  gate.started("floods");
  expect(gate.mayStart("floods")).toBe(false);
});

test("writes that all settle at once let one start, also where all their writers wait again", () => {
  const gate = new WriteGate(() => undefined);
  enterOften(gate, "floods", 8);
  for (let settled = 0; settled < 8; settled += 1) gate.leave("floods");
  enterOften(gate, "floods", 8);
  expect(gate.mayStart("floods")).toBe(true);
  gate.started("floods");
  gate.sweep();
  expect(gate.mayStart("floods")).toBe(false);
});
