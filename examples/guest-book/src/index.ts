/* oxlint-disable no-console -- The console is the function's log. */

// A guest book: entries under keys that sort by time, a counter of them, and a moderator who may
// remove one. What a caller can do wrong is a typed failure.

import { context, fn, FunctionError, InvalidInputError, state } from "@downpour/sdk";

interface Entry {
  readonly id: string;
  readonly author: string;
  readonly message: string;
  readonly writtenAtMs: number;
}

const PREFIX = "guest-book/entries/";
const AUTHOR_CHARACTERS_MAX = 60;
const MESSAGE_CHARACTERS_MAX = 500;
const PAGE_ENTRIES_MAX = 50;

const signed = state.counter("guest-book/signed");
const moderator = state.register<string>("guest-book/moderator");
const entryOf = (id: string) => state.register<Entry>(PREFIX + id);

export const sign = fn(
  ({ author, message }) => {
    const writtenAtMs = Date.now();
    const id = `${String(writtenAtMs).padStart(15, "0")}-${crypto.randomUUID()}`;
    const entry: Entry = { id, author, message, writtenAtMs };
    entryOf(id).put(entry);
    const count = signed.increment();
    console.info("signed by %s, entry %d", author, count);
    return { entry, count };
  },
  { input: parseSignature, description: "Adds an entry" },
);

export const entries = fn(
  ({ after, limit = 20 }: { after?: string; limit?: number }) => {
    if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_ENTRIES_MAX) {
      throw new InvalidInputError(`limit is a whole number from 1 to ${PAGE_ENTRIES_MAX}`);
    }
    const from = after === undefined ? {} : { after: PREFIX + after };
    const keys = state
      .list(PREFIX, { ...from, pageSize: limit })
      .take(limit)
      .toArray();
    const page = state.getMany<Entry>(keys).filter((entry) => entry !== undefined);
    // A next page may be empty; less than a page was asked for means there is none.
    return {
      entries: page,
      next: keys.length < limit ? null : (keys.at(-1)?.slice(PREFIX.length) ?? null),
    };
  },
  { description: "A page of entries, the oldest first" },
);

export const summary = fn(
  () => ({ signed: signed.value(), moderated: moderator.get() !== undefined }),
  {
    description: "How often the book was signed, and whether somebody watches over it",
  },
);

export const moderate = fn(
  (name: string) => {
    const current = moderator.get();
    if (current !== undefined && current !== name) {
      throw new FunctionError("moderator-exists", "The guest book has a moderator already");
    }
    moderator.put(name);
    return { moderator: name };
  },
  { description: "Makes the first who asks the moderator" },
);

export const remove = fn(
  ({ id, by }: { id: string; by: string }) => {
    if (moderator.get() !== by) {
      throw new FunctionError("not-moderator", "Only the moderator removes entries", {
        details: { by },
      });
    }
    const entry = entryOf(id);
    const removed = entry.get();
    if (removed === undefined) {
      throw new FunctionError("entry-not-found", "There is no such entry", { details: { id } });
    }
    entry.delete();
    console.warn("removed an entry of %s in invocation %s", removed.author, context.invocationId);
    return { removed };
  },
  { description: "Removes an entry; for the moderator alone" },
);

function parseSignature(input: unknown): { readonly author: string; readonly message: string } {
  if (typeof input !== "object" || input === null || !("author" in input && "message" in input)) {
    throw new InvalidInputError("an author and a message are needed");
  }
  const { author, message } = input;
  return {
    author: text("author", author, AUTHOR_CHARACTERS_MAX),
    message: text("message", message, MESSAGE_CHARACTERS_MAX),
  };
}

function text(name: string, value: unknown, charactersMax: number): string {
  if (typeof value === "string" && value.trim() !== "" && value.length <= charactersMax) {
    return value.trim();
  }
  throw new InvalidInputError(`${name} is a text of 1 to ${charactersMax} characters`);
}
