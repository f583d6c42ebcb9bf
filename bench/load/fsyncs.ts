// Counts the system calls that make data durable, by running a server under `strace`. The server
// is slowed by it, so throughput is never taken from such a run; how many operations share one
// fsync is, and that changes little.

import { isInstalled } from "../installed.ts";

const DURABLE_CALLS = ["fsync", "fdatasync", "msync", "sync_file_range"];

export function canCountFsyncs(): boolean {
  return isInstalled("strace");
}

/** The command to put before a server's. The filter runs in the kernel: other calls cost nothing. */
export function countingFsyncs(outputFile: string): readonly string[] {
  return [
    "strace",
    "--follow-forks",
    "--seccomp-bpf",
    "--quiet=all",
    `--trace=${DURABLE_CALLS.join(",")}`,
    "--absolute-timestamps=format:unix,precision:us",
    `--output=${outputFile}`,
  ];
}

/** Calls that ended between two points of wall-clock time. */
export function countFsyncs(trace: string, fromMs: number, toMs: number): number {
  let count = 0;
  for (const line of trace.split("\n")) {
    // "<pid> <seconds> fsync(27) = 0"; a call that another thread interrupts in the trace is
    // printed again as "<... fsync resumed>", which the pattern leaves out.
    const seconds = /^\d+ +(\d+\.\d+) \w+\(/.exec(line)?.[1];
    if (seconds === undefined) continue;
    const atMs = Number(seconds) * 1000;
    if (atMs >= fromMs && atMs < toMs) count += 1;
  }
  return count;
}
