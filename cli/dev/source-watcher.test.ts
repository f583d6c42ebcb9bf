import { mkdirSync, mkdtempDisposableSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isNoise, watchSources } from "./source-watcher.ts";

interface Watched extends Disposable {
  readonly path: string;
  /** Resolves with the next change that the watcher tells of. */
  nextChange(): Promise<readonly string[]>;
}

function watchedFolder(): Watched {
  const folder = mkdtempDisposableSync(join(tmpdir(), "downpour-watch-"));
  mkdirSync(join(folder.path, "src"));
  writeFileSync(join(folder.path, "src/index.ts"), "1");
  const waiting: ((paths: readonly string[]) => void)[] = [];
  const arrived: (readonly string[])[] = [];
  const watcher = watchSources(folder.path, {
    onChange: async (paths) => {
      const next = waiting.shift();
      if (next === undefined) arrived.push(paths);
      else next(paths);
    },
    onError: (error) => {
      throw error;
    },
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

test("a new folder is watched from then on", async () => {
  using watched = watchedFolder();
  mkdirSync(join(watched.path, "src/new"));
  await watched.nextChange();
  writeFileSync(join(watched.path, "src/new/a.ts"), "1");
  expect(await watched.nextChange()).toEqual(["src/new/a.ts"]);
});

test("dependencies and the host's own data change nothing", async () => {
  using watched = watchedFolder();
  for (const name of ["node_modules", ".downpour"]) {
    mkdirSync(join(watched.path, name));
    writeFileSync(join(watched.path, name, "x"), "1");
  }
  writeFileSync(join(watched.path, "src/index.ts"), "2");
  expect(await watched.nextChange()).toEqual(["src/index.ts"]);
});

test.each(["src/index.ts~", "src/.index.ts.swp", "src/.#index.ts", "src/4913", "a/node_modules/b"])(
  "%s is noise",
  (path) => {
    expect(isNoise(path)).toBe(true);
  },
);

test.each(["src/index.ts", "downpour.json", "tsconfig.json", "src/data.json"])(
  "%s is a source",
  (path) => {
    expect(isNoise(path)).toBe(false);
  },
);
