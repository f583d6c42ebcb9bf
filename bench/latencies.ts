import { createHistogram } from "node:perf_hooks";
import type { RecordableHistogram } from "node:perf_hooks";

/** Durations of one program; recorded in nanoseconds, summarised in the unit that is asked for. */
export class Latencies {
  readonly #histogram: RecordableHistogram = createHistogram();

  get count(): number {
    return this.#histogram.count;
  }

  /** A duration as the difference of two `performance.now()`. */
  recordMs(durationMs: number): void {
    this.#histogram.record(Math.max(1, Math.round(durationMs * 1e6)));
  }

  summaryMs(): { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number } {
    const histogram = this.#histogram;
    return {
      p50Ms: histogram.percentile(50) / 1e6,
      p99Ms: histogram.percentile(99) / 1e6,
      maxMs: histogram.max / 1e6,
    };
  }
}

/** The middle one: with an even count, the higher of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new RangeError("the median of nothing");
  return middle;
}
