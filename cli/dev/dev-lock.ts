// Owns the rule that one folder has one `dev`: two would share a data directory and deploy over each other.
//
// K1. The lock is a file made by exclusive creation; it names its owner by process id and start time,
//     so a process id that was used again is not taken for the owner.
// K2. A lock whose owner is gone is taken over: a killed `dev` blocks nobody.

import { randomUUID } from "node:crypto";
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
  const text = JSON.stringify(owner);
  // Written elsewhere and linked into place: the lock file is never seen half written.
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, text, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      if (await linkIfFree(draft, path)) {
        return { release: () => rm(path, { force: true }) };
      }
      const found = await readFile(path, "utf8").catch(() => "");
      const holder = parseOwner(found);
      if (holder !== undefined && isRunning(holder)) {
        throw new CliError(
          "DEV_RUNNING",
          `\`downpour dev\` already runs here (process ${holder.pid})`,
          {
            exit: "failure",
            hint: `Stop it with Ctrl-C in its terminal, or: kill ${holder.pid}`,
            details: { pid: holder.pid },
          },
        );
      }
      await removeStale(path, found);
    }
  } finally {
    await rm(draft, { force: true });
  }
  throw new CliError("DEV_RUNNING", "another `downpour dev` is starting here", { exit: "failure" });
}

/** Two may find the same stale lock: what one of them moves away must be that lock, and not the other's new one. */
async function removeStale(path: string, expected: string): Promise<void> {
  const moved = `${path}.${randomUUID()}`;
  try {
    await rename(path, moved);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return;
    throw cause;
  }
  if ((await readFile(moved, "utf8")) !== expected) await linkIfFree(moved, path);
  await rm(moved, { force: true });
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
