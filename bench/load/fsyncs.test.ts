import { expect, test } from "vitest";
import { countFsyncs } from "./fsyncs.ts";

const TRACE = [
  "41 100.500000 fdatasync(27) = 0",
  "42 101.000000 fsync(9 <unfinished ...>",
  "41 101.250000 fdatasync(27) = 0",
  "42 101.500000 <... fsync resumed>) = 0",
  "42 102.000000 fsync(9) = 0",
  "42 102.100000 +++ exited with 0 +++",
].join("\n");

test("counts each call once, also when another thread's line cuts it in two", () => {
  expect(countFsyncs(TRACE, 0, Infinity)).toBe(4);
});

test("counts only calls between the two points of time, the first included", () => {
  expect(countFsyncs(TRACE, 101_000, 102_000)).toBe(2);
});
