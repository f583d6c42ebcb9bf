import { mkdirSync, mkdtempDisposableSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isSource, watchSources } from "./source-watcher.ts";

interface Watched extends Disposable {
  readonly path: string;
  /** Resolves with the next change that the watcher tells of. */
  nextChange(): Promise<readonly string[]>;
}

function watchedFolder(hasFailed = false): Watched {
  const folder = mkdtempDisposableSync(join(tmpdir(), "downpour-watch-"));
  mkdirSync(join(folder.path, "src"));
  writeFileSync(join(folder.path, "src/index.ts"), "1");
  const waiting: ((paths: readonly string[]) => void)[] = [];
  const arrived: (readonly string[])[] = [];
  const watcher = watchSources(folder.path, {
    onChange: (paths) => {
      const next = waiting.shift();
      if (next === undefined) arrived.push(paths);
      else next(paths);
    },
    onError: (error) => {
      throw error;
    },
    hasFailed: () => hasFailed,
  });
  return {
    path: folder.path,
    nextChange: () => {
      const first = arrived.shift();
      return first === undefined
        ? new Promise((resolve) => waiting.push(resolve))
        : Promise.resolve(first);
    },
    [Symbol.dispose]: () => {
      watcher.close();
      folder.remove();
    },
  };
}

test("a save is one change", async () => {
  using watched = watchedFolder();
  writeFileSync(join(watched.path, "src/index.ts"), "2");
  expect(await watched.nextChange()).toEqual(["src/index.ts"]);
});

test("an editor that writes beside and renames makes one change, and the next one is seen too", async () => {
  using watched = watchedFolder();
  for (const text of ["2", "3"]) {
    writeFileSync(join(watched.path, "src/index.ts~"), text);
    renameSync(join(watched.path, "src/index.ts~"), join(watched.path, "src/index.ts"));
    expect(await watched.nextChange()).toEqual(["src/index.ts"]);
  }
});

test("a new folder is watched from then on, with what it holds already", async () => {
  using watched = watchedFolder();
  mkdirSync(join(watched.path, "src/new"));
  writeFileSync(join(watched.path, "src/new/a.ts"), "1");
  expect(await watched.nextChange()).toEqual(["src/new/a.ts"]);
  writeFileSync(join(watched.path, "src/new/a.ts"), "2");
  expect(await watched.nextChange()).toEqual(["src/new/a.ts"]);
});

test("a folder that is moved away takes its sources along", async () => {
  using watched = watchedFolder();
  using elsewhere = mkdtempDisposableSync(join(tmpdir(), "downpour-watch-"));
  renameSync(join(watched.path, "src"), join(elsewhere.path, "src"));
  expect(await watched.nextChange()).toEqual(["src/index.ts"]);
});

test("dependencies, the host's own data, logs and tokens change nothing", async () => {
  using watched = watchedFolder();
  for (const name of ["node_modules", ".downpour"]) {
    mkdirSync(join(watched.path, name));
    writeFileSync(join(watched.path, name, "x.json"), "1");
  }
  for (const name of ["dev.log", "acme.token", "out.txt", ".env.json"]) {
    writeFileSync(join(watched.path, name), "1");
  }
  writeFileSync(join(watched.path, "src/index.ts"), "2");
  expect(await watched.nextChange()).toEqual(["src/index.ts"]);
});

test("a save of the same bytes is no change", async () => {
  using watched = watchedFolder();
  writeFileSync(join(watched.path, "src/index.ts"), "1");
  writeFileSync(join(watched.path, "src/other.ts"), "1");
  expect(await watched.nextChange()).toEqual(["src/other.ts"]);
});

test("a save of the same bytes asks again for a build that failed", async () => {
  using watched = watchedFolder(true);
  writeFileSync(join(watched.path, "src/index.ts"), "1");
  expect(await watched.nextChange()).toEqual(["src/index.ts"]);
});

test.each([
  "src/index.ts~",
  "src/.index.ts.swp",
  "src/.#index.ts",
  "src/#index.ts",
  "src/4913",
  "dev.log",
  "acme.token",
  "a/node_modules/b.ts",
  "dist/app.js",
  ".downpour/host.json",
])("%s is no source", (path) => {
  expect(isSource(path)).toBe(false);
});

test.each(["src/index.ts", "src/a.tsx", "src/a.mjs", "downpour.json", "tsconfig.json"])(
  "%s is a source",
  (path) => {
    expect(isSource(path)).toBe(true);
  },
);
