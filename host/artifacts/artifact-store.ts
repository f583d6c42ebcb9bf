import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { HostError } from "../errors.ts";
import { ArtifactFolder } from "./artifact-folder.ts";
import type { StagedFile } from "./artifact-folder.ts";
import { errno, toHostError } from "./file-error.ts";

// Owns the directory of artifacts:
//
//   staging/             what is not complete
//   runtimes/            what all tenants share (`shared-runtimes.ts`)
//   tenants/<tenant>/    what is one tenant's: components, plans, core modules
//
// A1. A tenant's artifacts are its own: equal bytes of two tenants are two files, and neither the time of an
//     upload nor a deletion tells one of the other's.
// A2. Nothing half-written stays: not after an error, and not after a crash (the next `open` removes it).
// A3. Only `sweep` and `removeTenant` remove. `sweep` runs while nobody writes (its caller sees to that), and
//     `removeTenant` when nobody has the name.

const TENANTS = "tenants";
const RUNTIMES = "runtimes";
const STAGING = "staging";

const SHA256 = /^[0-9a-f]{64}$/u;
const TENANT_ID = /^[a-z0-9-]+$/u;
const SWEEP_BATCH = 64;

export class ArtifactStore {
  readonly #directory: string;
  readonly #staging: string;
  /** What all tenants share. */
  readonly runtimes: ArtifactFolder;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#staging = join(directory, STAGING);
    this.runtimes = new ArtifactFolder({
      directory: join(directory, RUNTIMES),
      staging: this.#staging,
      shared: undefined,
    });
  }

  /** Makes the directory, and removes what an earlier process left unfinished. */
  static async open(directory: string): Promise<ArtifactStore> {
    const store = new ArtifactStore(directory);
    await rm(store.#staging, { recursive: true, force: true });
    for (const folder of [STAGING, RUNTIMES, TENANTS]) {
      await mkdir(join(directory, folder), { recursive: true, mode: 0o700 });
    }
    return store;
  }

  /** A view on a directory that another thread has opened. */
  static attach(directory: string): ArtifactStore {
    return new ArtifactStore(directory);
  }

  /** What is a tenant's own; the runtimes can be read there too. */
  of(tenantId: string): ArtifactFolder {
    return new ArtifactFolder({
      directory: this.#folderOf(tenantId),
      staging: this.#staging,
      shared: this.runtimes,
    });
  }

  /**
   * Writes a stream to disk while it comes in. Refuses with `UPLOAD_TOO_LARGE` at the first byte
   * over the limit; when it fails for whatever reason, nothing of it stays.
   */
  async stage(source: AsyncIterable<Uint8Array>, bytesMax: number): Promise<StagedFile> {
    const path = join(this.#staging, randomUUID());
    try {
      const sha256 = createHash("sha256");
      let bytes = 0;
      const file = createWriteStream(path, { flags: "wx", mode: 0o600, flush: true });
      const closed = new Promise<void>((resolve, reject) => {
        file.once("error", reject).once("close", resolve);
      });
      // Looked at after the last chunk, or in place of waiting for room; never unhandled in between.
      closed.catch(() => undefined);
      try {
        for await (const chunk of source) {
          bytes += chunk.byteLength;
          if (bytes > bytesMax) throw tooLarge(bytesMax);
          sha256.update(chunk);
          if (!file.write(chunk)) await Promise.race([drained(file), closed]);
          if (file.errored !== null) break;
        }
        file.end();
        await closed;
      } finally {
        // A file that is still being opened is made after all: only once it is closed can it be removed.
        file.destroy();
        await closed.catch(() => undefined);
      }
      return { path, sha256: sha256.digest("hex"), bytes };
    } catch (error) {
      await rm(path, { force: true });
      throw toHostError(error);
    }
  }

  async discard(staged: StagedFile): Promise<void> {
    await rm(staged.path, { force: true });
  }

  /**
   * Removes every artifact that its tenant does not refer to, and every staged file (A3): a runtime when no
   * tenant does. Answers how many files went, or whole folders of tenants that refer to nothing.
   */
  async sweep(referenced: ReadonlyMap<string, ReadonlySet<string>>): Promise<number> {
    const garbage = (await entries(this.#staging)).map((name) => join(this.#staging, name));
    const ofAny = new Set([...referenced.values()].flatMap((names) => [...names]));
    garbage.push(...(await unreferencedIn(join(this.#directory, RUNTIMES), ofAny)));
    const tenants = join(this.#directory, TENANTS);
    for (const tenantId of await entries(tenants)) {
      const own = join(tenants, tenantId);
      const kept = referenced.get(tenantId);
      garbage.push(...(kept === undefined ? [own] : await unreferencedIn(own, kept)));
    }
    for (let start = 0; start < garbage.length; start += SWEEP_BATCH) {
      const batch = garbage.slice(start, start + SWEEP_BATCH);
      await Promise.all(batch.map((path) => rm(path, { recursive: true, force: true })));
    }
    return garbage.length;
  }

  /** Removes what a tenant had whose name nobody has now (A3). */
  async removeTenant(tenantId: string): Promise<void> {
    await rm(this.#folderOf(tenantId), { recursive: true, force: true });
  }

  #folderOf(tenantId: string): string {
    assert(TENANT_ID.test(tenantId));
    return join(this.#directory, TENANTS, tenantId);
  }
}

/** Nothing where there is no such directory. */
async function entries(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errno(error) ?? "")) return [];
    throw error;
  }
}

async function unreferencedIn(directory: string, kept: ReadonlySet<string>): Promise<string[]> {
  const garbage: string[] = [];
  for (const folder of await entries(directory)) {
    for (const name of await entries(join(directory, folder))) {
      if (SHA256.test(name) && !kept.has(name)) garbage.push(join(directory, folder, name));
    }
  }
  return garbage;
}

function drained(file: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    file.once("drain", resolve);
  });
}

function tooLarge(bytesMax: number): HostError {
  return new HostError("UPLOAD_TOO_LARGE", `the component has more than ${bytesMax} bytes`, {
    details: { uploadBytesMax: bytesMax },
  });
}
