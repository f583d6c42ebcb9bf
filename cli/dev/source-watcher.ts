// Tells when the sources of a project have changed, once for each save however an editor makes it.
//
// W1. A burst of events is one change: the callback runs after `DEBOUNCE_MS` of silence.
// W2. Imports may point anywhere in the project, so what a build may read is told by its name: source files outside of
//     dependencies, hidden folders and output. A log or a token that is written in the project is none.
// W3. Whoever is told decides what becomes of what it began for the change before: nothing is kept back.
// W4. A file that was written with the bytes it had is no change, unless the last build failed: then a save asks again.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync, watch } from "node:fs";
import { basename, join } from "node:path";

/** Long enough for an editor's write-and-rename, short enough to go unnoticed. */
const DEBOUNCE_MS = 60;

const SOURCE_FILE = /\.(?:[cm]?[jt]s|[jt]sx|json)$/u;
/** Beside everything hidden: `.downpour`, `.git`, `.cache`. */
const IGNORED_FOLDERS = ["node_modules", "dist", "coverage"];

export interface SourceWatcher {
  close(): void;
}

export function watchSources(
  directory: string,
  options: {
    readonly onChange: (changedPaths: readonly string[]) => void;
    readonly onError: (error: Error) => void;
    /** Whether a save counts although it changed no byte (W4). */
    readonly hasFailed: () => boolean;
  },
): SourceWatcher {
  const written = new Set<string>();
  let timer: NodeJS.Timeout | undefined;

  const tell = (): void => {
    const paths = changedAmong([...written]);
    written.clear();
    if (paths.length > 0) options.onChange(paths);
  };

  const watcher = watch(
    directory,
    { recursive: true, ignore: IGNORED_FOLDERS.flatMap((name) => [name, `**/${name}/**`]) },
    (_event, fileName) => {
      if (fileName === null || isIgnored(fileName)) return;
      written.add(fileName);
      clearTimeout(timer);
      timer = setTimeout(tell, DEBOUNCE_MS);
    },
  );
  watcher.on("error", (error) => options.onError(error));
  // Read after the watch began: what changes from here on is seen, and compared with this.
  const digests = new Map<string, string | undefined>();
  for (const path of sourcesUnder(directory, "")) digests.set(path, digestOf(directory, path));

  /** The sources that differ from when they were looked at last. */
  function changedAmong(paths: readonly string[]): readonly string[] {
    const sources = new Set<string>();
    for (const path of paths) {
      if (isSource(path)) {
        sources.add(path);
        continue;
      }
      // A folder that came may hold sources already, and one that went has taken its own along.
      for (const source of sourcesUnder(directory, path)) sources.add(source);
      for (const source of digests.keys()) {
        if (source.startsWith(`${path}/`)) sources.add(source);
      }
    }
    return [...sources].filter((path) => {
      const digest = digestOf(directory, path);
      const isChanged = digest !== digests.get(path);
      digests.set(path, digest);
      return isChanged || (options.hasFailed() && digest !== undefined && paths.includes(path));
    });
  }

  return {
    close: () => {
      clearTimeout(timer);
      watcher.close();
    },
  };
}

/** A file that a build may read (W2); editors' backups, swap files and locks are none. */
export function isSource(path: string): boolean {
  return SOURCE_FILE.test(path) && !basename(path).startsWith("#") && !isIgnored(path);
}

function isIgnored(path: string): boolean {
  return path
    .split(/[/\\]/u)
    .some((part) => part.startsWith(".") || IGNORED_FOLDERS.includes(part));
}

/** All sources in a folder of the project; none where it is a file, or is not there. */
function sourcesUnder(directory: string, folder: string): readonly string[] {
  let entries;
  try {
    entries = readdirSync(join(directory, folder), { withFileTypes: true });
  } catch {
    // A file, gone meanwhile, or not ours to read: a build cannot read a source there either.
    return [];
  }
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (isIgnored(path)) return [];
    if (entry.isDirectory()) return sourcesUnder(directory, path);
    return isSource(path) ? [path] : [];
  });
}

function digestOf(directory: string, path: string): string | undefined {
  try {
    return createHash("sha256")
      .update(readFileSync(join(directory, path)))
      .digest("hex");
  } catch {
    // Gone: that differs from every content.
    return undefined;
  }
}
