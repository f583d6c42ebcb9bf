// Resources: what a handle stands for, and what becomes of it.
//
// R1. A handle is owned or borrowed. Owned handles move: after lifting `own` the index is free.
// R2. A handle that is lent to a call cannot be dropped or moved until the call has returned.
// R3. A borrowed handle dies with the call it was lent to: a guest that keeps one traps at the end.
// R4. The object of a host resource lies in the handle itself, and is reached through it alone.

import { Task } from "../async/task.ts";
import type { ResourceId } from "../component/types.ts";
import type { ComponentInstance } from "./component-instance.ts";
import type { SyncCoreFunction, GuestContext } from "./guest-context.ts";
import { guarded, requireMayLeave } from "./leave.ts";
import { trap } from "./trap.ts";

/** How a resource of the plan behaves in one guest: a resource of the host, or of the guest. */
export interface ResourceType {
  /** Host resources: called when the guest drops its handle, or ends while it still owns it. */
  readonly dropHostObject?: ((object: unknown) => void) | undefined;
  /** Guest resources: the component instance that defines it; its destructor, if it has one. */
  readonly definedBy?: ComponentInstance | undefined;
  readonly destructor?: SyncCoreFunction | undefined;
}

/** An entry of a handle table. `rep` is the host's object, or the number that the guest chose. */
export class ResourceHandle {
  readonly resource: ResourceId;
  readonly rep: unknown;
  readonly owns: boolean;
  /** The call that a borrowed handle was made for. */
  readonly scope: Task | undefined;
  lendCount = 0;

  constructor(resource: ResourceId, rep: unknown, owns: boolean, scope?: Task) {
    this.resource = resource;
    this.rep = rep;
    this.owns = owns;
    this.scope = scope;
  }
}

/**
 * A resource that the guest defines, in the hands of the host (or on its way to another component).
 * The holder of an owned one passes it back to the guest, or drops it; a borrowed one is valid during its call.
 */
export class GuestResource {
  readonly resource: ResourceId;
  readonly #type: ResourceType;
  #rep: number | undefined;
  readonly isOwned: boolean;

  constructor(resource: ResourceId, type: ResourceType, rep: number, isOwned: boolean) {
    this.resource = resource;
    this.#type = type;
    this.#rep = rep;
    this.isOwned = isOwned;
  }

  get rep(): number {
    return this.#rep ?? trap("a resource was used after it was dropped or given away");
  }

  /** Ends the validity of this object: its resource moved, or the call it was lent for returned. */
  take(): number {
    const { rep } = this;
    this.#rep = undefined;
    return rep;
  }

  /** Runs the guest's destructor: like each call into the guest, only while no call is inside. */
  drop(): void {
    const rep = this.take();
    if (this.isOwned) destroy(this.#type, rep, undefined);
  }
}

/** What a lowered call borrowed, so that it can be given back when the call returns. */
export class Loans {
  readonly #handles: ResourceHandle[] = [];
  readonly #views: GuestResource[] = [];

  lend(handle: ResourceHandle): void {
    handle.lendCount += 1;
    this.#handles.push(handle);
  }

  invalidateAtEnd(view: GuestResource): void {
    this.#views.push(view);
  }

  giveBack(): void {
    for (const handle of this.#handles) handle.lendCount -= 1;
    for (const view of this.#views) view.take();
  }
}

export function liftOwn(cx: GuestContext, index: number, resource: ResourceId): unknown {
  const { handles } = cx.instance;
  const handle = requireHandle(handles.get(index), resource);
  if (handle.lendCount !== 0) trap("an owned handle was given away while it is lent");
  if (!handle.owns) trap("a borrowed handle was passed where an owned one is expected");
  handles.remove(index);
  return liftRep(cx, handle, true);
}

export function liftBorrow(cx: GuestContext, index: number, resource: ResourceId): unknown {
  const loans = cx.loans ?? trap("a borrowed handle was passed where no call can give it back");
  const handle = requireHandle(cx.instance.handles.get(index), resource);
  loans.lend(handle);
  const value = liftRep(cx, handle, false);
  if (value instanceof GuestResource) loans.invalidateAtEnd(value);
  return value;
}

function liftRep(cx: GuestContext, handle: ResourceHandle, isOwned: boolean): unknown {
  const type = cx.instance.guest.resourceType(handle.resource);
  if (type.definedBy === undefined) return handle.rep;
  return new GuestResource(handle.resource, type, Number(handle.rep), isOwned);
}

export function lowerOwn(cx: GuestContext, value: unknown, resource: ResourceId): number {
  const rep = lowerRep(cx, value, resource, true);
  return cx.instance.handles.add(new ResourceHandle(resource, rep, true));
}

export function lowerBorrow(cx: GuestContext, value: unknown, resource: ResourceId): number {
  const { instance } = cx;
  const rep = lowerRep(cx, value, resource, false);
  // The component that defines a resource knows its representation, and needs no handle.
  if (instance.guest.resourceType(resource).definedBy === instance) return Number(rep);
  const scope = instance.task ?? trap("a borrowed handle needs a call to be valid for");
  const index = instance.handles.add(new ResourceHandle(resource, rep, false, scope));
  scope.borrowCount += 1;
  return index;
}

function lowerRep(cx: GuestContext, value: unknown, resource: ResourceId, moves: boolean): unknown {
  if (cx.instance.guest.resourceType(resource).definedBy === undefined) {
    if (typeof value === "object" && value !== null) return value;
    throw new TypeError("a resource of the host must be an object");
  }
  if (!(value instanceof GuestResource) || value.resource !== resource) {
    throw new TypeError("a resource of the guest must be a GuestResource of the same type");
  }
  if (!moves) return value.rep;
  if (!value.isOwned) throw new TypeError("a borrowed resource cannot be given away");
  return value.take();
}

function requireHandle(entry: object, resource: ResourceId): ResourceHandle {
  if (!(entry instanceof ResourceHandle)) trap("a handle of another kind, not of a resource");
  if (entry.resource !== resource) trap("a handle of another resource type");
  return entry;
}

/** `canon resource.new`: the defining component gives out a handle for a representation. */
export function resourceNew(instance: ComponentInstance, resource: ResourceId): SyncCoreFunction {
  return (rep) =>
    guarded(instance, () => {
      requireMayLeave(instance);
      return instance.handles.add(new ResourceHandle(resource, Number(rep) | 0, true));
    });
}

/** `canon resource.rep`: the defining component asks for its representation back. */
export function resourceRep(instance: ComponentInstance, resource: ResourceId): SyncCoreFunction {
  return (index) =>
    guarded(instance, () =>
      Number(requireHandle(instance.handles.get(Number(index) >>> 0), resource).rep),
    );
}

/** `canon resource.drop`: gives a handle up; an owned one takes its resource with it. */
export function resourceDrop(instance: ComponentInstance, resource: ResourceId): SyncCoreFunction {
  return (index) =>
    guarded(instance, () => {
      requireMayLeave(instance);
      dropHandle(instance, Number(index) >>> 0, resource);
    });
}

function dropHandle(instance: ComponentInstance, index: number, resource: ResourceId): void {
  const handle = requireHandle(instance.handles.get(index), resource);
  if (handle.lendCount !== 0) trap("a handle was dropped while it is lent");
  instance.handles.remove(index);
  if (handle.scope !== undefined) handle.scope.borrowCount -= 1;
  if (!handle.owns) return;
  const type = instance.guest.resourceType(resource);
  if (type.definedBy === undefined) type.dropHostObject?.(handle.rep);
  else destroy(type, Number(handle.rep), instance);
}

function destroy(type: ResourceType, rep: number, caller: ComponentInstance | undefined): void {
  const { definedBy, destructor } = type;
  if (definedBy === undefined || destructor === undefined) return;
  // The resource ended with its guest, none of whose code may run any more.
  if (definedBy.guest.isClosed || definedBy.guest.failure !== undefined) return;
  const task = new Task(definedBy);
  task.begin(caller);
  definedBy.guest.meter.directly(() => destructor(rep));
  task.exit();
}
