import { join } from "node:path";
import { Child } from "./child.ts";

const TIMEOUT_MS = 30 * 60_000;

/** Runs `bench/micro/<name>.ts` in a process of its own; its last line is its result as JSON. */
export async function runMicro(name: string): Promise<unknown> {
  await using child = new Child({
    command: process.execPath,
    args: [join(import.meta.dirname, "micro", `${name}.ts`), "--json"],
  });
  const output = await child.waitForSuccess(TIMEOUT_MS);
  const last = output.split("\n").findLast((line) => line.startsWith("{"));
  if (last === undefined) throw new Error(`bench/micro/${name}.ts printed no JSON:\n${output}`);
  const result: unknown = JSON.parse(last);
  return result;
}
