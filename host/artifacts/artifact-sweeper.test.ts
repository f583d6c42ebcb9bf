import { expect, test, vi } from "vitest";
import { ArtifactSweeper } from "./artifact-sweeper.ts";

function sweeper(sweep: () => Promise<number> = async () => 0): {
  readonly sweeper: ArtifactSweeper;
  readonly events: string[];
} {
  const events: string[] = [];
  return {
    events,
    sweeper: new ArtifactSweeper({
      artifacts: {
        sweep: async () => {
          events.push("sweep begins");
          const removed = await sweep();
          events.push("sweep ends");
          return removed;
        },
      },
      referenced: () => new Map(),
      delayMs: 1_000,
      onSwept: (removed) => events.push(`removed ${removed}`),
      onFailed: (error) => events.push(String(error)),
    }),
  };
}

test("many wishes make one sweep, after the delay", async () => {
  vi.useFakeTimers();
  const { sweeper: under, events } = sweeper(async () => 3);
  under.schedule();
  under.schedule();
  await vi.advanceTimersByTimeAsync(999);
  expect(events).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(events).toEqual(["sweep begins", "sweep ends", "removed 3"]);
  vi.useRealTimers();
});

test("a sweep is put off while something writes", async () => {
  vi.useFakeTimers();
  const { sweeper: under, events } = sweeper();
  const { promise, resolve } = Promise.withResolvers<void>();
  const writing = under.writing(() => promise);
  under.schedule();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(events).toEqual([]);
  resolve();
  await writing;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(events).toContain("sweep ends");
  vi.useRealTimers();
});

test("a writer waits for the sweep under way", async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const { sweeper: under, events } = sweeper(() => promise);
  const sweeping = under.sweep();
  const writing = under.writing(async () => {
    events.push("write");
  });
  resolve(0);
  await Promise.all([sweeping, writing]);
  expect(events).toEqual(["sweep begins", "sweep ends", "removed 0", "write"]);
});

test("a sweep that fails is reported, and the next one is made", async () => {
  let attempts = 0;
  const { sweeper: under, events } = sweeper(async () => {
    attempts += 1;
    if (attempts === 1) throw new Error("disk trouble");
    return 1;
  });
  await under.sweep();
  await under.sweep();
  expect(events).toEqual([
    "sweep begins",
    "Error: disk trouble",
    "sweep begins",
    "sweep ends",
    "removed 1",
  ]);
});

test("a closed one sweeps no more", async () => {
  vi.useFakeTimers();
  const { sweeper: under, events } = sweeper();
  under.schedule();
  await under.close();
  under.schedule();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(events).toEqual([]);
  vi.useRealTimers();
});
