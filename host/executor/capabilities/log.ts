import type { InterfaceImplementation } from "../../engine/engine.ts";
import type { LogLevel } from "../../protocol.ts";
import type { InstanceScope } from "../instance-scope.ts";

/** `downpour:faas/log` for one instance. */
export function logCapability(scope: InstanceScope): InterfaceImplementation {
  return {
    functions: {
      write: (level: LogLevel, message: string): void => {
        scope.log(level, message);
      },
    },
  };
}
