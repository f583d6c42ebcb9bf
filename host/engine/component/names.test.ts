import { describe, expect, test } from "vitest";
import {
  canonicalName,
  isCompatible,
  isLabel,
  parseExternName,
  parseInterfaceName,
  parseVersion,
  quoteName,
} from "./names.ts";

describe("a name in a message", () => {
  test.each([
    ["plain", '"plain"'],
    ['quote " and \\', '"quote \\" and \\\\"'],
    ["line\nbreak\r\u0000", '"line\\u{a}break\\u{d}\\u{0}"'],
    ["\u202Eright to left", '"\\u{202e}right to left"'],
    ["${x} `code`", '"${x} `code`"'],
    ["\u{1F600}", '"\u{1F600}"'],
    ["\uD800", '"\\u{d800}"'],
  ])("%j is shown as %s", (name, shown) => {
    expect(quoteName(name)).toBe(shown);
  });

  test("is cut after a hundred characters", () => {
    expect(quoteName("x".repeat(100_000))).toBe(`"${"x".repeat(100)}…"`);
    expect(quoteName("\u{1F600}".repeat(100))).toBe(`"${"\u{1F600}".repeat(100)}"`);
  });
});

describe("labels", () => {
  test.each(["a", "get-many", "A", "HTTP-request", "a1-2b", "wasi-0-2"])("%s is one", (label) => {
    expect(isLabel(label)).toBe(true);
  });

  test.each(["", "-a", "a-", "a--b", "aB", "1a", "a_b", "__proto__", "a b", "ä", "a-bC"])(
    "%j is none",
    (label) => {
      expect(isLabel(label)).toBe(false);
    },
  );

  test("a long name that almost is one is judged at once", () => {
    expect(isLabel(`a${"-1".repeat(50_000)}!`)).toBe(false);
  });
});

describe("names of imports and exports", () => {
  test.each([
    ["get-JSON", { kind: "label" }],
    ["a-b:c-1/D@1.0.0-rc.1+b.2", { kind: "interface" }],
    ["[constructor]thing", { kind: "constructor", resource: "thing" }],
    ["[method]thing.get", { kind: "method", resource: "thing" }],
    ["[static]thing.of", { kind: "static", resource: "thing" }],
  ])("%s is one", (name, parsed) => {
    expect(parseExternName(name)).toEqual(parsed);
  });

  test.each([
    "",
    "1",
    "Get",
    "a:B/c",
    "A:b/c",
    "a-B:c/d",
    "a:b/c@1.0.0-",
    "a:b/c@1.0.0-a..b",
    "a:b:c/d",
    "[constructor]",
    "[constructor]a.b",
    "[method]a",
    "[method]a.",
    "[method].b",
    "[static]a.b.c",
    "[getter]a.b",
    "[method]a.b\n",
    "url=<https://example.org>",
  ])("%j is none", (name) => {
    expect(parseExternName(name)).toBeUndefined();
  });

  test.each([
    ["foo-BAR", "FOO-bar"],
    ["[method]foo.foo", "foo"],
    ["[static]FOO.foo", "foo"],
    ["[method]a.b", "[static]A.B"],
    ["[constructor]a", "[constructor]A"],
  ])("%s and %s may not stand beside each other", (a, b) => {
    expect(canonicalName(a)).toBe(canonicalName(b));
  });

  test("all others may", () => {
    const names = ["foo", "foo-bar", "[constructor]foo", "[method]foo.bar", "[static]foo.baz"];
    const more = ["foo:bar/baz", "a:b/c@1.0.0", "a:b/c@2.0.0", "bar"];
    expect(new Set([...names, ...more].map(canonicalName)).size).toBe(9);
  });
});

describe("names of interfaces", () => {
  test("have a version, or none", () => {
    expect(parseInterfaceName("wasi:io/poll@0.2.12")).toEqual({
      name: "wasi:io/poll",
      version: { major: 0, minor: 2, patch: 12, prerelease: "" },
    });
    expect(parseInterfaceName("local:init/loader")).toEqual({
      name: "local:init/loader",
      version: undefined,
    });
  });

  test.each([
    "poll",
    "wasi:io",
    "wasi/io:poll",
    "wasi:io/poll@",
    "wasi:io/poll@0.2",
    "a:b/c/d@1.0.0",
  ])("%s is none", (name) => {
    expect(parseInterfaceName(name)).toBeUndefined();
  });
});

describe("a version", () => {
  test.each([
    ["downpour:faas/state", "0.1.0", "0.1.0", true],
    ["downpour:faas/state", "0.1.1", "0.1.3", true],
    ["downpour:faas/state", "0.1.4", "0.1.3", false],
    ["downpour:faas/state", "0.2.0", "0.1.3", false],
    ["downpour:faas/state", "0.1.0-rc.1", "0.1.0", false],
    ["downpour:faas/state", "0.1.0-rc.1", "0.1.0-rc.1", true],
    ["downpour:faas/state", "0.1.0+build", "0.1.0", true],
    ["a:b/c", "1.2.9", "1.3.0", true],
    ["a:b/c", "1.3.1", "1.3.0", false],
    ["a:b/c", "2.0.0", "1.3.0", false],
    ["a:b/c", "0.0.1", "0.0.2", false],
    ["wasi:io/poll", "0.2.0", "0.2.12", true],
    ["wasi:io/poll", "0.2.99", "0.2.12", true],
    ["wasi:io/poll", "0.2.0-rc-2023-11-10", "0.2.12", false],
    ["wasi:io/poll", "0.3.0", "0.2.12", false],
  ])("%s@%s where %s is offered: %s", (name, asked, offered, expected) => {
    const version = parseVersion(offered);
    if (version === undefined) throw new Error("not a version");
    expect(isCompatible(name, parseVersion(asked), version)).toBe(expected);
  });

  test("is needed: an import without one fits nothing", () => {
    expect(isCompatible("a:b/c", undefined, { major: 1, minor: 0, patch: 0, prerelease: "" })).toBe(
      false,
    );
  });
});
