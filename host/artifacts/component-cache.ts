import type { CompiledComponent } from "../engine/engine.ts";
import { FairRoom } from "../fair-room.ts";

interface CodeOfTenant {
  readonly tenantId: string;
  /** `codeKey` of a revision. */
  readonly codeKey: string;
}

/**
 * Runnable components that are kept though nobody asks for them now: fresh uploads on their way to
 * their first call, and the most recently used ones. A bounded number, shared fairly: a tenant with many apps
 * makes no other one's first calls slow. Equal code of a tenant's apps is one entry, that of two tenants
 * is two: how long a first call takes must not tell what another one has.
 */
export class ComponentCache {
  readonly #room: FairRoom<string>;
  readonly #components = new Map<string, CompiledComponent>();

  constructor(options: { readonly countMax: number }) {
    this.#room = new FairRoom(options.countMax);
  }

  get(code: CodeOfTenant): CompiledComponent | undefined {
    const component = this.#components.get(toKey(code));
    if (component !== undefined) this.put(code, component);
    return component;
  }

  /** Of a component that no app has any more; for another app it would be loaded again. */
  delete(code: CodeOfTenant): void {
    const key = toKey(code);
    this.#room.delete(code.tenantId, key);
    this.#components.delete(key);
  }

  put(code: CodeOfTenant, component: CompiledComponent): void {
    const key = toKey(code);
    this.#components.set(key, component);
    for (const gone of this.#room.keep(code.tenantId, key, 1)) this.#components.delete(gone);
  }
}

function toKey({ tenantId, codeKey }: CodeOfTenant): string {
  return `${tenantId}/${codeKey}`;
}
