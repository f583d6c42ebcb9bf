import { hash, randomUUID } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { link, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { HostError } from "../errors.ts";
import { errno, toHostError } from "./file-error.ts";

/** An upload that is on disk and complete, and not yet an artifact. */
export interface StagedFile {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

// Immutable files named by their content: `<directory>/<2 hex>/<sha256>`. Components, compiled plans
// and core modules are all just bytes here; equal ones of one folder are kept once.
//
// F1. A file under its name is complete: it is written elsewhere, synced, and then renamed.
// F2. What is read is what was written: the hash is checked on each read, and a mismatch is an error.
// F3. Threads of one host may write at once. Nothing here removes what is complete.
export class ArtifactFolder {
  readonly #directory: string;
  readonly #staging: string;
  readonly #shared: ArtifactFolder | undefined;

  /** What is not in it is read from `shared`. */
  constructor(options: {
    readonly directory: string;
    readonly staging: string;
    readonly shared: ArtifactFolder | undefined;
  }) {
    this.#directory = options.directory;
    this.#staging = options.staging;
    this.#shared = options.shared;
  }

  /** Makes a staged file an artifact. */
  async adopt(staged: StagedFile): Promise<void> {
    await this.#place(staged.path, staged.sha256, rename);
  }

  /** Makes a file that lies elsewhere on this disk an artifact as well, as it is and without a copy; nothing where it is gone. */
  async link(path: string, sha256: string): Promise<void> {
    await this.#place(path, sha256, linkIfMissing);
  }

  /** Keeps some bytes; answers their hash. What is there already is written again only where it was damaged. */
  async put(bytes: Uint8Array): Promise<string> {
    const sha256 = hash("sha256", bytes);
    if (await this.#isSound(sha256)) return sha256;
    const path = join(this.#staging, randomUUID());
    try {
      const file = await open(path, "wx", 0o600);
      await writeAndSync(file, bytes);
      await this.#place(path, sha256, rename);
    } catch (error) {
      await rm(path, { force: true });
      throw toHostError(error);
    }
    return sha256;
  }

  /** Throws `ARTIFACT_DAMAGED` where the file is gone, or is not what was written (F2). */
  async read(sha256: string): Promise<Uint8Array> {
    const bytes = await this.#find(sha256);
    if (bytes === undefined) {
      if (this.#shared !== undefined) return this.#shared.read(sha256);
      throw damaged(sha256, "is missing");
    }
    if (hash("sha256", bytes) !== sha256) throw damaged(sha256, "has changed on disk");
    return bytes;
  }

  async #find(sha256: string): Promise<Uint8Array | undefined> {
    try {
      return await readFile(this.#path(sha256));
    } catch (error) {
      if (errno(error) === "ENOENT") return undefined;
      throw toHostError(error);
    }
  }

  async #isSound(sha256: string): Promise<boolean> {
    const bytes = await this.#find(sha256);
    return bytes !== undefined && hash("sha256", bytes) === sha256;
  }

  #path(sha256: string): string {
    return join(this.#directory, sha256.slice(0, 2), sha256);
  }

  async #place(
    from: string,
    sha256: string,
    move: (from: string, to: string) => Promise<void>,
  ): Promise<void> {
    const path = this.#path(sha256);
    const folder = dirname(path);
    try {
      const created = await mkdir(folder, { recursive: true, mode: 0o700 });
      await move(from, path);
      await syncDirectory(folder);
      if (created === undefined) return;
      // Each folder that is new is an entry of the one above.
      for (let made = folder; made !== dirname(created); made = dirname(made)) {
        await syncDirectory(dirname(made));
      }
    } catch (error) {
      throw toHostError(error);
    }
  }
}

/** What is there already stays. */
async function linkIfMissing(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!["ENOENT", "EEXIST"].includes(errno(error) ?? "")) throw error;
  }
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

function damaged(sha256: string, how: string): HostError {
  return new HostError("ARTIFACT_DAMAGED", `the artifact ${sha256} ${how}`, {
    details: { sha256 },
  });
}
