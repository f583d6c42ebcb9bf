import { expect, test } from "vitest";
import { parseManifest } from "./manifest.ts";

const functions = (count: number): readonly object[] =>
  Array.from({ length: count }, (_, index) => ({ name: `f${index}` }));

test("a manifest is read, without the keys that this host does not know", () => {
  const text = JSON.stringify({
    sdk: "0.1.0",
    functions: [{ name: "hello", description: "Greets.", input: {} }, { name: "_x-1" }],
    dags: [],
  });
  expect(parseManifest(text)).toEqual({
    sdk: "0.1.0",
    functions: [{ name: "hello", description: "Greets." }, { name: "_x-1" }],
  });
});

test("256 functions are taken", () => {
  const text = JSON.stringify({ sdk: "0.1.0", functions: functions(256) });
  expect(parseManifest(text).functions).toHaveLength(256);
});

test.each([
  ["not JSON", "{"],
  ["null", "null"],
  ["no functions", JSON.stringify({ sdk: "0.1.0", functions: [] })],
  ["no SDK version", JSON.stringify({ functions: functions(1) })],
  ["257 functions", JSON.stringify({ sdk: "0.1.0", functions: functions(257) })],
  ["a name twice", JSON.stringify({ sdk: "1", functions: [{ name: "a" }, { name: "a" }] })],
  ["an empty name", JSON.stringify({ sdk: "1", functions: [{ name: "" }] })],
  ["a name with a slash", JSON.stringify({ sdk: "1", functions: [{ name: "a/b" }] })],
  ["a name of 65 characters", JSON.stringify({ sdk: "1", functions: [{ name: "a".repeat(65) }] })],
  ["__proto__ as functions", '{"sdk":"1","__proto__":{"functions":[{"name":"a"}]}}'],
  [
    "more than 64 KiB",
    JSON.stringify({ sdk: "1", functions: functions(1), padding: "x".repeat(70_000) }),
  ],
])("%s is refused", (_, text) => {
  expect(() => parseManifest(text)).toThrow(expect.objectContaining({ code: "MANIFEST_INVALID" }));
});
