import { expect, test } from "vitest";
import { LoadedAhead } from "./loaded-ahead.ts";

test("within its limits everything stays", () => {
  const ahead = new LoadedAhead<string>({ count: 2, codeBytes: 100 });
  expect(ahead.add("acme", "a", 50)).toEqual([]);
  expect(ahead.add("acme", "b", 50)).toEqual([]);
});

test("past the number, the one that waits longest goes", () => {
  const ahead = new LoadedAhead<string>({ count: 2, codeBytes: 100 });
  ahead.add("acme", "a", 1);
  ahead.add("acme", "b", 1);
  expect(ahead.add("acme", "c", 1)).toEqual(["a"]);
});

test("past the bytes, as many go as it takes", () => {
  const ahead = new LoadedAhead<string>({ count: 10, codeBytes: 100 });
  ahead.add("acme", "a", 40);
  ahead.add("acme", "b", 40);
  expect(ahead.add("acme", "c", 90)).toEqual(["a", "b"]);
});

test("what goes for the number makes room of bytes, so that nothing else goes for them", () => {
  const ahead = new LoadedAhead<string>({ count: 2, codeBytes: 100 });
  ahead.add("other", "o", 55);
  ahead.add("acme", "a", 40);
  expect(ahead.add("acme", "b", 30)).toEqual(["a"]);
  expect(ahead.add("acme", "c", 45)).toEqual(["b"]);
});

test("what is too large alone goes itself", () => {
  const ahead = new LoadedAhead<string>({ count: 10, codeBytes: 100 });
  ahead.add("acme", "a", 40);
  expect(ahead.add("acme", "b", 101)).toEqual(["a", "b"]);
  expect(ahead.add("acme", "c", 100)).toEqual([]);
});

test("what is used takes no room any more", () => {
  const ahead = new LoadedAhead<string>({ count: 1, codeBytes: 100 });
  ahead.add("acme", "a", 100);
  ahead.delete("a");
  ahead.delete("a");
  expect(ahead.add("acme", "b", 100)).toEqual([]);
});

test("without room for any, none stays", () => {
  const ahead = new LoadedAhead<string>({ count: 0, codeBytes: 100 });
  expect(ahead.add("acme", "a", 1)).toEqual(["a"]);
});

test("a tenant with much makes room for its own, not at the cost of who has little", () => {
  const ahead = new LoadedAhead<string>({ count: 3, codeBytes: 100 });
  ahead.add("victim", "v", 30);
  expect(ahead.add("flood", "a", 30)).toEqual([]);
  expect(ahead.add("flood", "b", 30)).toEqual([]);
  expect(ahead.add("flood", "c", 1)).toEqual(["a"]);
  expect(ahead.add("flood", "d", 70)).toEqual(["b", "c"]);
});
