import { readlinkSync } from "node:fs";
import { setPriority } from "node:os";

/** Between the usual 0 and the least, 19: on a busy machine whoever answers clients goes first. */
const NICENESS = 5;

/**
 * Lets the control plane's thread go first where both want the processor. Linux has a priority for each
 * thread; elsewhere it is one of the whole process, and is left as it is.
 */
export function yieldPriority(): void {
  if (process.platform !== "linux") return;
  try {
    // For example `4711/task/4715`.
    const threadId = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
    setPriority(threadId, NICENESS);
  } catch {
    // A container may hide `/proc`: the thread runs as well without.
  }
}
