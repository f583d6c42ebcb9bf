import { constants, enableCompileCache } from "node:module";
import { join } from "node:path";

// The compiled form of the host's own JavaScript, and of the command's, kept for the next start: it halves the processor
// time of one.
//
// V1. It is code that this process will run, so it lies where only those write who could change the
//     host's code or its data anyway: beside the installed packages, else in the data directory. Node
//     keeps a folder in it for each user and each of its versions.
// V2. It is written when a thread ends in order. Earlier it would hold up requests for a fifth of a second.

/** Beside the packages that the host runs with: warm for every data directory, and gone when they are installed anew. */
export const installedCodeCache: string = join(
  import.meta.dirname,
  "..",
  "node_modules",
  ".cache",
  "downpour",
);

/**
 * Keeps the code of what is loaded from now on there, for this thread, for those that it starts and for a
 * process that replaces this one. False where that directory cannot be written.
 */
export function enableCodeCache(directory: string): boolean {
  const { status } = enableCompileCache(directory);
  if (status === constants.compileCacheStatus.FAILED) return false;
  if (status === constants.compileCacheStatus.ENABLED) {
    process.env["NODE_COMPILE_CACHE"] = directory;
  }
  return true;
}
