// Owns the names of what lies in `.downpour/`: the folder of a host that was started here, by `dev` or by the demo.
//
// L1. `token` and `admin-token` are readable by their owner only, and are written whole or not at all.
// L2. `host.json` names a loopback address; a record of another address, or of another user, is not believed:
//     a folder further up may belong to somebody else.

import { readFileSync, statSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { randomUUID } from "node:crypto";
import { parseRecord } from "./json-value.ts";

const LOCAL_DIRECTORY_NAME = ".downpour";

/** A host that was started from this folder, running or not. */
export interface LocalHostRecord {
  readonly url: string;
  readonly hostPid: number;
  readonly tenant: string;
}

export interface LocalDirectory {
  readonly path: string;
  readonly dataPath: string;
  readonly tokenPath: string;
  readonly adminTokenPath: string;
  readonly hostRecordPath: string;
  readonly hostLogPath: string;
  readonly devLockPath: string;
}

export function localDirectoryIn(directory: string): LocalDirectory {
  const path = join(resolve(directory), LOCAL_DIRECTORY_NAME);
  return {
    path,
    dataPath: join(path, "data"),
    tokenPath: join(path, "token"),
    adminTokenPath: join(path, "admin-token"),
    hostRecordPath: join(path, "host.json"),
    hostLogPath: join(path, "host.log"),
    devLockPath: join(path, "dev.lock"),
  };
}

/** The nearest folder upwards that a host was started from by this user. */
export function findLocalHost(
  workingDirectory: string,
): { readonly local: LocalDirectory; readonly host: LocalHostRecord } | undefined {
  let directory = resolve(workingDirectory);
  for (;;) {
    const local = localDirectoryIn(directory);
    const host = readHostRecord(local);
    if (host !== undefined) return { local, host };
    const parent = dirname(directory);
    if (parent === directory) return undefined;
    directory = parent;
  }
}

export function readHostRecord(local: LocalDirectory): LocalHostRecord | undefined {
  const text = readOwn(local.hostRecordPath);
  if (text === undefined) return undefined;
  // Written by rename, so it is never half there; what somebody made of it since is not believed (L2).
  const { url, hostPid, tenant } = parseRecord(text) ?? {};
  if (typeof url !== "string" || typeof hostPid !== "number" || typeof tenant !== "string") {
    return undefined;
  }
  return isLoopback(url) ? { url, hostPid, tenant } : undefined;
}

export function readOwnToken(path: string): string | undefined {
  const token = readOwn(path)?.trim();
  return token === "" ? undefined : token;
}

/** Writes a file that only its owner can read, all of it or nothing (L1). */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomUUID()}`;
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw cause;
  }
}

function isLoopback(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { hostname } = new URL(url);
  return (
    hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/u.test(hostname)
  );
}

function readOwn(path: string): string | undefined {
  try {
    const owner = statSync(path).uid;
    if (process.getuid !== undefined && owner !== process.getuid()) return undefined;
    return readFileSync(path, "utf8");
  } catch {
    // Not there, or not ours to read: either way there is no record to believe (L2).
    return undefined;
  }
}
