import { expect, test } from "vitest";
import { parseWrkSummary } from "./wrk.ts";

const SUMMARY =
  'summary {"requests":3000,"durationUs":1500000,"statusErrors":2,"socketErrors":1,' +
  '"p50Us":1500,"p99Us":20000,"maxUs":21000}';

test("the summary is found among what wrk prints by itself", () => {
  expect(parseWrkSummary(`Running 2s test\n${SUMMARY}\n  3000 requests`)).toEqual({
    requests: 3000,
    requestsPerSecond: 2000,
    p50Ms: 1.5,
    p99Ms: 20,
    maxMs: 21,
    errors: 3,
  });
});

test("an output without a summary is an error that shows it", () => {
  expect(() => parseWrkSummary("unable to connect")).toThrow(/unable to connect/u);
});

test("a summary that lacks a figure is an error that names it", () => {
  expect(() => parseWrkSummary('summary {"requests":1}')).toThrow(/durationUs/u);
});
