import { HostError } from "../errors.ts";
import { FairRoom } from "../fair-room.ts";
import type { LogEntry } from "../protocol.ts";

export interface FunctionLogsOptions {
  readonly entriesPerAppMax: number;
  readonly bytesPerAppMax: number;
  readonly bytesTotalMax: number;
  readonly followersPerAppMax: number;
  readonly now?: () => number;
}

export interface KeptEntry {
  readonly seq: number;
  readonly entry: LogEntry;
}

export type EndReason = "app-deleted" | "host-draining";

/** Told of new entries, in batches, in the turn in which they arrive. It must not block. */
export interface Follower {
  readonly onEntries: (entries: readonly KeptEntry[]) => void;
  readonly onEnd: (reason: EndReason) => void;
}

/** What an entry costs beside its message: the object, its ids and its place in the ring. */
const ENTRY_OVERHEAD_BYTES = 200;

interface AppLog {
  readonly entries: KeptEntry[];
  /** Where the kept ones begin: shifting an array for each entry would cost its length. */
  start: number;
  bytes: number;
  /** Of the last entry. */
  seq: number;
  /** Of the last entry that is not kept any more. */
  droppedSeq: number;
  readonly followers: Set<Follower>;
}

// Keeps the newest entries of each app's log in memory, and hands new ones to whoever follows.
//
// L1. Of one app at most so many entries and bytes are kept, and of all apps together so many bytes, which tenants share
//     fairly: of those that have more than an equal part the app that was silent longest loses its log.
// L2. `seq` grows with each entry of an app, also over restarts: it starts at the clock, in microseconds, and
//     no app writes a million entries a second for long. It says nothing of what other apps write.
// L3. A follower sees every entry after the moment it began, in order, until it leaves.
export class FunctionLogs {
  readonly #options: FunctionLogsOptions;
  readonly #apps = new Map<string, AppLog>();
  readonly #room: FairRoom<string>;

  constructor(options: FunctionLogsOptions) {
    this.#options = options;
    this.#room = new FairRoom(options.bytesTotalMax);
  }

  append(entries: readonly LogEntry[]): void {
    const fresh = new Map<AppLog, KeptEntry[]>();
    for (const entry of entries) {
      const key = `${entry.tenantId}/${entry.app}`;
      const log = this.#appLog(key);
      log.seq += 1;
      const kept = { seq: log.seq, entry };
      log.entries.push(kept);
      log.bytes += entryBytes(entry);
      this.#trim(log);
      this.#makeRoom(entry.tenantId, key, log.bytes);
      if (log.followers.size === 0) continue;
      const batch = fresh.get(log);
      if (batch === undefined) fresh.set(log, [kept]);
      else batch.push(kept);
    }
    for (const [log, batch] of fresh) {
      for (const follower of log.followers) follower.onEntries(batch);
    }
  }

  /** The newest entries after `since`, oldest first; `dropped` when some after it are gone. */
  read(
    tenantId: string,
    app: string,
    range: { readonly since: number; readonly limit: number },
  ): { readonly entries: readonly KeptEntry[]; readonly dropped: boolean } {
    const log = this.#apps.get(`${tenantId}/${app}`);
    if (log === undefined) return { entries: [], dropped: false };
    let first = log.entries.length;
    while (first > log.start && (log.entries[first - 1]?.seq ?? 0) > range.since) first -= 1;
    const from = Math.max(first, log.entries.length - range.limit);
    const isCut = from > first || (range.since > 0 && log.droppedSeq > range.since);
    return { entries: log.entries.slice(from), dropped: isCut };
  }

  /** Throws `QUOTA_EXCEEDED` when the app has too many followers; answers how to leave. */
  follow(tenantId: string, app: string, follower: Follower): () => void {
    const log = this.#appLog(`${tenantId}/${app}`);
    const { followersPerAppMax } = this.#options;
    if (log.followers.size >= followersPerAppMax) {
      throw new HostError("QUOTA_EXCEEDED", "too many clients follow the log of this app", {
        details: { logFollowersPerAppMax: followersPerAppMax },
      });
    }
    log.followers.add(follower);
    return () => log.followers.delete(follower);
  }

  /** Lets go of the log of a deleted app; its followers are told. */
  forget(tenantId: string, app: string): void {
    const key = `${tenantId}/${app}`;
    const log = this.#apps.get(key);
    if (log === undefined) return;
    this.#apps.delete(key);
    this.#room.delete(tenantId, key);
    for (const follower of log.followers) follower.onEnd("app-deleted");
  }

  /** Ends every follower, because the host does. */
  endFollowers(): void {
    for (const { followers } of this.#apps.values()) {
      for (const follower of followers) follower.onEnd("host-draining");
      followers.clear();
    }
  }

  #appLog(key: string): AppLog {
    let log = this.#apps.get(key);
    if (log === undefined) {
      const seq = (this.#options.now ?? Date.now)() * 1_000;
      log = { entries: [], start: 0, bytes: 0, seq, droppedSeq: 0, followers: new Set() };
      this.#apps.set(key, log);
    }
    return log;
  }

  #trim(log: AppLog): void {
    const { entriesPerAppMax, bytesPerAppMax } = this.#options;
    while (
      log.entries.length - log.start > entriesPerAppMax ||
      (log.bytes > bytesPerAppMax && log.entries.length - log.start > 1)
    ) {
      this.#dropOldest(log);
    }
    // What was dropped is let go in one piece, when it is half of the array.
    if (log.start > 16 && log.start * 2 > log.entries.length) {
      log.entries.splice(0, log.start);
      log.start = 0;
    }
  }

  #dropOldest(log: AppLog): void {
    const oldest = log.entries[log.start];
    if (oldest === undefined) return;
    log.bytes -= entryBytes(oldest.entry);
    log.droppedSeq = oldest.seq;
    log.start += 1;
  }

  /** For what a log has now, within what all may have (L1). */
  #makeRoom(tenantId: string, key: string, bytes: number): void {
    for (const gone of this.#room.keep(tenantId, key, bytes)) {
      const log = this.#apps.get(gone);
      if (log === undefined) continue;
      log.droppedSeq = log.entries.at(-1)?.seq ?? log.droppedSeq;
      log.entries.length = 0;
      log.start = 0;
      log.bytes = 0;
      if (log.followers.size === 0) this.#apps.delete(gone);
    }
  }
}

function entryBytes(entry: LogEntry): number {
  return ENTRY_OVERHEAD_BYTES + entry.message.length;
}
