// Merges writes in memory as they come, and stores them in groups: while one group is being stored,
// the next one collects, so that all writes that wait for an fsync share it.
//
//   queue (over the limit) → collecting group → committing group → store
//
// G1. A write is executed against everything before it, also what is not stored yet; every add of a
//     group gets its own running value, and each key is stored once for each group.
// G2. A write that fails its checks is rejected alone.
// G3. `durable` is answered after its group is stored. `gated`, `async` and `memory` are answered when
//     they are executed, and are stored with their group: what a crash may take is two groups.
// G4. Where the store is full, the durable and the gated writes of the group are rejected and not
//     applied, and so are the gated writes after them, whose answers may come from them (the gates see
//     to it that nobody has heard). Other writes after them are executed again without them (an answer
//     that was given stays given). Answered writes wait for space in memory; until a retry succeeds, no
//     further ones are taken.
// G5. Any other failure of the store, or a commit that does not end, is fatal: what is on the disk is
//     then unknown, and only opening the store again tells.
// G6. What a space of keys holds is counted with each write, against everything before it as in G1, and is stored
//     with the write's group: it cannot drift. A write that makes a space hold more than it may is rejected
//     alone; one that makes it hold less never is.
// G7. A group is limited in writes and bytes; writes beyond wait in the queue, which the clients'
//     own limits bound.

import { KvsError } from "../errors.ts";
import { addUse, decodeUse, encodeUse, growth, spaceOf, useKey } from "../key-space.ts";
import type { SpaceLimits, SpaceUse } from "../key-space.ts";
import { counterValue } from "../lattice/counter.ts";
import { ENTRY_BOTTOM, isKind, mergeEntries } from "../lattice/entry.ts";
import type { Entry } from "../lattice/entry.ts";
import type { Durability, Mutation } from "../state-client.ts";
import type { Delta, Store } from "../store/store.ts";
import type { Replica } from "./replica.ts";

/** `gated` is `durable` through an output gate. */
export type WriteLevel = Durability | "gated";

export interface Write {
  readonly key: string;
  readonly mutation: Mutation;
  readonly level: WriteLevel;
}

/** Hears of each write: `executed` for those not durable, then `stored`; or `rejected`, at any time. */
export interface WriteSink<W extends Write> {
  executed(write: W, counter: bigint | undefined): void;
  stored(write: W, counter: bigint | undefined): void;
  rejected(write: W, error: KvsError): void;
  /** A commit has ended, with so many writes; before `stored` for each. */
  groupStored(writes: number): void;
  /** G5. Nothing is called after it. */
  failed(error: KvsError): void;
}

export interface GroupLimits {
  readonly groupWritesMax: number;
  readonly groupBytesMax: number;
  /** How long a full store waits before it tries again with what it holds. */
  readonly retryDelayMs: number;
  readonly commitDeadlineMs: number;
}

export const GROUP_LIMITS: GroupLimits = {
  groupWritesMax: 16_384,
  groupBytesMax: 16 * 1024 * 1024,
  retryDelayMs: 250,
  commitDeadlineMs: 60_000,
};

interface Member<W> {
  readonly write: W;
  counter: bigint | undefined;
  isAnswered: boolean;
}

class Group<W extends Write> {
  readonly members: Member<W>[] = [];
  readonly entries = new Map<string, Entry>();
  /** What the spaces that it changes hold after it. */
  readonly uses = new Map<string, SpaceUse>();
  bytes = 0;
}

export class GroupCommit<W extends Write> {
  readonly #store: Store;
  readonly #replica: Replica;
  readonly #sink: WriteSink<W>;
  readonly #limits: GroupLimits;
  readonly #spaceLimits = new Map<string, SpaceLimits>();
  #queue: W[] = [];
  #collecting = new Group<W>();
  #committing: Group<W> | undefined;
  #isScheduled = false;
  #retry: NodeJS.Timeout | undefined;
  /** Set from a failed commit to its retry (G4). */
  #full: KvsError | undefined;
  #hasFailed = false;
  #draining: PromiseWithResolvers<void> | undefined;
  #lostCount = 0;

  constructor(options: {
    readonly store: Store;
    readonly replica: Replica;
    readonly sink: WriteSink<W>;
    readonly limits?: Partial<GroupLimits>;
  }) {
    this.#store = options.store;
    this.#replica = options.replica;
    this.#sink = options.sink;
    this.#limits = { ...GROUP_LIMITS, ...options.limits };
  }

  submit(writes: readonly W[]): void {
    if (this.#hasFailed) return;
    for (const write of writes) this.#queue.push(write);
    this.#execute();
    this.#schedule();
  }

  /** For the writes that are executed from now on; undefined for no limits. */
  limitSpace(space: string, limits: SpaceLimits | undefined): void {
    if (limits === undefined) this.#spaceLimits.delete(space);
    else this.#spaceLimits.set(space, limits);
  }

  /**
   * Stores everything that was submitted. Rejects with `STORE_FULL` if answered writes could not be
   * stored: they are then lost, and rejected too.
   */
  async drain(): Promise<void> {
    this.#draining ??= Promise.withResolvers<void>();
    this.#stopWaiting();
    this.#schedule();
    this.#settleDrain();
    await this.#draining.promise;
  }

  #execute(): void {
    let taken = 0;
    for (const write of this.#queue) {
      if (this.#isGroupFull()) break;
      taken += 1;
      if (this.#full !== undefined && write.level !== "durable") {
        this.#sink.rejected(write, this.#full);
      } else {
        this.#join({ write, counter: undefined, isAnswered: false });
      }
    }
    this.#queue = taken === this.#queue.length ? [] : this.#queue.slice(taken);
  }

  /** Executes a write, or executes it again, into the collecting group. */
  #join(member: Member<W>): void {
    const { write } = member;
    try {
      const before = this.#current(write.key);
      const delta = this.#replica.delta(before, write.mutation);
      const after = delta === undefined ? before : mergeEntries(before, delta);
      if (delta !== undefined) {
        this.#count(member, before, after);
        this.#collecting.entries.set(write.key, after);
      }
      member.counter = isKind("counter", after) ? counterValue(after.value) : undefined;
    } catch (error) {
      if (!(error instanceof KvsError)) throw error;
      if (member.isAnswered) this.#lostCount += 1;
      this.#sink.rejected(write, error);
      return;
    }
    this.#collecting.members.push(member);
    this.#collecting.bytes += write.key.length + mutationBytes(write.mutation);
    if (write.level === "durable" || member.isAnswered) return;
    member.isAnswered = true;
    this.#sink.executed(write, member.counter);
  }

  /** G6. Throws `SPACE_FULL`; not for a write that was answered before. */
  #count({ write, isAnswered }: Member<W>, before: Entry, after: Entry): void {
    const grown = growth(write.key, before, after);
    if (grown.keys === 0 && grown.bytes === 0) return;
    const space = spaceOf(write.key);
    if (space === undefined) return;
    const use = addUse(this.#currentUse(space), grown);
    const limits = isAnswered ? undefined : this.#spaceLimits.get(space);
    if (limits !== undefined) checkSpace(use, grown, limits);
    this.#collecting.uses.set(space, use);
  }

  #currentUse(space: string): SpaceUse {
    return (
      this.#collecting.uses.get(space) ??
      this.#committing?.uses.get(space) ??
      decodeUse(this.#store.get(useKey(space)))
    );
  }

  #current(key: string): Entry {
    return (
      this.#collecting.entries.get(key) ??
      this.#committing?.entries.get(key) ??
      this.#store.get(key) ??
      ENTRY_BOTTOM
    );
  }

  #isGroupFull(): boolean {
    const { members, bytes } = this.#collecting;
    return members.length >= this.#limits.groupWritesMax || bytes >= this.#limits.groupBytesMax;
  }

  /** At the end of the event-loop turn: what else arrives in it joins the group. */
  #schedule(): void {
    if (this.#isScheduled || this.#committing !== undefined || this.#hasFailed) return;
    if (this.#collecting.members.length === 0 || this.#waitsForSpace()) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      void this.#commit();
    });
  }

  /** A durable write is worth an attempt at once; answered ones alone wait for the retry. */
  #waitsForSpace(): boolean {
    if (this.#full === undefined) return false;
    return this.#collecting.members.every(({ write }) => write.level !== "durable");
  }

  async #commit(): Promise<void> {
    const group = this.#collecting;
    this.#collecting = new Group();
    this.#committing = group;
    const deltas: Delta[] = [];
    for (const [key, entry] of group.entries) deltas.push({ key, entry });
    for (const [space, use] of group.uses) {
      const key = useKey(space);
      const entry = this.#replica.delta(this.#store.get(key) ?? ENTRY_BOTTOM, toMutation(use));
      if (entry !== undefined) deltas.push({ key, entry });
    }
    const ceiling = this.#replica.ceilingDelta();
    if (ceiling !== undefined) deltas.push(ceiling);
    const watchdog = setTimeout(() => {
      this.#fail(new KvsError("STORE_UNAVAILABLE", "a commit did not end in time"));
    }, this.#limits.commitDeadlineMs);
    try {
      await this.#store.merge(deltas);
    } catch (cause) {
      clearTimeout(watchdog);
      this.#notStored(group, cause);
      return;
    }
    clearTimeout(watchdog);
    if (this.#hasFailed) return;
    if (ceiling !== undefined) this.#replica.ceilingStored(ceiling);
    this.#stored(group);
  }

  #stored(group: Group<W>): void {
    this.#committing = undefined;
    this.#stopWaiting();
    this.#sink.groupStored(group.members.length);
    for (const { write, counter } of group.members) this.#sink.stored(write, counter);
    this.#proceed();
  }

  #notStored(group: Group<W>, cause: unknown): void {
    if (this.#hasFailed) return;
    if (!(cause instanceof KvsError) || cause.code !== "STORE_FULL") {
      this.#fail(
        new KvsError("STORE_UNAVAILABLE", "the store failed while it was written", { cause }),
      );
      return;
    }
    const later = this.#collecting;
    this.#collecting = new Group();
    this.#committing = undefined;
    this.#stopWaiting();
    this.#full = cause;
    for (const member of group.members) {
      const { level } = member.write;
      if (level === "durable" || level === "gated") this.#sink.rejected(member.write, cause);
      else if (this.#draining === undefined) this.#join(member);
      else this.#lose(member, cause);
    }
    for (const member of later.members) {
      if (member.write.level === "gated") this.#sink.rejected(member.write, cause);
      else this.#join(member);
    }
    this.#retry = setTimeout(() => {
      this.#stopWaiting();
      this.#proceed();
    }, this.#limits.retryDelayMs);
    this.#proceed();
  }

  #lose(member: Member<W>, error: KvsError): void {
    this.#lostCount += 1;
    this.#sink.rejected(member.write, error);
  }

  #proceed(): void {
    this.#execute();
    this.#schedule();
    this.#settleDrain();
  }

  #stopWaiting(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#full = undefined;
  }

  #settleDrain(): void {
    if (this.#draining === undefined || this.#committing !== undefined) return;
    if (this.#collecting.members.length > 0 || this.#queue.length > 0) return;
    clearTimeout(this.#retry);
    if (this.#lostCount === 0) {
      this.#draining.resolve();
    } else {
      const message = `${this.#lostCount} answered writes of level async or memory are lost`;
      this.#draining.reject(new KvsError("STORE_FULL", `the store is full: ${message}`));
    }
  }

  #fail(error: KvsError): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    clearTimeout(this.#retry);
    this.#draining?.reject(error);
    this.#sink.failed(error);
  }
}

function checkSpace(use: SpaceUse, grown: SpaceUse, { keysMax, bytesMax }: SpaceLimits): void {
  if (grown.keys > 0 && use.keys > keysMax) {
    throw new KvsError("SPACE_FULL", `at most ${keysMax} keys may be stored`, {
      details: { keysMax },
    });
  }
  if (grown.bytes > 0 && use.bytes > bytesMax) {
    throw new KvsError("SPACE_FULL", `at most ${bytesMax} bytes may be stored, keys and values`, {
      details: { bytesMax },
    });
  }
}

/** Of the record that says what a space holds. */
function toMutation(use: SpaceUse): Mutation {
  return use.keys === 0 ? { kind: "delete" } : { kind: "put", value: encodeUse(use) };
}

function mutationBytes(mutation: Mutation): number {
  return mutation.kind === "put" ? mutation.value.byteLength : 0;
}
