import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

let collect: unknown;

/**
 * A full collection, of all that nothing in this thread holds any more. V8 does not count the memories of instances as
 * what a collection would give back: without being asked it lets gigabytes lie.
 */
export function collectGarbage(): void {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc");
  }
  if (typeof collect !== "function") throw new Error("V8 gave no gc()");
  collect();
}
