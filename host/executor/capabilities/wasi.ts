import type { Links } from "../../engine/engine.ts";
import { createWasiLinks } from "../../engine/wasi/index.ts";
import type { InstanceScope } from "../instance-scope.ts";

/** The few WASI interfaces a guest may use: its output goes to the function's log, its environment is the app's. */
export function wasiCapabilities(scope: InstanceScope): Links {
  return createWasiLinks({
    environment: scope.limits.environment,
    stdout: (line) => scope.log("info", line),
    stderr: (line) => scope.log("error", line),
    onWriter: (writer) => scope.keepWriter(writer),
  });
}
