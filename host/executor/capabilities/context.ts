import { Trap } from "../../engine/engine.ts";
import type { InterfaceImplementation } from "../../engine/engine.ts";
import type { InstanceScope } from "../instance-scope.ts";

/** `downpour:faas/context` for one instance. */
export function contextCapability(scope: InstanceScope): InterfaceImplementation {
  return {
    functions: {
      current: () => {
        const { invocation, app } = scope;
        if (invocation === undefined) throw new Trap("no invocation is running");
        return {
          id: invocation.invocationId,
          tenant: app.tenantId,
          app: app.app,
          revision: app.revisionId,
          function: invocation.functionName,
          deadlineMs: BigInt(invocation.deadlineAtMs),
          idempotencyKey: invocation.idempotencyKey,
          metadata: invocation.metadata,
        };
      },
    },
  };
}
