// Runs `wrk`, the load generator of the throughput figures: a closed loop over kept-alive
// connections, pinned to the last core where `taskset` exists. Its latencies are corrected for
// coordinated omission (by the mean interval of a connection, after the run).

import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Child } from "../child.ts";
import { isInstalled } from "../installed.ts";
import type { Subject } from "../peers/subject.ts";
import type { NeededProgram } from "../report.ts";

export interface WrkOptions {
  readonly connections: number;
  readonly durationS: number;
  /** The JSON string that is posted, and a number from 1 to `keys` after it. */
  readonly body: string;
  readonly keys: number;
}

export interface WrkSummary {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Answers with a status of 400 or more, and connections that failed. */
  readonly errors: number;
}

export const WRK: NeededProgram = {
  command: "wrk",
  howToGet: "`apt-get install wrk` (Debian, Ubuntu), `brew install wrk` (macOS), or its sources",
};

export async function runWrk(subject: Subject, options: WrkOptions): Promise<WrkSummary> {
  const wrk = [
    "wrk",
    "--threads=1",
    `--connections=${String(options.connections)}`,
    `--duration=${String(options.durationS)}s`,
    "--timeout=10s",
    `--script=${join(import.meta.dirname, "post.lua")}`,
    subject.url,
  ];
  const pinned = isInstalled("taskset")
    ? ["taskset", "--cpu-list", String(availableParallelism() - 1), ...wrk]
    : wrk;
  const [command = "wrk", ...args] = pinned;
  await using child = new Child({
    command,
    args,
    env: {
      LOAD_KEYS: String(options.keys),
      LOAD_BODY: options.body,
      ...(subject.authorization === undefined ? {} : { LOAD_AUTHORIZATION: subject.authorization }),
    },
  });
  const output = await child.waitForSuccess(options.durationS * 1000 + 30_000);
  return parseWrkSummary(output);
}

export function parseWrkSummary(output: string): WrkSummary {
  const line = /^summary (\{.*\})$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`wrk printed no summary:\n${output}`);
  const summary: unknown = JSON.parse(line);
  const take = (name: string): number => {
    const value: unknown = Reflect.get(Object(summary), name);
    if (typeof value !== "number") throw new Error(`wrk's summary has no ${name}: ${line}`);
    return value;
  };
  return {
    requests: take("requests"),
    requestsPerSecond: take("requests") / (take("durationUs") / 1e6),
    p50Ms: take("p50Us") / 1000,
    p99Ms: take("p99Us") / 1000,
    maxMs: take("maxUs") / 1000,
    errors: take("statusErrors") + take("socketErrors"),
  };
}
