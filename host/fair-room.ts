import assert from "node:assert/strict";

interface Kept {
  readonly size: number;
  readonly usedAt: number;
}

interface Part<Key> {
  size: number;
  /** What was not used for longest is first. */
  readonly kept: Map<Key, Kept>;
}

const NOTHING: readonly never[] = [];

// Room for what several tenants keep, and who makes some when there is none: a cache that all share, without the values.
// What it is counted in, bytes or pieces, is its owner's to say.
//
// F1. Past the maximum goes what a tenant keeps that has more than an equal part of it: as many parts as there
//     are tenants that keep anything. Of all such tenants, what was not used for longest.
// F2. So who keeps no more than an equal part loses nothing to others, whatever they keep and how often they use it,
//     and cannot tell by it that they do. Room that nobody else takes is anyone's.
export class FairRoom<Key> {
  readonly #sizeMax: number;
  readonly #tenants = new Map<string, Part<Key>>();
  #size = 0;
  #uses = 0;

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  /** It is kept, and used now. Answers what has to go for it; that may be itself. */
  keep(tenantId: string, key: Key, size: number): readonly Key[] {
    this.delete(tenantId, key);
    const part = this.#tenants.get(tenantId) ?? { size: 0, kept: new Map<Key, Kept>() };
    this.#tenants.set(tenantId, part);
    this.#uses += 1;
    part.kept.set(key, { size, usedAt: this.#uses });
    part.size += size;
    this.#size += size;
    if (this.#size <= this.#sizeMax) return NOTHING;
    const gone: Key[] = [];
    while (this.#size > this.#sizeMax) gone.push(this.#makeRoom());
    return gone;
  }

  delete(tenantId: string, key: Key): void {
    const part = this.#tenants.get(tenantId);
    const size = part?.kept.get(key)?.size;
    if (part === undefined || size === undefined) return;
    part.kept.delete(key);
    part.size -= size;
    this.#size -= size;
    if (part.kept.size === 0) this.#tenants.delete(tenantId);
  }

  #makeRoom(): Key {
    let longest:
      | { readonly tenantId: string; readonly key: Key; readonly usedAt: number }
      | undefined;
    for (const [tenantId, part] of this.#tenants) {
      if (part.size * this.#tenants.size <= this.#sizeMax) continue;
      const [first] = part.kept;
      if (first === undefined) continue;
      const [key, { usedAt }] = first;
      if (longest === undefined || usedAt < longest.usedAt) longest = { tenantId, key, usedAt };
    }
    // Not all can have at most an equal part, where all together have more than there is.
    assert(longest !== undefined);
    this.delete(longest.tenantId, longest.key);
    return longest.key;
  }
}
