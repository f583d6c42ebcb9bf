import type { ComponentValue } from "../component/types.ts";
import { Trap } from "../engine.ts";
import type { Instance, Links } from "../engine.ts";
import { toCallError, toHostError } from "./guest-error.ts";
import { link } from "./linker.ts";
import type { Linking } from "./linking.ts";
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
 */
export class LinkedInstance implements Instance {
  readonly #prepared: PreparedPlan;
  /** Undefined once the instance is dead. */
  #linking: Linking | undefined;
  /** Those that were called already: an instance that waits for its first call has none. */
  #functions: Map<string, ExportedFunction> | undefined;
  #running: RunningCall | undefined;

  constructor(prepared: PreparedPlan, links: Links) {
    this.#prepared = prepared;
    try {
      this.#linking = link(prepared, links);
    } catch (error) {
      throw asError(toCallError(error));
    }
  }

  get isDead(): boolean {
    return this.#linking === undefined;
  }

  get memoryBytes(): number {
    return (this.#linking?.memories ?? []).reduce(
      (sum, { memory }) => sum + memory.buffer.byteLength,
      0,
    );
  }

  call(name: string, args: readonly ComponentValue[]): Promise<ComponentValue> {
    return new Promise((resolve, reject) => {
      const linking = this.#linking;
      if (linking === undefined) throw new Error("the instance is dead");
      if (this.#running !== undefined) throw new Error("the instance is in a call already");
      const exported = this.#functions?.get(name) ?? this.#bind(name, linking);
      const running = { resolve, reject };
      this.#running = running;
      let returned: ComponentValue;
      try {
        returned = exported(args);
      } catch (error) {
        this.#end(running, error);
        return;
      }
      if (returned instanceof Promise) {
        returned.then(
          (value) => this.#finish(running, value),
          (error: unknown) => this.#end(running, error),
        );
      } else {
        this.#finish(running, returned);
      }
    });
  }

  abandon(reason: Error): void {
    const running = this.#running;
    this.#die();
    running?.reject(reason);
  }

  #bind(name: string, linking: Linking): ExportedFunction {
    const lift = this.#prepared.exports.get(name);
    if (lift === undefined) throw new Error(`the world has no export ${name}`);
    const exported = lift.bind(linking, this.#prepared.plan.canSuspend);
    this.#functions ??= new Map();
    this.#functions.set(name, exported);
    return exported;
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
    const linking = this.#linking;
    this.#linking = undefined;
    this.#running = undefined;
    this.#functions = undefined;
    linking?.guest.close();
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Trap("the guest failed while it started");
}
