import { expect, test } from "vitest";
import { KvsError } from "./errors.ts";

test("an error keeps its code, message and details across structured clone", () => {
  const error = new KvsError("WRONG_KIND", "the key holds a counter", {
    details: { kind: "counter" },
    cause: new Error("not sent"),
  });
  const copy = KvsError.fromWire(structuredClone(error.toWire()));
  expect(copy).toBeInstanceOf(KvsError);
  expect(copy.code).toBe("WRONG_KIND");
  expect(copy.message).toBe("the key holds a counter");
  expect(copy.details).toEqual({ kind: "counter" });
});

test("a full store may be tried again, a wrong kind may not", () => {
  expect(new KvsError("STORE_FULL", "full").retryable).toBe(true);
  expect(new KvsError("WRONG_KIND", "counter").retryable).toBe(false);
});
