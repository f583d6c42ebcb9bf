import type { ComponentInstance } from "./component-instance.ts";
import { trap } from "./trap.ts";

export function requireMayLeave(instance: ComponentInstance): void {
  if (!instance.mayLeave) {
    trap("the guest made a call where none is allowed (in `realloc` or post-return)");
  }
}

/** Runs the host's side of a call out of the guest: what it throws ends the guest. */
export function guarded<T>(instance: ComponentInstance, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw instance.guest.fail(cause);
  }
}
