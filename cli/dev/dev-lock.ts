// Owns the rule that one folder has one `dev`: two would share a data directory and deploy over each other.
//
// K1. The lock is a file made by exclusive creation; it names its owner by process id and start time,
//     so a process id that was used again is not taken for the owner.
// K2. A lock whose owner is gone is taken over: a killed `dev` blocks nobody.
// K3. Who takes over holds a lock of the same kind, named after what it replaces, and looks once more under it: of
//     many that find the same lock, one replaces it, and nobody replaces a newer one.

import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { CliError } from "../cli-error.ts";
import { parseRecord } from "../json-value.ts";

const ATTEMPTS_MAX = 3;

interface LockOwner {
  readonly pid: number;
  /** The kernel's start time of the process; empty where the system does not tell. */
  readonly startedAt: string;
}

export interface DevLock {
  release(): Promise<void>;
}

export async function acquireDevLock(path: string): Promise<DevLock> {
  await mkdir(dirname(path), { recursive: true });
  const owner: LockOwner = { pid: process.pid, startedAt: startTimeOf(process.pid) };
  // Written elsewhere and moved into place: the lock file is never seen half written.
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, JSON.stringify(owner), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      if (await linkIfFree(draft, path)) return lockAt(path);
      const found = await readIfThere(path);
      if (found === undefined) continue;
      const holder = parseOwner(found);
      if (holder !== undefined && isRunning(holder)) throw alreadyRunning(holder.pid);
      if (await takeOver(path, found, draft)) return lockAt(path);
    }
  } finally {
    await rm(draft, { force: true });
  }
  throw new CliError("DEV_RUNNING", "another `downpour dev` is starting here", { exit: "failure" });
}

function lockAt(path: string): DevLock {
  return { release: () => rm(path, { force: true }) };
}

function alreadyRunning(pid: number): CliError {
  return new CliError("DEV_RUNNING", `\`downpour dev\` already runs here (process ${pid})`, {
    exit: "failure",
    hint: `Stop it with Ctrl-C in its terminal, or: kill ${pid}`,
    details: { pid },
  });
}

/** Replaces a lock whose owner is gone; false where somebody else has done so meanwhile (K3). */
async function takeOver(path: string, stale: string, draft: string): Promise<boolean> {
  const digest = createHash("sha256").update(stale).digest("hex").slice(0, 16);
  const claim = await acquireDevLock(`${path}.${digest}`);
  try {
    if ((await readIfThere(path)) !== stale) return false;
    await rename(draft, path);
    return true;
  } finally {
    await claim.release();
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw cause;
  }
}

async function linkIfFree(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") return false;
    throw cause;
  }
}

function parseOwner(text: string): LockOwner | undefined {
  // Text that is not one of ours names no owner: nobody holds the lock (K2).
  const { pid, startedAt } = parseRecord(text) ?? {};
  if (typeof pid !== "number" || typeof startedAt !== "string") return undefined;
  return { pid, startedAt };
}

function isRunning(owner: LockOwner): boolean {
  return isProcessAlive(owner.pid) && startTimeOf(owner.pid) === owner.startedAt;
}

/** Alive, and not a zombie that its parent has yet to collect. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (cause) {
    return cause instanceof Error && "code" in cause && cause.code === "EPERM";
  }
  return statFieldsOf(pid)?.[0] !== "Z";
}

function startTimeOf(pid: number): string {
  // Field 22 of /proc/<pid>/stat, counted from the state, which is field 3.
  return statFieldsOf(pid)?.[19] ?? "";
}

/** The fields after the command's name, which is in parentheses and may hold anything; Linux only. */
function statFieldsOf(pid: number): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    // No such process, or no such file system: the process id alone must do.
    return undefined;
  }
}
