import assert from "node:assert/strict";
import type { InterfaceImplementation, Links } from "../../engine/engine.ts";
import { createWasiLinks } from "../../engine/wasi/index.ts";
import type { InstanceScope } from "../instance-scope.ts";

/** The few WASI interfaces a guest may use: its output goes to the function's log, its environment is the app's. */
export function wasiCapabilities(scope: InstanceScope): Links {
  const links = createWasiLinks({
    environment: scope.limits.environment,
    stdout: (line) => scope.log("info", line),
    stderr: (line) => scope.log("error", line),
    onWriter: (writer) => scope.keepWriter(writer),
  });
  const poll = links["wasi:io/poll"];
  assert(poll !== undefined);
  // The only WASI interface in which a guest waits: its waiting is not its work.
  return { ...links, "wasi:io/poll": withoutWaiting(poll, scope) };
}

function withoutWaiting(
  { functions, ...others }: InterfaceImplementation,
  scope: InstanceScope,
): InterfaceImplementation {
  const timed = Object.entries(functions).map(([name, call]) => [
    name,
    (...args: never[]): unknown => {
      const result = call.apply(functions, args);
      if (!(result instanceof Promise)) return result;
      scope.suspended();
      return result.finally(() => scope.resumed());
    },
  ]);
  return { ...others, functions: Object.fromEntries(timed) };
}
