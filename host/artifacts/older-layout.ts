import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { AppRecord } from "./app-record.ts";
import type { ArtifactStore } from "./artifact-store.ts";

const FOLDER = /^[0-9a-f]{2}$/u;

/**
 * Earlier hosts kept what all tenants had as one file each: `<directory>/<2 hex>/<sha256>`. Gives each
 * tenant its components, and removes the rest: plans and modules are made again from them. They are
 * linked as they are, one file under a name for each tenant: a disk that is nearly full has no room for copies,
 * and what is damaged stays what it was. Does nothing where there is nothing of that time; what was interrupted is done again by the next start.
 */
export async function leaveOlderLayout(
  directory: string,
  store: ArtifactStore,
  apps: Iterable<AppRecord>,
): Promise<void> {
  const older = (await readdir(directory)).filter((name) => FOLDER.test(name));
  if (older.length === 0) return;
  for (const { tenantId, revisions } of apps) {
    for (const { revisionId } of revisions) {
      const component = join(directory, revisionId.slice(0, 2), revisionId);
      await store.of(tenantId).link(component, revisionId);
    }
  }
  for (const name of older) await rm(join(directory, name), { recursive: true });
}
