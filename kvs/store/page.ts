import assert from "node:assert/strict";
import type { LatticeKind, StatePage } from "../state-client.ts";

/** The longest page of keys. */
export const LIST_LIMIT_MAX = 1000;

export interface ListedKey {
  readonly key: string;
  readonly kind: LatticeKind;
}

/** Takes a page from keys in order, and looks one further to say whether it is the last. */
export function toPage(keys: Iterable<ListedKey>, limit: number): StatePage {
  assert(Number.isSafeInteger(limit) && limit >= 1 && limit <= LIST_LIMIT_MAX);
  const entries: ListedKey[] = [];
  for (const listed of keys) {
    if (entries.length === limit) return { entries, next: entries[limit - 1]?.key };
    entries.push(listed);
  }
  return { entries, next: undefined };
}
