// Prints "N passed, N failed" from Vitest's JSON report, for the last line of `.ci/run`. A test
// file that could not even be loaded counts as one failed test: nothing in it ran.

import { readFileSync } from "node:fs";

const [, , reportFile = ""] = process.argv;
let report;
try {
  report = JSON.parse(readFileSync(reportFile, "utf8"));
} catch {
  process.stdout.write("0 passed, 0 failed\n");
  process.exit(1);
}
const results = report.testResults.flatMap((file) => file.assertionResults);
const count = (...statuses) => results.filter(({ status }) => statuses.includes(status)).length;
const unloaded = report.testResults.filter(
  (file) => file.status === "failed" && file.assertionResults.length === 0,
).length;
const skipped = count("skipped", "pending", "todo", "disabled");
const passed = count("passed");
const failed = count("failed") + unloaded;
if (skipped > 0) process.stdout.write(`${skipped} skipped; each says why\n`);
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
