import { createHash, hash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { HostError } from "../errors.ts";

// Immutable files named by their content: `<directory>/<2 hex>/<sha256>`. Components, compiled plans
// and core modules are all just bytes here; equal ones are kept once, whoever uploaded them.
//
// A1. A file under its name is complete: it is written elsewhere, synced, and then renamed.
// A2. What is read is what was written: the hash is checked on each read, and a mismatch is an error.
// A3. Nothing half-written stays: not after an error, and not after a crash (the next `open` removes it).
// A4. Threads of one host may write at once. Only `sweep` removes, and only while nobody writes
//     (its caller sees to that).

const STAGING = "staging";
const SHA256 = /^[0-9a-f]{64}$/u;
const SWEEP_BATCH = 64;

/** An upload that is on disk and complete, and not yet an artifact. */
export interface StagedFile {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

export class ArtifactStore {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Makes the directory, and removes what an earlier process left unfinished. */
  static async open(directory: string): Promise<ArtifactStore> {
    const store = new ArtifactStore(directory);
    await rm(store.#staging, { recursive: true, force: true });
    await mkdir(store.#staging, { recursive: true, mode: 0o700 });
    return store;
  }

  /** A view on a directory that another thread has opened. */
  static attach(directory: string): ArtifactStore {
    return new ArtifactStore(directory);
  }

  /**
   * Writes a stream to disk while it comes in. Refuses with `UPLOAD_TOO_LARGE` at the first byte
   * over the limit; when it fails for whatever reason, nothing of it stays.
   */
  async stage(source: AsyncIterable<Uint8Array>, bytesMax: number): Promise<StagedFile> {
    const path = this.#stagingPath();
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

  /** Makes a staged file an artifact. */
  async adopt(staged: StagedFile): Promise<void> {
    await this.#place(staged.path, staged.sha256);
  }

  async discard(staged: StagedFile): Promise<void> {
    await rm(staged.path, { force: true });
  }

  /** Keeps some bytes; answers their hash. What is there already is written again only where it was damaged. */
  async put(bytes: Uint8Array): Promise<string> {
    const sha256 = hash("sha256", bytes);
    if (await this.#isSound(sha256)) return sha256;
    const path = this.#stagingPath();
    try {
      const file = await open(path, "wx", 0o600);
      await writeAndSync(file, bytes);
      await this.#place(path, sha256);
    } catch (error) {
      await rm(path, { force: true });
      throw toHostError(error);
    }
    return sha256;
  }

  async has(sha256: string): Promise<boolean> {
    try {
      await stat(this.#path(sha256));
      return true;
    } catch (error) {
      if (errno(error) === "ENOENT") return false;
      throw toHostError(error);
    }
  }

  /** Throws `ARTIFACT_DAMAGED` where the file is gone, or is not what was written (A2). */
  async read(sha256: string): Promise<Uint8Array> {
    let bytes: Buffer;
    try {
      bytes = await readFile(this.#path(sha256));
    } catch (error) {
      if (errno(error) === "ENOENT") throw damaged(sha256, "is missing", error);
      throw toHostError(error);
    }
    if (hash("sha256", bytes) !== sha256) throw damaged(sha256, "has changed on disk");
    return bytes;
  }

  async #isSound(sha256: string): Promise<boolean> {
    try {
      await this.read(sha256);
      return true;
    } catch (error) {
      if (error instanceof HostError && error.code === "ARTIFACT_DAMAGED") return false;
      throw error;
    }
  }

  /** Removes every artifact that is not referenced, and every staged file (A4). Answers how many went. */
  async sweep(referenced: ReadonlySet<string>): Promise<number> {
    const garbage: string[] = [];
    for (const folder of await readdir(this.#directory)) {
      for (const name of await readdir(join(this.#directory, folder))) {
        const isGarbage = folder === STAGING || (SHA256.test(name) && !referenced.has(name));
        if (isGarbage) garbage.push(join(this.#directory, folder, name));
      }
    }
    for (let start = 0; start < garbage.length; start += SWEEP_BATCH) {
      const batch = garbage.slice(start, start + SWEEP_BATCH);
      await Promise.all(batch.map((path) => rm(path, { force: true })));
    }
    return garbage.length;
  }

  get #staging(): string {
    return join(this.#directory, STAGING);
  }

  #stagingPath(): string {
    return join(this.#staging, randomUUID());
  }

  #path(sha256: string): string {
    return join(this.#directory, sha256.slice(0, 2), sha256);
  }

  async #place(from: string, sha256: string): Promise<void> {
    const folder = join(this.#directory, sha256.slice(0, 2));
    try {
      const created = await mkdir(folder, { recursive: true, mode: 0o700 });
      await rename(from, this.#path(sha256));
      await syncDirectory(folder);
      if (created !== undefined) await syncDirectory(this.#directory);
    } catch (error) {
      throw toHostError(error);
    }
  }
}

function drained(file: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    file.once("drain", resolve);
  });
}

async function writeAndSync(file: FileHandle, bytes: Uint8Array): Promise<void> {
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A rename survives power loss only when its directory is synced. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function tooLarge(bytesMax: number): HostError {
  return new HostError("UPLOAD_TOO_LARGE", `the component has more than ${bytesMax} bytes`, {
    details: { uploadBytesMax: bytesMax },
  });
}

function damaged(sha256: string, how: string, cause?: unknown): HostError {
  return new HostError("ARTIFACT_DAMAGED", `the artifact ${sha256} ${how}`, {
    details: { sha256 },
    cause,
  });
}

function errno(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

function toHostError(error: unknown): unknown {
  const code = errno(error);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new HostError("STORAGE_FULL", "there is no space left in the data directory", {
      cause: error,
    });
  }
  return error;
}
