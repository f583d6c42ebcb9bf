import { runMicro } from "../micro.ts";
import type { Suite, SuiteReport } from "../report.ts";

export const engineSuite: Suite = {
  name: "engine",
  summary:
    "calls of a guest on one thread, beside jco's stock JSPI glue; idle instances; what metering costs",
  needs: [],
  run: async ({ progress }) => {
    progress("bench/micro/engine-call.ts");
    const calls = await runMicro("engine-call");
    progress("bench/micro/engine-instances.ts");
    const instances = await runMicro("engine-instances");
    progress("bench/micro/engine-metering.ts");
    return joined(joined(calls, instances), await runMicro("engine-metering"));
  },
};

function joined(first: SuiteReport, second: SuiteReport): SuiteReport {
  return {
    suite: first.suite,
    tables: [...first.tables, ...second.tables],
    checks: [...first.checks, ...second.checks],
    targets: [...first.targets, ...second.targets],
    notes: [...first.notes, ...second.notes],
  };
}
