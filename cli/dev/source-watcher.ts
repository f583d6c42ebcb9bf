// Tells when the sources of a project have changed, once for each save however an editor makes it.
//
// W1. A burst of events is one change: the callback runs after `DEBOUNCE_MS` of silence.
// W2. What a build reads is watched by exclusion, because imports may point anywhere in the project:
//     everything but dependencies, our own folder, version control and build output.
// W3. A change that comes while the callback runs is not lost: it runs once more.

import { watch } from "node:fs";
import { basename } from "node:path";

/** Long enough for an editor's write-and-rename, short enough to go unnoticed. */
const DEBOUNCE_MS = 60;

const IGNORED = ["node_modules", ".downpour", ".git", "dist", "coverage", ".cache"];

export interface SourceWatcher {
  close(): void;
}

export function watchSources(
  directory: string,
  options: {
    readonly onChange: (changedPaths: readonly string[]) => Promise<void>;
    readonly onError: (error: Error) => void;
  },
): SourceWatcher {
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let isRunning = false;
  const closed = new AbortController();

  const run = async (): Promise<void> => {
    timer = undefined;
    if (isRunning || closed.signal.aborted) return;
    isRunning = true;
    try {
      while (changed.size > 0 && !closed.signal.aborted) {
        const paths = [...changed];
        changed.clear();
        await options.onChange(paths);
      }
    } catch (cause) {
      options.onError(cause instanceof Error ? cause : new Error(String(cause)));
    } finally {
      isRunning = false;
    }
  };

  const watcher = watch(
    directory,
    { recursive: true, ignore: IGNORED.flatMap((name) => [name, `**/${name}/**`]) },
    (_event, fileName) => {
      if (fileName === null || isNoise(fileName)) return;
      changed.add(fileName);
      // While the callback runs, its loop picks the change up (W3); the timer starts a new run otherwise (W1).
      clearTimeout(timer);
      timer = setTimeout(() => void run(), DEBOUNCE_MS);
    },
  );
  watcher.on("error", (error) => options.onError(error));
  return {
    close: () => {
      closed.abort();
      clearTimeout(timer);
      watcher.close();
    },
  };
}

/** Editors' own files: backups, swap files, locks, and the probe `4913` that vim writes. */
export function isNoise(path: string): boolean {
  const name = basename(path);
  return (
    name.endsWith("~") ||
    /\.sw[a-p]$/u.test(name) ||
    name.startsWith(".#") ||
    name.startsWith("#") ||
    name === "4913" ||
    name.endsWith(".tmp") ||
    name.endsWith(".wasm") ||
    path.split(/[/\\]/u).some((part) => IGNORED.includes(part))
  );
}
