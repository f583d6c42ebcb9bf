import type { CompiledComponent } from "../engine/engine.ts";

interface RevisionOfTenant {
  readonly tenantId: string;
  readonly revisionId: string;
}

/**
 * Runnable components that are kept though nobody asks for them now: fresh uploads on their way to
 * their first call, and the most recently used ones. A bounded number; the one that was unused
 * longest goes first. Equal components of a tenant's apps are one entry, those of two tenants are two:
 * how long a first call takes must not tell what another one has.
 */
export class ComponentCache {
  readonly #countMax: number;
  readonly #components = new Map<string, CompiledComponent>();

  constructor(options: { readonly countMax: number }) {
    this.#countMax = options.countMax;
  }

  get(revision: RevisionOfTenant): CompiledComponent | undefined {
    const component = this.#components.get(toKey(revision));
    if (component !== undefined) this.put(revision, component);
    return component;
  }

  /** Of a component that no app has any more; for another app it would be loaded again. */
  delete(revision: RevisionOfTenant): void {
    this.#components.delete(toKey(revision));
  }

  put(revision: RevisionOfTenant, component: CompiledComponent): void {
    const key = toKey(revision);
    this.#components.delete(key);
    this.#components.set(key, component);
    for (const oldest of this.#components.keys()) {
      if (this.#components.size <= this.#countMax) return;
      this.#components.delete(oldest);
    }
  }
}

function toKey({ tenantId, revisionId }: RevisionOfTenant): string {
  return `${tenantId}/${revisionId}`;
}
