import type { CompiledComponent } from "../engine/engine.ts";
import { FairRoom } from "../fair-room.ts";

interface RevisionOfTenant {
  readonly tenantId: string;
  readonly revisionId: string;
}

/**
 * Runnable components that are kept though nobody asks for them now: fresh uploads on their way to
 * their first call, and the most recently used ones. A bounded number, shared fairly: a tenant with many apps
 * makes no other one's first calls slow. Equal components of a tenant's apps are one entry, those of two tenants
 * are two: how long a first call takes must not tell what another one has.
 */
export class ComponentCache {
  readonly #room: FairRoom<string>;
  readonly #components = new Map<string, CompiledComponent>();

  constructor(options: { readonly countMax: number }) {
    this.#room = new FairRoom(options.countMax);
  }

  get(revision: RevisionOfTenant): CompiledComponent | undefined {
    const component = this.#components.get(toKey(revision));
    if (component !== undefined) this.put(revision, component);
    return component;
  }

  /** Of a component that no app has any more; for another app it would be loaded again. */
  delete(revision: RevisionOfTenant): void {
    const key = toKey(revision);
    this.#room.delete(revision.tenantId, key);
    this.#components.delete(key);
  }

  put(revision: RevisionOfTenant, component: CompiledComponent): void {
    const key = toKey(revision);
    this.#components.set(key, component);
    for (const gone of this.#room.keep(revision.tenantId, key, 1)) this.#components.delete(gone);
  }
}

function toKey({ tenantId, revisionId }: RevisionOfTenant): string {
  return `${tenantId}/${revisionId}`;
}
