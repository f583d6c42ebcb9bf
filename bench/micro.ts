import { join } from "node:path";
import { Child } from "./child.ts";
import type { SuiteReport } from "./report.ts";

const TIMEOUT_MS = 30 * 60_000;

/**
 * Runs `bench/micro/<name>.ts` in a process of its own, so that one bench's heap and compiled code
 * are not another's. With `--json` its last line is its report.
 */
export async function runMicro(name: string): Promise<SuiteReport> {
  await using child = new Child({
    command: process.execPath,
    args: [join(import.meta.dirname, "micro", `${name}.ts`), "--json"],
  });
  const output = await child.waitForSuccess(TIMEOUT_MS);
  const last = output.split("\n").findLast((line) => line.startsWith("{"));
  if (last === undefined) throw new Error(`bench/micro/${name}.ts printed no report:\n${output}`);
  const report: unknown = JSON.parse(last);
  if (!isReport(report)) throw new Error(`bench/micro/${name}.ts printed another shape: ${last}`);
  return report;
}

function isReport(value: unknown): value is SuiteReport {
  const lists = ["tables", "checks", "targets", "notes"];
  return lists.every((name) => Array.isArray(Reflect.get(Object(value), name)));
}
