import { mkdirSync, mkdtempDisposableSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  appNameFromDirectory,
  findProject,
  isAppName,
  nearest,
  parseProjectFile,
} from "./project-file.ts";

describe("parseProjectFile", () => {
  test("takes every key that there is", () => {
    const text = `{"app":"counter","entry":"src/a.ts","url":"http://h:1","engine":"starlingmonkey"}`;
    expect(parseProjectFile(text, "f")).toEqual({
      app: "counter",
      entry: "src/a.ts",
      url: "http://h:1",
      engine: "starlingmonkey",
    });
  });

  test("a misspelt key is refused with the one that was meant", () => {
    expect(() => parseProjectFile(`{"entri":"a.ts"}`, "f")).toThrow('did you mean "entry"?');
  });

  test("a token is no key of the file", () => {
    expect(() => parseProjectFile(`{"token":"secret"}`, "f")).toThrow(/does not know "token"$/u);
  });

  test.each([
    ["not JSON", "{"],
    ["an array", "[]"],
    ["null", "null"],
    ["a number as the app", `{"app":1}`],
    ["an app that is no name", `{"app":"No Name"}`],
    ["an engine that is not there", `{"engine":"v8"}`],
  ])("%s is refused as a usage error", (_what, text) => {
    expect(() => parseProjectFile(text, "f")).toThrow(
      expect.objectContaining({ code: "PROJECT_INVALID", exit: "usage" }),
    );
  });
});

describe("findProject", () => {
  test("the nearest project file upwards is the project's", () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), "downpour-project-"));
    const inner = join(folder.path, "src/deep");
    mkdirSync(inner, { recursive: true });
    writeFileSync(join(folder.path, "downpour.json"), `{"app":"outer"}`);
    expect(findProject(inner)).toMatchObject({ directory: folder.path, file: { app: "outer" } });
  });

  test("without a project file the directory itself is the project", () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), "downpour-project-"));
    expect(findProject(folder.path)).toEqual({
      directory: folder.path,
      filePath: undefined,
      file: {},
    });
  });
});

test.each([
  ["/home/me/guest-book", "guest-book"],
  ["/home/me/Guest Book_2", "guest-book-2"],
  ["/home/me/-x-", "x"],
  ["/home/me/Grüße à tous", "gru-e-a-tous"],
  [`/home/me/${"a".repeat(80)}`, "a".repeat(63)],
  ["/", undefined],
])("the directory %s names the app %s", (directory, app) => {
  expect(appNameFromDirectory(directory)).toBe(app);
});

test.each(["a", "a-b", "0", "a".repeat(63)])("%s is an app name", (name) => {
  expect(isAppName(name)).toBe(true);
});

test.each(["", "-a", "a-", "A", "a/b", "ä", "a".repeat(64), "a\n"])(
  "%j is not an app name",
  (name) => {
    expect(isAppName(name)).toBe(false);
  },
);

test("a word that is like none of the known ones suggests nothing", () => {
  expect(nearest("concurrency", ["app", "entry"])).toBeUndefined();
});
