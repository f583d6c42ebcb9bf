import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OutputGate } from "../index.ts";
import type { Durability, Mutation } from "../index.ts";
import { toHybridTimestamp } from "../hybrid-clock.ts";
import { spaceOf, useKey } from "../key-space.ts";
import { EmbeddedStore } from "../store/embedded-store.ts";
import type { Delta } from "../store/store.ts";
import { countedUse } from "../testing/counted-use.ts";
import { startThread, write } from "../testing/running-thread.ts";
import { temporaryDirectory } from "../testing/temporary-directory.ts";

const levels: readonly Durability[] = ["memory", "async", "durable"];
const add: Mutation = { kind: "add", delta: 1n };
const remove: Mutation = { kind: "delete" };
const spaces = ["t/a/", "t/b/"];

function put(bytes: number): Mutation {
  return { kind: "put", value: new Uint8Array(bytes) };
}

const full = { code: "SPACE_FULL", retryable: false };

test.each([
  ["t/acme/key", "t/acme/"],
  ["t/acme/", "t/acme/"],
  ["t/acme/a/b", "t/acme/"],
  ["t//key", "t//"],
  ["//", "//"],
  ["t/acme", undefined],
  ["key", undefined],
])("the space of %j is %j", (key, space) => {
  expect(spaceOf(key)).toBe(space);
});

describe("what a space holds", () => {
  test("is what its keys and values have, after any writes at any levels, then and after a restart", async () => {
    const command = fc.record({
      key: fc
        .tuple(fc.constantFrom(...spaces), fc.constantFrom("x", "y/z", "é"))
        .map((parts) => parts.join("")),
      level: fc.constantFrom(...levels),
      mutation: fc.oneof(
        fc.nat(300).map(put),
        fc.bigInt(-3n, 3n).map((delta): Mutation => ({ kind: "add", delta: delta || 1n })),
        fc.constant(remove),
      ),
    });
    const directory = temporaryDirectory();
    const thread = await startThread({ directory });
    const client = thread.client();
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 40 }), async (commands) => {
        // All at once: refusals of wrong kinds and several groups are among them.
        await Promise.allSettled(
          commands.map(({ key, mutation, level }) => write(client, key, mutation, level)),
        );
        await write(client, "settled", add);
        for (const space of spaces) {
          expect(client.spaceUse(space)).toEqual(countedUse(client, space));
        }
      }),
      { numRuns: 40, seed: 20_260_401 },
    );
    const before = spaces.map((space) => client.spaceUse(space));
    await thread.close();
    const reopened = (await startThread({ directory })).client();
    expect(spaces.map((space) => reopened.spaceUse(space))).toEqual(before);
  });

  test("is nothing again after its last key is deleted, and no key of a client", async () => {
    const client = (await startThread()).client();
    await write(client, "t/a/k", put(10));
    expect(client.spaceUse("t/a/")).toEqual({ keys: 1, bytes: 15 });
    expect(client.list("", undefined, 10).entries).toHaveLength(1);
    await write(client, "t/a/k", remove);
    expect(client.spaceUse("t/a/")).toEqual({ keys: 0, bytes: 0 });
    await write(client, "t/a/k", add);
    expect(client.spaceUse("t/a/")).toEqual({ keys: 1, bytes: 21 });
  });

  test("is counted once, where a directory is from before it was", async () => {
    const directory = temporaryDirectory();
    const record = join(directory, "store.json");
    const store = await EmbeddedStore.open({ directory, tombstones: "reclaim" });
    // As it was left by a program that counted nothing, or by an upgrade that was interrupted.
    const keys = Array.from({ length: 1_200 }, (_, index) => `t/a/${index}`);
    await store.merge([...keys, "t/b/k", useKey("t/b/"), "s/c"].map(registerOfThree));
    await store.close();
    writeFileSync(record, readFileSync(record, "utf8").replace('"format":2', '"format":1'));

    const thread = await startThread({ directory });
    const client = thread.client();
    expect(client.spaceUse("t/a/")).toEqual(countedUse(client, "t/a/"));
    expect(client.spaceUse("t/a/").keys).toBe(1_200);
    expect(client.spaceUse("t/b/")).toEqual({ keys: 1, bytes: 8 });
    await write(client, "t/b/k", remove);
    await thread.close();
    expect(readFileSync(record, "utf8")).toContain('"format":2');
    const reopened = (await startThread({ directory })).client();
    expect(reopened.spaceUse("t/a/").keys).toBe(1_200);
    expect(reopened.spaceUse("t/b/")).toEqual({ keys: 0, bytes: 0 });
  });
});

describe("a limit of a space", () => {
  test("in keys refuses the first key beyond it, and nothing else", async () => {
    const thread = await startThread();
    const client = thread.client();
    thread.limitSpace("t/a/", { keysMax: 2, bytesMax: 1_000 });
    await write(client, "t/a/1", put(1));
    await write(client, "t/a/2", add);
    await expect(write(client, "t/a/3", add)).rejects.toMatchObject({
      ...full,
      details: { keysMax: 2 },
    });
    await expect(write(client, "t/a/2", add)).resolves.toEqual({ counter: 2n });
    await expect(write(client, "t/a/1", put(9))).resolves.toEqual({});
    await expect(write(client, "t/b/3", add)).resolves.toEqual({ counter: 1n });
    await write(client, "t/a/1", remove);
    await expect(write(client, "t/a/3", add)).resolves.toEqual({ counter: 1n });
  });

  test("in bytes counts of an overwritten value the difference, and deletes give back", async () => {
    const thread = await startThread();
    const client = thread.client();
    thread.limitSpace("t/a/", { keysMax: 10, bytesMax: 30 });
    await write(client, "t/a/k", put(20));
    await expect(write(client, "t/a/k", put(26))).rejects.toMatchObject({
      ...full,
      details: { bytesMax: 30 },
    });
    await write(client, "t/a/k", put(25));
    await expect(write(client, "t/a/l", put(0))).rejects.toMatchObject(full);
    await write(client, "t/a/k", put(20));
    await write(client, "t/a/l", put(0));
    expect(client.spaceUse("t/a/")).toEqual({ keys: 2, bytes: 30 });
  });

  test("that is lowered leaves what is there, and takes what makes it less", async () => {
    const thread = await startThread();
    const client = thread.client();
    for (const key of ["t/a/1", "t/a/2", "t/a/3"]) await write(client, key, put(10));
    thread.limitSpace("t/a/", { keysMax: 1, bytesMax: 20 });
    await expect(write(client, "t/a/1", put(11))).rejects.toMatchObject(full);
    await write(client, "t/a/1", put(9));
    await write(client, "t/a/2", remove);
    await expect(write(client, "t/a/4", put(0))).rejects.toMatchObject(full);
    thread.limitSpace("t/a/", undefined);
    await write(client, "t/a/4", put(0));
  });

  test("fails the gate of whoever ran into it, and is said in each write to the space from then on", async () => {
    const thread = await startThread();
    const client = thread.client();
    thread.limitSpace("t/a/", { keysMax: 0, bytesMax: 1_000 });
    const first = new OutputGate();
    expect(client.write("t/a/1", put(1), "durable", first)).toEqual({});
    await expect(first.open()).rejects.toMatchObject(full);
    expect(client.read("t/a/1")).toBeUndefined();
    const second = new OutputGate();
    const others = client.write("t/b/1", put(1), "durable", second);
    expect(others).toEqual({});
    for (const level of levels) {
      const answer = client.write("t/a/2", put(1), level, second);
      expect(answer).toBeInstanceOf(Promise);
      await expect(answer).rejects.toMatchObject(full);
    }
    await second.open();
  });

  test("holds for what many ask for at once", async () => {
    const thread = await startThread();
    const clients = [thread.client(), thread.client()];
    thread.limitSpace("t/a/", { keysMax: 50, bytesMax: 1_000_000 });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 200 }, (_, index) =>
        write(clients[index % 2] ?? thread.client(), `t/a/${index}`, add),
      ),
    );
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(50);
    expect(clients[0]?.spaceUse("t/a/").keys).toBe(50);
  });
});

function registerOfThree(key: string): Delta {
  const value = { timestamp: toHybridTimestamp(1), replicaId: "a", value: new Uint8Array(3) };
  return { key, entry: { generation: 0, kind: "register", value } };
}
