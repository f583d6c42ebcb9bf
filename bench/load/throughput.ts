// Loads subjects in turn with the same requests, and in rounds, so that a change of the machine's
// mood meets all of them; of each subject the round with the middle throughput is kept.

import type { Subject } from "../peers/subject.ts";
import { runWrk } from "./wrk.ts";
import type { WrkOptions, WrkSummary } from "./wrk.ts";

export interface Throughput extends WrkSummary {
  /** Processor time of the subject over the run's time; the load generator is not in it. */
  readonly coresUsed: number;
  /** Requests of all rounds and of the warm-up. */
  readonly requestsTotal: number;
  readonly errorsTotal: number;
  /** How many times the subject was loaded, the warm-up included. */
  readonly loads: number;
}

export interface ThroughputOptions extends WrkOptions {
  readonly warmupS: number;
  readonly rounds: number;
}

export async function measureThroughput(
  subjects: readonly Subject[],
  options: ThroughputOptions,
  progress: (line: string) => void,
): Promise<ReadonlyMap<Subject, Throughput>> {
  const rounds = new Map<Subject, RoundSummary[]>();
  for (const subject of subjects) {
    progress(`${subject.name}: ${String(options.warmupS)} s to warm up`);
    const warmup = { ...options, durationS: options.warmupS };
    // In turn, never at once: that is the comparison.
    rounds.set(subject, [await measureRound(subject, warmup)]);
  }
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const [subject, summaries] of rounds) {
      const summary = await measureRound(subject, options);
      summaries.push(summary);
      progress(
        `${subject.name}: ${Math.round(summary.requestsPerSecond).toLocaleString("en-US")} requests/s ` +
          `(round ${String(round)} of ${String(options.rounds)})`,
      );
    }
  }
  return new Map([...rounds].map(([subject, summaries]) => [subject, settle(summaries)]));
}

type RoundSummary = WrkSummary & { readonly coresUsed: number };

async function measureRound(subject: Subject, options: WrkOptions): Promise<RoundSummary> {
  const cpuBeforeS = subject.child.cpuSeconds();
  const summary = await runWrk(subject, options);
  const cpuS = subject.child.cpuSeconds() - cpuBeforeS;
  return { ...summary, coresUsed: cpuS / options.durationS };
}

/** The first round is the warm-up: it counts in the totals alone. */
function settle(summaries: readonly RoundSummary[]): Throughput {
  const measured = summaries.slice(1).toSorted((a, b) => a.requestsPerSecond - b.requestsPerSecond);
  const middle = measured[Math.floor(measured.length / 2)];
  if (middle === undefined) throw new RangeError("no round was measured");
  return {
    ...middle,
    requestsTotal: summaries.reduce((sum, summary) => sum + summary.requests, 0),
    errorsTotal: summaries.reduce((sum, summary) => sum + summary.errors, 0),
    loads: summaries.length,
  };
}
