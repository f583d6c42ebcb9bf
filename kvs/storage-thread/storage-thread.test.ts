import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { KvsError, OutputGate, startStorageThread } from "../index.ts";
import type { Durability, Mutation, StateClient, StateValue, StorageThread } from "../index.ts";
import { KEY_BYTES_MAX } from "../keys.ts";
import type { ClientThreadJob } from "../testing/client-thread.ts";
import { startThread, write } from "../testing/running-thread.ts";
import { temporaryDirectory } from "../testing/temporary-directory.ts";

const levels: readonly Durability[] = ["memory", "async", "durable"];
const add: Mutation = { kind: "add", delta: 1n };

function put(text: string): Mutation {
  return { kind: "put", value: Buffer.from(text) };
}

function textOf(value: StateValue | undefined): string | undefined {
  return value?.kind === "register" ? Buffer.from(value.value).toString() : undefined;
}

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "no error",
    (error: unknown) => error,
  );
}

function startClientThread(thread: StorageThread, job: ClientThreadJob): Worker {
  const connection = thread.connect();
  const worker = new Worker(join(import.meta.dirname, "../testing/client-thread.ts"), {
    workerData: { connection, job },
    transferList: [connection.port],
  });
  onTestFinished(async () => {
    await worker.terminate();
  });
  return worker;
}

async function firstMessage(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

describe("through an output gate, a client", () => {
  test("puts and deletes at level durable without a promise, reads that, and lets it out when it is stored", async () => {
    const thread = await startThread();
    const [client, other] = [thread.client(), thread.client()];
    const gate = new OutputGate();
    expect(client.write("k", put("one"), "durable", gate)).toEqual({});
    expect(textOf(client.read("k", gate))).toBe("one");
    expect(client.list("", undefined, 9, gate).entries).toEqual([{ key: "k", kind: "register" }]);
    expect(other.read("k")).toBeUndefined();
    await gate.open();
    expect(textOf(other.read("k"))).toBe("one");

    const second = new OutputGate();
    expect(client.write("k", { kind: "delete" }, "durable", second)).toEqual({});
    expect(client.read("k", second)).toBeUndefined();
    expect(textOf(other.read("k"))).toBe("one");
    await second.open();
    expect(other.read("k")).toBeUndefined();
  });

  test("waits within its writes where it writes without an end, and others do not", async () => {
    const client = (await startThread()).client();
    const [flood, other] = [new OutputGate(), new OutputGate()];
    let written = 0;
    let waits: unknown;
    while (written < 1_000 && !(waits instanceof Promise)) {
      waits = client.write(`flood/${written}`, put("x"), "durable", flood);
      written += 1;
    }
    expect(written).toBeLessThan(200);
    expect(client.write("other", put("x"), "durable", other)).toEqual({});
    await waits;
    expect(client.write("flood", put("x"), "durable", flood)).toEqual({});
    await Promise.all([flood.open(), other.open()]);
  });

  test("gets an add's value before it is stored, and lets it out after", async () => {
    const thread = await startThread();
    const [client, other] = [thread.client(), thread.client()];
    for (let count = 1n; count <= 50n; count += 1n) {
      const gate = new OutputGate();
      expect(await client.write("k", add, "durable", gate)).toEqual({ counter: count });
      expect(client.read("k", gate)).toEqual({ kind: "counter", value: count });
      await gate.open();
      expect(other.read("k")).toEqual({ kind: "counter", value: count });
    }
  });

  test("waits for what others wrote and it has read or listed, and for nothing else", async () => {
    const thread = await startThread();
    const [client, other] = [thread.client(), thread.client()];
    const [writer, reader, lister, stranger] = Array.from({ length: 4 }, () => new OutputGate());
    void client.write("p/k", put("dirty"), "durable", writer);
    expect(textOf(client.read("p/k", reader))).toBe("dirty");
    expect(client.read("p/k", reader)?.kind).toBe("register");
    expect(client.list("p/", undefined, 9, lister).entries).toHaveLength(1);
    expect(client.read("q", stranger)).toBeUndefined();
    expect(client.list("q/", undefined, 9, stranger).entries).toEqual([]);
    expect(stranger?.open()).toBeUndefined();
    expect(other.read("p/k")).toBeUndefined();
    await reader?.open();
    expect(textOf(other.read("p/k"))).toBe("dirty");
    await Promise.all([writer?.open(), lister?.open()]);
  });

  test("hears at once of a write that makes no sense, and the gate is not shut by it", async () => {
    const client = (await startThread()).client();
    await write(client, "k", add);
    const gate = new OutputGate();
    expect(await errorOf(write(client, "k", put("no"), "durable", gate))).toMatchObject({
      code: "WRONG_KIND",
    });
    const tooMuch: Mutation = { kind: "add", delta: 2n ** 53n };
    expect(await errorOf(write(client, "k", tooMuch, "durable", gate))).toMatchObject({
      code: "COUNTER_OVERFLOW",
    });
    expect(gate.open()).toBeUndefined();
  });

  test("fails its gate where another thread has given the key another kind meanwhile", async () => {
    const thread = await startThread();
    const [client, other] = [thread.client(), thread.client()];
    // Which of the two comes first is open; what comes second, sent before it saw the first, has failed.
    for (let round = 0; round < 40; round += 1) {
      const key = `k${round}`;
      const gate = new OutputGate();
      const added = write(other, key, add);
      expect(client.write(key, put("late"), "durable", gate)).toEqual({});
      const outcomes = await Promise.allSettled([added, gate.open()]);
      const errors = outcomes.flatMap((outcome): unknown[] =>
        outcome.status === "rejected" ? [outcome.reason] : [],
      );
      expect(errors).toEqual([expect.objectContaining({ code: "WRONG_KIND" })]);
      const isCounter = other.read(key)?.kind === "counter";
      expect(outcomes[isCounter ? 0 : 1]?.status).toBe("fulfilled");
    }
  });

  test("fails every gate that is shut when the storage thread ends", async () => {
    const thread = await startThread();
    const client = thread.client();
    const [writer, reader] = [new OutputGate(), new OutputGate()];
    void client.write("k", put("one"), "durable", writer);
    client.read("k", reader);
    const ended = thread.terminate();
    const errors = await Promise.all(
      [writer, reader].map(async (gate) => errorOf(gate.open() ?? ended)),
    );
    for (const error of errors) expect(error).toMatchObject({ code: "STORE_UNAVAILABLE" });
    await ended;
  });

  test("waits for the disk within the write once many are not stored", async () => {
    const thread = await startThread({ clientLimits: { writesInFlightMax: 8 } });
    const client = thread.client();
    const gate = new OutputGate();
    const answers = Array.from({ length: 8 }, (_, index) =>
      client.write(`k${index}`, put("x"), "durable", gate),
    );
    expect(answers.map((answer) => answer instanceof Promise)).toEqual([
      ...Array<boolean>(4).fill(false),
      ...Array<boolean>(4).fill(true),
    ]);
    await Promise.all([...answers, gate.open()]);
  });
});

describe("a client", () => {
  test.each(levels)(
    "reads its own put, add and delete after the answer at level %s",
    async (level) => {
      const client = (await startThread()).client();
      await write(client, "register", put("one"), level);
      expect(textOf(client.read("register"))).toBe("one");
      expect(await write(client, "counter", { kind: "add", delta: 5n }, level)).toEqual({
        counter: 5n,
      });
      expect(client.read("counter")).toEqual({ kind: "counter", value: 5n });
      await write(client, "register", { kind: "delete" }, level);
      expect(client.read("register")).toBeUndefined();
      expect(client.list("", undefined, 10).entries).toEqual([{ key: "counter", kind: "counter" }]);
    },
  );

  test("a put or delete at level memory is answered without a promise, and is stored all the same", async () => {
    const directory = temporaryDirectory();
    const thread = await startThread({ directory });
    const client = thread.client();
    expect(client.write("k", put("one"), "memory")).toEqual({});
    expect(textOf(client.read("k"))).toBe("one");
    expect(client.write("k", { kind: "delete" }, "memory")).toEqual({});
    expect(client.write("k", put("two"), "memory")).toEqual({});
    await thread.close();
    const reopened = (await startThread({ directory })).client();
    expect(textOf(reopened.read("k"))).toBe("two");
  });

  test("any writes at any levels read as if done one by one, then and after a restart", async () => {
    const command = fc.record({
      key: fc.constantFrom("a", "b", "c"),
      level: fc.constantFrom(...levels),
      mutation: fc.oneof(
        fc.nat(9).map((digit) => put(String(digit))),
        fc.bigInt(-3n, 3n).map((delta): Mutation => ({ kind: "add", delta })),
        fc.constant<Mutation>({ kind: "delete" }),
      ),
    });
    const directory = temporaryDirectory();
    const thread = await startThread({ directory });
    const client = thread.client();
    const models: ReadonlyMap<string, bigint | string>[] = [];
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 25 }), async (commands) => {
        const model = new Map<string, bigint | string>();
        const prefix = `${models.push(model)}/`;
        for (const { key, level, mutation } of commands) {
          // One by one: each is compared with the model after its answer.
          const answer = await errorOf(write(client, prefix + key, mutation, level));
          expect(answer instanceof KvsError ? answer.code : "none").toBe(
            applyToModel(model, prefix + key, mutation),
          );
          expect(readAll(client, prefix)).toEqual(model);
        }
      }),
      { numRuns: 60, seed: 20_260_101 },
    );
    await thread.close();
    const reopened = (await startThread({ directory })).client();
    for (const [index, model] of models.entries()) {
      expect(readAll(reopened, `${index + 1}/`)).toEqual(model);
    }
  });

  test("that awaits its writes at level async or memory is slowed down, and never refused", async () => {
    const thread = await startThread({ clientLimits: { writesInFlightMax: 64 } });
    const client = thread.client();
    const counts = Array.from({ length: 16 }, async (_, index) => {
      const mutation = index % 2 === 0 ? add : put(String(index));
      for (let count = 0; count < 50; count += 1) {
        await write(client, `k${index}`, mutation, index % 3 === 0 ? "memory" : "async");
      }
    });
    await Promise.all(counts);
    expect(client.read("k0")).toEqual({ kind: "counter", value: 50n });
  });

  test("sees the durable write of another as soon as that is answered, in the same turn", async () => {
    const thread = await startThread();
    const [writer, reader] = [thread.client(), thread.client()];
    for (let count = 1n; count <= 50n; count += 1n) {
      reader.read("k");
      await write(writer, "k", add);
      expect(reader.read("k")).toEqual({ kind: "counter", value: count });
    }
  });

  test("may reuse the memory of a value as soon as write returns", async () => {
    const client = (await startThread()).client();
    for (const level of levels) {
      const value = Buffer.from("before");
      const answer = client.write(level, { kind: "put", value }, level);
      value.fill("x");
      await answer;
      expect(textOf(client.read(level))).toBe("before");
    }
  });

  test("lists its own unstored writes in their places", async () => {
    const client = (await startThread()).client();
    for (const key of ["p/b", "p/d", "q"]) await write(client, key, put("stored"));
    for (const key of ["p/a", "p/c", "p/e", "o", "p/\u{1f600}", "p/\u{ff5e}"]) {
      void client.write(key, put("own"), "memory");
    }
    void client.write("p/b", { kind: "delete" }, "memory");
    const keys = ["p/a", "p/c", "p/d", "p/e", "p/\u{ff5e}", "p/\u{1f600}"];
    expect(client.list("p/", undefined, 10)).toEqual({
      entries: keys.map((key) => ({ key, kind: "register" })),
      next: undefined,
    });
    expect(client.list("p/", "p/a", 2)).toEqual({
      entries: [
        { key: "p/c", kind: "register" },
        { key: "p/d", kind: "register" },
      ],
      next: "p/d",
    });
  });

  test("gets a distinct running value for each of many adds, and one fsync for all", async () => {
    const thread = await startThread();
    const client = thread.client();
    const results = await Promise.all(Array.from({ length: 64 }, () => write(client, "k", add)));
    expect(results.map(({ counter }) => counter)).toEqual(
      Array.from({ length: 64 }, (_, index) => BigInt(index + 1)),
    );
    expect(thread.stats()).toEqual({ commits: 1, writes: 64 });
  });

  test("a failing write of a batch leaves the others alone", async () => {
    const client = (await startThread()).client();
    await write(client, "register", put("one"));
    const outcomes = await Promise.all([
      errorOf(write(client, "counter", add)),
      errorOf(write(client, "register", add)),
      errorOf(write(client, "counter", put("two"))),
      errorOf(write(client, "counter", { kind: "add", delta: 2n ** 53n - 1n })),
      errorOf(write(client, "counter", { kind: "add", delta: 2n ** 62n })),
      errorOf(write(client, "other", add)),
    ]);
    expect(outcomes).toMatchObject([
      "no error",
      { code: "WRONG_KIND", details: { kind: "register" } },
      { code: "WRONG_KIND", details: { kind: "counter" } },
      { code: "COUNTER_OVERFLOW" },
      { code: "COUNTER_OVERFLOW" },
      "no error",
    ]);
    expect(client.read("counter")).toEqual({ kind: "counter", value: 1n });
  });

  test.each(levels)("is refused a wrong key, value or kind at level %s", async (level) => {
    const thread = await startThread({ clientLimits: { valueBytesMax: 1_000 } });
    const client = thread.client();
    await write(client, "counter", add);
    const large: Mutation = { kind: "put", value: new Uint8Array(1_001) };
    const outcomes = await Promise.all([
      errorOf(write(client, "", add, level)),
      errorOf(write(client, "k".repeat(KEY_BYTES_MAX + 1), add, level)),
      errorOf(write(client, "k", large, level)),
      errorOf(write(client, "counter", put("x"), level)),
    ]);
    expect(outcomes).toMatchObject([
      { code: "KEY_INVALID" },
      { code: "KEY_INVALID" },
      { code: "VALUE_TOO_LARGE", details: { bytes: 1_001, bytesMax: 1_000 } },
      { code: "WRONG_KIND", details: { kind: "counter" } },
    ]);
    expect(() => client.read("")).toThrow(expect.objectContaining({ code: "KEY_INVALID" }));
    await client.close();
  });

  test("the longest key is written, read and listed", async () => {
    const client = (await startThread()).client();
    const key = "é".repeat(KEY_BYTES_MAX / 2);
    await write(client, key, put("one"));
    expect(textOf(client.read(key))).toBe("one");
    expect(client.list(key, undefined, 1).entries).toEqual([{ key, kind: "register" }]);
  });

  test("is refused with BACK_PRESSURE at its limit, and served again after", async () => {
    const thread = await startThread({ clientLimits: { writesInFlightMax: 4 } });
    const client = thread.client();
    const outcomes = await Promise.all(
      Array.from({ length: 6 }, () => errorOf(write(client, "k", add))),
    );
    const refused = { code: "BACK_PRESSURE", retryable: true };
    expect(outcomes.slice(0, 4)).toEqual(Array(4).fill("no error"));
    expect(outcomes.slice(4)).toMatchObject([refused, refused]);
    expect(await write(client, "k", add)).toEqual({ counter: 5n });
  });

  test("has a limit in bytes too, and gets an answer to level memory later when it nears one", async () => {
    const thread = await startThread({ clientLimits: { bytesInFlightMax: 10_000 } });
    const client = thread.client();
    const large: Mutation = { kind: "put", value: new Uint8Array(6_000) };
    expect(client.write("a", large, "memory")).toEqual({});
    const second = client.write("b", large, "memory");
    expect(second).toBeInstanceOf(Promise);
    expect(await errorOf(write(client, "c", large, "memory"))).toMatchObject({
      code: "BACK_PRESSURE",
    });
    await second;
    expect(client.list("", undefined, 10).entries).toHaveLength(2);
  });

  test("a write at level memory that another client's kind has overtaken is dropped", async () => {
    const thread = await startThread();
    const [first, second] = [thread.client(), thread.client()];
    const counted = write(first, "k", add);
    void second.write("k", put("own"), "memory");
    const outcome = await errorOf(counted);
    await second.close();
    const kind = outcome === "no error" ? "counter" : "register";
    expect(first.read("k")?.kind).toBe(kind);
  });

  test("close waits for its writes, also where the last one is rejected", async () => {
    const thread = await startThread();
    const client = thread.client();
    const answers = [errorOf(write(client, "k", add)), errorOf(write(client, "k", put("x")))];
    await client.close();
    expect(await Promise.all(answers)).toMatchObject(["no error", { code: "WRONG_KIND" }]);
    expect(() => client.read("k")).toThrow(expect.objectContaining({ code: "STORE_CLOSED" }));
    expect(await errorOf(write(client, "k", add))).toMatchObject({ code: "STORE_CLOSED" });
    expect(thread.client().read("k")).toEqual({ kind: "counter", value: 1n });
  });
});

describe("threads", () => {
  test("that add to one counter at the same time lose nothing", async () => {
    const thread = await startThread();
    const workers = [0, 1, 2].map(() =>
      startClientThread(thread, { kind: "add", key: "k", count: 500 }),
    );
    expect(await Promise.all(workers.map(firstMessage))).toEqual(["done", "done", "done"]);
    expect(thread.client().read("k")).toEqual({ kind: "counter", value: 1_500n });
  });

  test("read whole values of any size while they are overwritten", async () => {
    const thread = await startThread();
    const client = thread.client();
    for (const [key, bytes] of [
      ["small", 100],
      ["large", 20_000],
      ["huge", 700_000],
    ] as const) {
      await write(client, key, { kind: "put", value: new Uint8Array(bytes) });
      const job: ClientThreadJob = { kind: "check-register", key, count: 200 };
      const readers = [startClientThread(thread, job), startClientThread(thread, job)];
      const done = Promise.all(readers.map(firstMessage));
      const overwrites = Array.from({ length: 40 }, (_, fill) =>
        write(client, key, { kind: "put", value: new Uint8Array(bytes).fill(fill) }),
      );
      await Promise.all(overwrites);
      expect(await done).toEqual(["done", "done"]);
    }
  });

  test("may be terminated at any instruction: the others go on", async () => {
    const thread = await startThread();
    const client = thread.client();
    await write(client, "k", put("x".repeat(30_000)));
    for (let round = 1n; round <= 10n; round += 1n) {
      const worker = startClientThread(thread, { kind: "spin", key: "k" });
      expect(await firstMessage(worker)).toBe("spinning");
      await worker.terminate();
      expect(await write(client, "counter", add)).toEqual({ counter: round });
    }
  });
});

describe("the storage thread", () => {
  test("close stores what was answered, gives the directory free, and refuses what comes later", async () => {
    const directory = temporaryDirectory();
    const thread = await startThread({ directory });
    const client = thread.client();
    const answers = Array.from({ length: 100 }, (_, index) =>
      write(client, `k${index % 10}`, add, levels[index % 3]),
    );
    await Promise.all([Promise.all(answers), thread.close()]);
    expect(await errorOf(write(client, "k0", add))).toMatchObject({ code: "STORE_CLOSED" });
    expect(client.read("k0")).toEqual({ kind: "counter", value: 10n });
    expect(() => thread.connect()).toThrow(expect.objectContaining({ code: "STORE_CLOSED" }));
    await thread.close();

    const reopened = await startThread({ directory });
    const { entries } = reopened.client().list("", undefined, 100);
    expect(entries).toHaveLength(10);
    expect(reopened.client().read("k9")).toEqual({ kind: "counter", value: 10n });
  });

  test("terminated, it rejects what is under way, and the directory can be opened again", async () => {
    const directory = temporaryDirectory();
    const thread = await startThread({ directory });
    const client = thread.client();
    await write(client, "k", add);
    const large: Mutation = { kind: "put", value: new Uint8Array(1_000_000) };
    const answers = Array.from({ length: 20 }, (_, index) =>
      errorOf(write(client, `large-${index}`, large)),
    );
    await thread.terminate();
    const outcomes = await Promise.all(answers);
    expect(outcomes.at(-1)).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(await errorOf(write(client, "k", add))).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(client.read("k")).toEqual({ kind: "counter", value: 1n });
    await client.close();

    const next = await startThread({ directory });
    expect(await write(next.client(), "k", add)).toEqual({ counter: 2n });
  });

  test("that fails says so, rejects every write, and hangs nothing", async () => {
    // A commit of 30 MB takes longer than the one millisecond it is given.
    const thread = await startThread({
      groupLimits: { commitDeadlineMs: 1, groupBytesMax: 2 ** 30 },
    });
    const [client, other] = [thread.client(), thread.client()];
    const large: Mutation = { kind: "put", value: new Uint8Array(1_000_000) };
    const answers = Array.from({ length: 30 }, (_, index) =>
      errorOf(write(client, `large-${index}`, large)),
    );
    expect(await thread.failed).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect((await Promise.all(answers)).at(-1)).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(await errorOf(write(other, "k", add))).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(() => thread.connect()).toThrow(expect.objectContaining({ code: "STORE_UNAVAILABLE" }));
    await Promise.all([client.close(), other.close()]);
  });

  test("does not start where the store cannot be opened, and says why", async () => {
    const directory = temporaryDirectory();
    const thread = await startThread({ directory });
    await expect(startStorageThread({ directory })).rejects.toMatchObject({
      code: "STORE_LOCKED",
      details: { directory },
    });
    await thread.close();
    writeFileSync(join(directory, "store.json"), '{"format":3}');
    await expect(startStorageThread({ directory })).rejects.toMatchObject({
      code: "STORE_NEWER_FORMAT",
      details: { format: 3, formatMax: 2 },
    });
    const file = join(directory, "file");
    writeFileSync(file, "");
    await expect(startStorageThread({ directory: file })).rejects.toMatchObject({
      code: "STORE_UNWRITABLE",
    });
  });
});

function applyToModel(
  model: Map<string, bigint | string>,
  key: string,
  mutation: Mutation,
): string {
  const held = model.get(key);
  switch (mutation.kind) {
    case "put":
      if (typeof held === "bigint") return "WRONG_KIND";
      model.set(key, Buffer.from(mutation.value).toString());
      break;
    case "add":
      if (typeof held === "string") return "WRONG_KIND";
      model.set(key, (held ?? 0n) + mutation.delta);
      break;
    case "delete":
      model.delete(key);
      break;
  }
  return "none";
}

function readAll(client: StateClient, prefix: string): Map<string, bigint | string> {
  const state = new Map<string, bigint | string>();
  for (const { key } of client.list(prefix, undefined, 100).entries) {
    const value = client.read(key);
    if (value !== undefined)
      state.set(key, value.kind === "counter" ? value.value : (textOf(value) ?? ""));
  }
  return state;
}
