import { join } from "node:path";
import { Child } from "../child.ts";
import type { Subject } from "../peers/subject.ts";

export interface VictimSummary {
  readonly sent: number;
  /** Requests without a 2xx answer. */
  readonly lost: number;
  /** How many were lost why. */
  readonly losses: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** How late requests left, by the clock of whoever sent them: it is in the other figures too. */
  readonly lagP99Ms: number;
}

export interface VictimOptions {
  readonly requestsPerSecond: number;
  readonly durationS: number;
  /** What has no answer by then is lost. */
  readonly answerTimeoutMs: number;
}

/** Calls the victim at a constant rate, and says what it noticed. */
export async function callVictim(
  victim: Subject,
  { requestsPerSecond, durationS, answerTimeoutMs }: VictimOptions,
): Promise<VictimSummary> {
  await using child = new Child({
    command: process.execPath,
    args: [
      join(import.meta.dirname, "victim-load.ts"),
      victim.url,
      String(requestsPerSecond),
      String(durationS),
      String(answerTimeoutMs),
    ],
    env: victim.authorization === undefined ? {} : { LOAD_AUTHORIZATION: victim.authorization },
    sharesSession: true,
  });
  const output = await child.waitForSuccess(durationS * 1000 + 60_000);
  const line = /^summary (\{.*\})$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`the victim's load printed no summary:\n${output}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Our own program printed it.
  return JSON.parse(line) as VictimSummary;
}
