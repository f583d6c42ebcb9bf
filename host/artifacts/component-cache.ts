import type { CompiledComponent } from "../engine/engine.ts";

/**
 * Runnable components that are kept though nobody asks for them now: fresh uploads on their way to
 * their first call, and the most recently used ones. A bounded number; the one that was unused
 * longest goes first. Equal components of several apps are one entry.
 */
export class ComponentCache {
  readonly #countMax: number;
  readonly #components = new Map<string, CompiledComponent>();

  constructor(options: { readonly countMax: number }) {
    this.#countMax = options.countMax;
  }

  get(revisionId: string): CompiledComponent | undefined {
    const component = this.#components.get(revisionId);
    if (component !== undefined) this.put(revisionId, component);
    return component;
  }

  /** Of a component that no app has any more; for another app it would be loaded again. */
  delete(revisionId: string): void {
    this.#components.delete(revisionId);
  }

  put(revisionId: string, component: CompiledComponent): void {
    this.#components.delete(revisionId);
    this.#components.set(revisionId, component);
    for (const oldest of this.#components.keys()) {
      if (this.#components.size <= this.#countMax) return;
      this.#components.delete(oldest);
    }
  }
}
