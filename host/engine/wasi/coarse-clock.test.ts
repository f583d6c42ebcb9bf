import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CoarseClock } from "./coarse-clock.ts";

let preciseMs = 0;
/** What the date is ahead of it. */
let dateAheadMs = 0;

beforeEach(() => {
  preciseMs = 1_234.5;
  dateAheadMs = 1_800_000_000_000.4;
  vi.spyOn(performance, "now").mockImplementation(() => preciseMs);
  vi.spyOn(Date, "now").mockImplementation(() => Math.floor(preciseMs + dateAheadMs));
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** What the clock tells, a hundred times in each millisecond. */
function readings(count: number, read: () => number): readonly number[] {
  return Array.from({ length: count }, () => {
    preciseMs += 0.01;
    return read();
  });
}

test.each(["nowMs", "dateMs"] as const)(
  "%s tells whole milliseconds, never goes back, and is a millisecond off at most",
  (name) => {
    const clock = new CoarseClock();
    const offsetMs = clock[name]() - preciseMs;
    const told = readings(100_000, () => clock[name]());
    for (const [index, ms] of told.entries()) {
      expect(ms).toBe(Math.floor(ms));
      expect(ms).toBeGreaterThanOrEqual(told[index - 1] ?? 0);
    }
    // Twice as much, because the first reading was off as well.
    expect(Math.abs((told.at(-1) ?? 0) - preciseMs - offsetMs)).toBeLessThan(2);
  },
);

test("each step comes at another moment of its millisecond, for both clocks the same", () => {
  const clock = new CoarseClock();
  let last = clock.nowMs();
  let lastDate = clock.dateMs();
  const moments: number[] = [];
  readings(100_000, () => {
    const [now, date] = [clock.nowMs(), clock.dateMs()];
    expect(date - lastDate).toBe(now - last);
    if (now !== last) moments.push(preciseMs - Math.floor(preciseMs));
    [last, lastDate] = [now, date];
    return now;
  });
  expect(moments.length).toBeGreaterThan(500);
  const mean = moments.reduce((sum, moment) => sum + moment, 0) / moments.length;
  const variance = moments.reduce((sum, moment) => sum + (moment - mean) ** 2, 0) / moments.length;
  // Of an even distribution it is 1/12.
  expect(variance).toBeGreaterThan(1 / 15);
});

test("the date follows one that is set", () => {
  const clock = new CoarseClock();
  clock.dateMs();
  for (const changeMs of [3_600_000, -7_200_000]) {
    dateAheadMs += changeMs;
    preciseMs += 0.3;
    expect(Math.abs(clock.dateMs() - preciseMs - dateAheadMs)).toBeLessThan(4);
  }
});
