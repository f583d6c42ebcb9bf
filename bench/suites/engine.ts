import { runMicro } from "../micro.ts";
import type { Suite } from "../report.ts";

export const engineSuite: Suite = {
  name: "engine",
  summary: "calls of a guest on one thread, beside jco's stock JSPI glue",
  needs: [],
  run: ({ progress }) => {
    progress("bench/micro/engine-call.ts");
    return runMicro("engine-call");
  },
};
