import type { SpaceUse, StateClient } from "../index.ts";

/** What is in a space of keys, counted key by key. */
export function countedUse(client: StateClient, space: string): SpaceUse {
  let use: SpaceUse = { keys: 0, bytes: 0 };
  let after: string | undefined;
  do {
    const page = client.list(space, after, 1_000);
    for (const { key } of page.entries) {
      const value = client.read(key);
      const valueBytes = value?.kind === "register" ? value.value.byteLength : 16;
      use = { keys: use.keys + 1, bytes: use.bytes + Buffer.byteLength(key) + valueBytes };
    }
    after = page.next;
  } while (after !== undefined);
  return use;
}
