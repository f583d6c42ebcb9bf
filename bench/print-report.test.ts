import { expect, test } from "vitest";
import { formatReport } from "./print-report.ts";
import type { SuiteReport } from "./report.ts";

const REPORT: SuiteReport = {
  suite: "http",
  tables: [
    {
      title: "Hello",
      rows: [
        { subject: "a", values: { requestsPerSecond: 12_345.6, p50Ms: 0.01234 } },
        { subject: "bare", values: { requestsPerSecond: 7 } },
      ],
    },
  ],
  checks: [{ name: "answers", holds: false, detail: "none" }],
  targets: [
    { name: "ratio", measured: 0.5, atLeast: 1 },
    { name: "p99", measured: 4, atMost: 5 },
    { name: "absent", measured: NaN, atMost: 5 },
  ],
  notes: ["read this"],
};

test("a table has a column for each value that any row has", () => {
  expect(formatReport(REPORT).split("\n").slice(1, 5)).toEqual([
    "Hello",
    "        requestsPerSecond   p50Ms",
    "  a                12,346  0.0123",
    "  bare                  7       -",
  ]);
});

test("a failed check and a missed target stand out, and what was not measured is missed", () => {
  const text = formatReport(REPORT);
  expect(text).toContain("FAILED  answers: none");
  expect(text).toContain("MISSED  ratio: 0.500 (at least 1)");
  expect(text).toContain("met     p99: 4 (at most 5)");
  expect(text).toContain("MISSED  absent: NaN (at most 5)");
});
