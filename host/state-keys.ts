/**
 * Where each thing lives in the store: the only place that builds a store key.
 *
 * K1. A tenant's key is `t/<tenant>/<key>`; a tenant id has no `/`, so no key of one tenant, whatever
 *     characters it holds, is a key or a prefix of another's.
 * K2. The host's own records are under `s/`, which no tenant key can start with.
 */

/** Lower case, because tenant and app names become store keys, labels and addresses. */
export const NAME_PATTERN = "^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$";

const NAME = new RegExp(NAME_PATTERN, "u");

export const STATE_KEY_BYTES_MAX = 512;

/** The prefix of everything a tenant stores; also what a listing of its keys starts from. */
export function tenantPrefix(tenantId: string): string {
  if (!NAME.test(tenantId)) throw new RangeError("not a tenant id");
  return `t/${tenantId}/`;
}

/** The key of a record of the host itself, for example `systemKey("tenants", id)`. */
export function systemKey(
  collection: "tenants" | "apps" | "usage" | "deleted-usage" | "function-usage" | "host",
  ...path: readonly string[]
): string {
  for (const part of path) if (!NAME.test(part)) throw new RangeError("not a name");
  return `s/${collection}/${path.join("/")}`;
}
