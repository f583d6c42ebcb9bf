import { expect, test } from "vitest";
import { KvsError } from "./errors.ts";
import { OutputGate } from "./output-gate.ts";

const full = new KvsError("STORE_FULL", "full");

test("a gate with nothing to wait for opens without a promise", () => {
  const gate = new OutputGate();
  expect(gate.open()).toBeUndefined();
});

test("a gate whose writes are stored before it is asked opens without a promise", () => {
  const gate = new OutputGate();
  gate.hold();
  gate.release();
  expect(gate.open()).toBeUndefined();
});

test("a gate opens with the last write that it waits for", async () => {
  const gate = new OutputGate();
  gate.hold();
  gate.hold();
  const opened = gate.open();
  gate.release();
  expect(await Promise.race([opened, Promise.resolve("shut")])).toBe("shut");
  gate.release();
  expect(await Promise.race([opened, Promise.resolve("shut")])).toBeUndefined();
});

test("a gate fails with the first write that could not be stored, before it is asked and after", async () => {
  const [before, after] = [new OutputGate(), new OutputGate()];
  before.hold();
  before.hold();
  before.fail(full);
  before.release();
  await expect(before.open()).rejects.toBe(full);
  after.hold();
  const opened = after.open();
  after.fail(full);
  after.fail(new KvsError("STORE_CLOSED", "later"));
  await expect(opened).rejects.toBe(full);
});
