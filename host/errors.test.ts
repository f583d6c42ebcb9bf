import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ERROR_CODES, HostError } from "./errors.ts";

test("an error survives being sent as data", () => {
  const error = new HostError("QUEUE_FULL", "full", { details: { queueDepthMax: 3 } });
  const received = HostError.fromWire(structuredClone(error.toWire()));
  expect(received).toMatchObject({ code: "QUEUE_FULL", status: 429, retryable: true });
  expect(received.details).toEqual({ queueDepthMax: 3 });
});

test("what is not ours becomes a bug without its text, and keeps its cause", () => {
  const cause = new Error("password=hunter2");
  const error = HostError.from(cause);
  expect(error.code).toBe("INTERNAL");
  expect(error.message).not.toContain("hunter2");
  expect(error.cause).toBe(cause);
});

test("docs/errors.md lists every code with its status and whether to try again", () => {
  const source = readFileSync(new URL("../docs/errors.md", import.meta.url), "utf8");
  // The formatter pads the columns.
  const page = source.replaceAll(/ +/gu, " ");
  for (const [code, { status, retryable }] of Object.entries(ERROR_CODES)) {
    expect(page).toContain(`| \`${code}\` | ${status} | ${retryable ? "yes" : "no"} |`);
  }
  const rows = page.split("\n").filter((line) => line.startsWith("| `"));
  expect(rows).toHaveLength(Object.keys(ERROR_CODES).length);
});
