import type { ComponentValue } from "../component/types.ts";
import { Guest } from "../canonical/guest.ts";
import type { Meter } from "../core/meter.ts";
import { Trap } from "../engine.ts";
import type { Bounds, Instance, Links } from "../engine.ts";
import { toCallError, toHostError } from "./guest-error.ts";
import type { FrozenGuest } from "./freezer.ts";
import { link } from "./linker.ts";
import { Linking } from "./linking.ts";
import type { ExportedFunction } from "./prepared-lift.ts";
import type { PreparedPlan } from "./prepared-plan.ts";

interface RunningCall {
  readonly resolve: (value: ComponentValue) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One linked component.
 *
 * I1. At most one call runs (E1); the promise of a call settles exactly once.
 * I2. Whatever ends a call but its result leaves the instance dead (E2): its memory may be in any
 *     state. A dead instance holds nothing of the guest, and what its guest still does is ignored.
 * I3. A guest that waits holds no thread, and no timer: only the promise it waits for holds it.
 * I4. Linked, frozen or dead: exactly one of `#linking` and `#frozen` is there while it lives.
 */
export class LinkedInstance implements Instance {
  readonly #prepared: PreparedPlan;
  readonly #meter: Meter;
  #linking: Linking | undefined;
  #frozen: FrozenGuest | undefined;
  /** Those that were called already: an instance that waits for its first call has none. */
  #functions: Map<string, ExportedFunction> | undefined;
  #running: RunningCall | undefined;

  constructor(prepared: PreparedPlan, links: Links, bounds: Bounds | undefined) {
    this.#prepared = prepared;
    const linking = new Linking(links, new Guest(undefined, bounds));
    this.#meter = linking.guest.meter;
    try {
      link(prepared, linking);
    } catch (error) {
      linking.guest.close();
      throw startError(linking.guest, error);
    }
    this.#linking = linking;
  }

  get isDead(): boolean {
    const { guest } = this.#linking ?? this.#frozen ?? {};
    return guest === undefined || guest.failure !== undefined;
  }

  get memoryBytes(): number {
    const linked = (this.#linking?.memories ?? []).map(({ memory }) => memory.buffer.byteLength);
    const frozen = (this.#frozen?.memories ?? []).map(({ keptBytes }) => keptBytes);
    const handleBytes = (this.#linking ?? this.#frozen)?.guest.handleBytes ?? 0;
    return [...linked, ...frozen].reduce((sum, bytes) => sum + bytes, handleBytes);
  }

  get fuelUsed(): number {
    return this.#meter.fuelUsed;
  }

  freeze(): boolean {
    if (this.#running !== undefined) return false;
    if (this.#linking === undefined) return this.#frozen !== undefined;
    this.#frozen = this.#prepared.freezer?.freeze(this.#linking);
    if (this.#frozen === undefined) return false;
    this.#meter.detach();
    this.#linking = undefined;
    this.#functions = undefined;
    return true;
  }

  has(name: string): boolean {
    return this.#prepared.exports.has(name);
  }

  call(name: string, args: readonly ComponentValue[]): Promise<ComponentValue> {
    return new Promise((resolve, reject) => {
      if (this.isDead) throw new Error("the instance is dead");
      if (this.#running !== undefined) throw new Error("the instance is in a call already");
      const exported = this.#functions?.get(name) ?? this.#bind(name);
      const running = { resolve, reject };
      this.#running = running;
      try {
        this.#linking?.guest.scheduler.callBegins();
      } catch (error) {
        this.#end(running, error);
        return;
      }
      exported(args, {
        returned: (value) => this.#finish(running, value),
        failed: (error) => this.#end(running, error),
      });
    });
  }

  abandon(reason: Error): void {
    const running = this.#running;
    this.#die();
    running?.reject(reason);
  }

  #bind(name: string): ExportedFunction {
    const lift = this.#prepared.exports.get(name);
    if (lift === undefined) throw new Error(`the world has no export ${name}`);
    const exported = lift.bind(this.#thawed());
    this.#functions ??= new Map();
    this.#functions.set(name, exported);
    return exported;
  }

  /**
   * Where there is no memory to bring it back, it stays frozen: the call was never started. Where its
   * bounds ended it meanwhile, it is dead.
   */
  #thawed(): Linking {
    const { freezer } = this.#prepared;
    if (this.#frozen !== undefined && freezer !== undefined) {
      const frozen = this.#frozen;
      try {
        this.#linking = this.#meter.reattach(() => freezer.thaw(frozen));
      } catch (error) {
        const startFailure = startError(frozen.guest, error);
        if (frozen.guest.failure !== undefined) this.#die();
        throw startFailure;
      }
      this.#frozen = undefined;
    }
    if (this.#linking === undefined) throw new Error("the instance is neither linked nor frozen");
    return this.#linking;
  }

  #finish(running: RunningCall, value: ComponentValue): void {
    if (this.#running !== running) return;
    // The host's side of the guest's calls may have failed without the guest noticing.
    if (this.#linking?.guest.failure !== undefined) {
      this.#end(running, undefined);
      return;
    }
    this.#running = undefined;
    running.resolve(value);
  }

  #end(running: RunningCall, error: unknown): void {
    if (this.#running !== running) return;
    const failure = this.#linking?.guest.failure;
    this.#die();
    running.reject(failure === undefined ? toCallError(error) : toHostError(failure.cause));
  }

  #die(): void {
    const guest = (this.#linking ?? this.#frozen)?.guest;
    this.#meter.detach();
    this.#linking = undefined;
    this.#frozen = undefined;
    this.#running = undefined;
    this.#functions = undefined;
    guest?.close();
  }
}

/** What a host function threw, or a bound, stands in the guest: through its frames went a trap. */
function startError({ failure }: Guest, error: unknown): Error {
  const cause = failure === undefined ? toCallError(error) : toHostError(failure.cause);
  return cause instanceof Error ? cause : new Trap("the guest failed while it started");
}
