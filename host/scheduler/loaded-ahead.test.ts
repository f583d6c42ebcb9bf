import { expect, test } from "vitest";
import { LoadedAhead } from "./loaded-ahead.ts";

test("within its limits everything stays", () => {
  const ahead = new LoadedAhead<string>({ count: 2, codeBytes: 100 });
  expect(ahead.add("a", 50)).toEqual([]);
  expect(ahead.add("b", 50)).toEqual([]);
});

test("past the number, the one that waits longest goes", () => {
  const ahead = new LoadedAhead<string>({ count: 2, codeBytes: 100 });
  ahead.add("a", 1);
  ahead.add("b", 1);
  expect(ahead.add("c", 1)).toEqual(["a"]);
});

test("past the bytes, as many go as it takes", () => {
  const ahead = new LoadedAhead<string>({ count: 10, codeBytes: 100 });
  ahead.add("a", 40);
  ahead.add("b", 40);
  expect(ahead.add("c", 90)).toEqual(["a", "b"]);
});

test("what is too large alone goes itself", () => {
  const ahead = new LoadedAhead<string>({ count: 10, codeBytes: 100 });
  ahead.add("a", 40);
  expect(ahead.add("b", 101)).toEqual(["a", "b"]);
  expect(ahead.add("c", 100)).toEqual([]);
});

test("what is used takes no room any more", () => {
  const ahead = new LoadedAhead<string>({ count: 1, codeBytes: 100 });
  ahead.add("a", 100);
  ahead.delete("a");
  ahead.delete("a");
  expect(ahead.add("b", 100)).toEqual([]);
});

test("without room for any, none stays", () => {
  const ahead = new LoadedAhead<string>({ count: 0, codeBytes: 100 });
  expect(ahead.add("a", 1)).toEqual(["a"]);
});
