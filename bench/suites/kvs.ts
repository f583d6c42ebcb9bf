import { runMicro } from "../micro.ts";
import type { Suite } from "../report.ts";

export const kvsSuite: Suite = {
  name: "kvs",
  summary: "durable writes in groups, and reads, on the state store alone",
  needs: [],
  run: ({ progress }) => {
    progress("bench/micro/kvs.ts");
    return runMicro("kvs");
  },
};
