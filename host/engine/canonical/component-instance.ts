import { Entrance } from "../async/entrance.ts";
import type { Task } from "../async/task.ts";
import type { Guest } from "./guest.ts";
import { HandleTable } from "./handle-table.ts";
import { ResourceHandle } from "./resources.ts";
import { trap } from "./trap.ts";

// The canonical ABI's state of one component instance: its handles, its flags and its task.
//
// I1. `mayLeave` is false exactly while the guest runs on behalf of lowering or lifting (`realloc`,
//     post-return): nothing may be called from there.
// I2. `mayEnter` is false exactly while a stretch of a call is inside the instance: while one runs, and not while it
//     is blocked (`Task`).
// I3. `task` is the innermost call whose stretch is inside; stretches nest, they never interleave.
export class ComponentInstance {
  readonly guest: Guest;
  readonly parent: ComponentInstance | undefined;
  readonly handles: HandleTable;
  mayLeave = true;
  mayEnter = true;
  task: Task | undefined = undefined;
  readonly entrance = new Entrance();

  constructor(guest: Guest, parent: ComponentInstance | undefined) {
    this.guest = guest;
    this.parent = parent;
    this.handles = new HandleTable(guest);
  }

  /** Enters this instance, and those around it that the caller is not inside of already. */
  enter(caller: ComponentInstance | undefined): void {
    if (!this.mayEnterFrom(caller)) {
      trap("a call entered a component instance that a call is already in");
    }
    setMayEnter(this, caller, false);
  }

  mayEnterFrom(caller: ComponentInstance | undefined): boolean {
    if (!this.mayEnter && !isSelfOrAncestor(this, caller)) return false;
    return this.parent === undefined || this.parent.mayEnterFrom(caller);
  }

  /** Undoes `enter` of the same caller. A call that trapped never leaves: its instance is dead. */
  leave(caller: ComponentInstance | undefined): void {
    setMayEnter(this, caller, true);
  }

  dropHostResources(): void {
    for (const entry of this.handles.clear()) {
      if (!(entry instanceof ResourceHandle) || !entry.owns) continue;
      try {
        this.guest.resourceType(entry.resource).dropHostObject?.(entry.rep);
      } catch (cause) {
        // A bug of the host, to be seen as such: but neither the other resources nor whoever ends
        // the guest may be left waiting for it.
        queueMicrotask(() => {
          throw cause;
        });
      }
    }
  }
}

type Caller = ComponentInstance | undefined;

function setMayEnter(callee: ComponentInstance, caller: Caller, mayEnter: boolean): void {
  for (let entered: Caller = callee; entered !== undefined; entered = entered.parent) {
    if (!isSelfOrAncestor(entered, caller)) entered.mayEnter = mayEnter;
  }
}

function isSelfOrAncestor(instance: ComponentInstance, of: ComponentInstance | undefined): boolean {
  let current = of;
  while (current !== undefined) {
    if (current === instance) return true;
    current = current.parent;
  }
  return false;
}
