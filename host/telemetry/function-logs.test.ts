import { describe, expect, test } from "vitest";
import type { LogEntry } from "../protocol.ts";
import { FunctionLogs } from "./function-logs.ts";
import type { KeptEntry } from "./function-logs.ts";

const LIMITS = {
  entriesPerAppMax: 5,
  bytesPerAppMax: 100_000,
  bytesTotalMax: 100_000,
  followersPerAppMax: 2,
  now: () => 1,
};

function entry(message: string, app = "app", tenantId = "acme"): LogEntry {
  return {
    tenantId,
    app,
    functionName: "f",
    invocationId: "i",
    atMs: 0,
    level: "info",
    message,
  };
}

function messages(entries: readonly KeptEntry[]): readonly string[] {
  return entries.map((kept) => kept.entry.message);
}

const ALL = { since: 0, limit: 100 };

describe("reading", () => {
  test("gives the entries of one app of one tenant, oldest first", () => {
    const logs = new FunctionLogs(LIMITS);
    logs.append([entry("a"), entry("x", "other"), entry("b"), entry("y", "app", "rival")]);
    expect(messages(logs.read("acme", "app", ALL).entries)).toEqual(["a", "b"]);
    expect(messages(logs.read("rival", "app", ALL).entries)).toEqual(["y"]);
    expect(logs.read("nobody", "app", ALL)).toEqual({ entries: [], dropped: false });
  });

  test("goes on after the last entry that was seen", () => {
    const logs = new FunctionLogs(LIMITS);
    logs.append([entry("a"), entry("b"), entry("c")]);
    const seen = logs.read("acme", "app", ALL).entries[0]?.seq ?? 0;
    expect(messages(logs.read("acme", "app", { since: seen, limit: 100 }).entries)).toEqual([
      "b",
      "c",
    ]);
  });

  test("a limit keeps the newest, and says that others are missing", () => {
    const logs = new FunctionLogs(LIMITS);
    logs.append([entry("a"), entry("b"), entry("c")]);
    const page = logs.read("acme", "app", { since: 0, limit: 2 });
    expect(messages(page.entries)).toEqual(["b", "c"]);
    expect(page.dropped).toBe(true);
  });

  test("a reader that comes too late learns that entries are gone", () => {
    const logs = new FunctionLogs(LIMITS);
    logs.append([entry("a")]);
    const seen = logs.read("acme", "app", ALL).entries[0]?.seq ?? 0;
    for (let n = 0; n < 6; n += 1) logs.append([entry(`${n}`)]);
    expect(logs.read("acme", "app", { since: seen, limit: 100 })).toMatchObject({ dropped: true });
  });

  test("numbers go on over a restart", () => {
    const before = new FunctionLogs({ ...LIMITS, now: () => 1_000 });
    const after = new FunctionLogs({ ...LIMITS, now: () => 1_001 });
    before.append([entry("a")]);
    after.append([entry("b")]);
    const [a] = before.read("acme", "app", ALL).entries;
    const [b] = after.read("acme", "app", ALL).entries;
    expect(b?.seq).toBeGreaterThan(a?.seq ?? Infinity);
  });
});

test("numbers are an app's own: they tell nothing of what others write", () => {
  const logs = new FunctionLogs(LIMITS);
  logs.append([entry("a"), entry("x", "app", "rival"), entry("y", "other"), entry("b")]);
  const [a, b] = logs.read("acme", "app", ALL).entries;
  expect(b?.seq).toBe((a?.seq ?? 0) + 1);
});

describe("limits", () => {
  test("of one app only the newest entries are kept", () => {
    const logs = new FunctionLogs(LIMITS);
    for (let n = 0; n < 1_000; n += 1) logs.append([entry(`${n}`)]);
    const expected = ["995", "996", "997", "998", "999"];
    expect(messages(logs.read("acme", "app", ALL).entries)).toEqual(expected);
  });

  test("of one app only so many bytes are kept", () => {
    const logs = new FunctionLogs({ ...LIMITS, bytesPerAppMax: 2_500 });
    for (let n = 0; n < 5; n += 1) logs.append([entry(`${n}`.repeat(1_000))]);
    expect(logs.read("acme", "app", ALL).entries).toHaveLength(2);
  });

  test("past the bytes of all logs the app that was silent longest loses its log", () => {
    const logs = new FunctionLogs({ ...LIMITS, bytesTotalMax: 3_000 });
    logs.append([entry("x".repeat(1_000), "silent")]);
    logs.append([entry("x".repeat(1_000), "recent")]);
    logs.append([entry("x".repeat(1_000), "new")]);
    expect(logs.read("acme", "silent", ALL).entries).toEqual([]);
    expect(logs.read("acme", "recent", ALL).entries).toHaveLength(1);
    expect(logs.read("acme", "new", ALL).entries).toHaveLength(1);
  });

  test("past the bytes of all logs a tenant that logs much loses its own, and nobody else's", () => {
    const logs = new FunctionLogs({ ...LIMITS, bytesTotalMax: 6_000 });
    logs.append([entry("x".repeat(1_000), "silent", "victim")]);
    for (let n = 0; n < 100; n += 1) logs.append([entry("x".repeat(1_000), `${n}`, "flood")]);
    expect(logs.read("victim", "silent", ALL).entries).toHaveLength(1);
    expect(logs.read("flood", "99", ALL).entries).toHaveLength(1);
    expect(logs.read("flood", "95", ALL).entries).toEqual([]);
  });
});

describe("following", () => {
  test("a follower gets what comes after it began, and nothing after it left", () => {
    const logs = new FunctionLogs(LIMITS);
    const seen: string[] = [];
    logs.append([entry("before")]);
    const leave = logs.follow("acme", "app", {
      onEntries: (entries) => seen.push(...messages(entries)),
      onEnd: () => seen.push("end"),
    });
    logs.append([entry("a"), entry("x", "other"), entry("b")]);
    leave();
    logs.append([entry("after")]);
    expect(seen).toEqual(["a", "b"]);
  });

  test("a follower is told when the app is deleted, or the host drains", () => {
    const logs = new FunctionLogs(LIMITS);
    const reasons: string[] = [];
    const follower = {
      onEntries: () => undefined,
      onEnd: (reason: string) => reasons.push(reason),
    };
    logs.follow("acme", "app", follower);
    logs.follow("acme", "other", follower);
    logs.forget("acme", "app");
    logs.endFollowers();
    expect(reasons).toEqual(["app-deleted", "host-draining"]);
  });

  test("there is a limit to followers of one app", () => {
    const logs = new FunctionLogs(LIMITS);
    const follow = (): (() => void) =>
      logs.follow("acme", "app", { onEntries: () => undefined, onEnd: () => undefined });
    const leave = follow();
    follow();
    expect(follow).toThrow(expect.objectContaining({ code: "QUOTA_EXCEEDED" }));
    leave();
    expect(follow).not.toThrow();
  });
});
