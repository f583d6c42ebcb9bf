import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { OutputGate, startStorageThread } from "../index.ts";
import type { Mutation, StateClient } from "../index.ts";
import { canMountFileSystems, mountSmallFileSystem } from "../testing/small-file-system.ts";

const add: Mutation = { kind: "add", delta: 1n };
const large: Mutation = { kind: "put", value: new Uint8Array(100_000).fill(7) };

/** Writes at level durable until one is refused, and gives the keys that were acknowledged. */
async function writeUntilRefused(
  client: StateClient,
): Promise<{ readonly keys: readonly string[]; readonly error: unknown }> {
  const keys: string[] = [];
  for (let index = 0; index < 1_000; index += 1) {
    const key = `large/${String(index).padStart(4, "0")}`;
    try {
      await Promise.all([
        client.write(key, large, "durable"),
        client.write("counter", add, "durable"),
      ]);
      keys.push(key);
    } catch (error) {
      return { keys, error };
    }
  }
  throw new Error("the disk was never full");
}

describe.runIf(canMountFileSystems)("a full disk", () => {
  test("refuses writes by name, keeps what was acknowledged, reads on, and serves again after", async () => {
    const mounted = mountSmallFileSystem(4 * 1024 * 1024);
    const directory = join(mounted, "state");
    mkdirSync(directory);
    writeFileSync(join(mounted, "filler"), Buffer.alloc(1024 * 1024));
    const thread = await startStorageThread({ directory, groupLimits: { retryDelayMs: 1 } });
    onTestFinished(() => thread.terminate());
    const client = thread.client();

    const { keys, error } = await writeUntilRefused(client);
    expect(error).toMatchObject({ code: "STORE_FULL", retryable: true });
    expect(client.list("large/", undefined, 1000).entries.map(({ key }) => key)).toEqual(keys);
    expect(client.read("counter")).toEqual({ kind: "counter", value: BigInt(keys.length) });

    rmSync(join(mounted, "filler"));
    const count = await client.write("counter", add, "durable");
    expect(count).toEqual({ counter: BigInt(keys.length + 1) });
    await client.write("late", large, "durable");
    await thread.close();

    const reopened = await startStorageThread({ directory });
    onTestFinished(() => reopened.terminate());
    const again = reopened.client();
    expect(again.list("", undefined, 1000).entries).toHaveLength(keys.length + 2);
    expect(again.read("counter")).toEqual({ kind: "counter", value: BigInt(keys.length + 1) });
  });

  test("takes many small writes at once, as long as the file has free pages for them", async () => {
    const mounted = mountSmallFileSystem(4 * 1024 * 1024);
    const directory = join(mounted, "state");
    mkdirSync(directory);
    const thread = await startStorageThread({ directory });
    onTestFinished(() => thread.terminate());
    const client = thread.client();
    await client.write("gone", large, "durable");
    await client.write("gone", { kind: "delete" }, "durable");
    for (let index = 0; index < 4; index += 1) await client.write("counter", add, "durable");
    try {
      writeFileSync(join(mounted, "filler"), Buffer.alloc(4 * 1024 * 1024));
    } catch {
      // It has what there was.
    }
    const small: Mutation = { kind: "put", value: new Uint8Array(200).fill(7) };
    const keys = Array.from({ length: 40 }, (_, index) => `small/${index}`);
    await Promise.all(keys.map(async (key) => client.write(key, small, "durable")));
    expect(client.list("small/", undefined, 1000).entries).toHaveLength(40);
  });

  test("fails the gates of what was written and read in vain", async () => {
    const mounted = mountSmallFileSystem(4 * 1024 * 1024);
    const directory = join(mounted, "state");
    mkdirSync(directory);
    const thread = await startStorageThread({ directory, groupLimits: { retryDelayMs: 1 } });
    onTestFinished(() => thread.terminate());
    const client = thread.client();
    await client.write("counter", add, "durable");
    writeFileSync(join(mounted, "filler"), Buffer.alloc(3_500_000));

    const huge: Mutation = { kind: "put", value: new Uint8Array(900_000).fill(1) };
    const [writer, reader] = [new OutputGate(), new OutputGate()];
    expect(client.write("huge", huge, "durable", writer)).toEqual({});
    expect(client.read("huge", reader)?.kind).toBe("register");
    for (const gate of [writer, reader]) {
      await expect(gate.open()).rejects.toMatchObject({ code: "STORE_FULL", retryable: true });
    }
    expect(client.read("huge", new OutputGate())).toBeUndefined();

    rmSync(join(mounted, "filler"));
    // A durable write tries at once whether there is space; one through a gate would not.
    await client.write("counter", add, "durable");
    const late = new OutputGate();
    await client.write("counter", add, "durable", late);
    await late.open();
    expect(client.read("counter", new OutputGate())).toEqual({ kind: "counter", value: 3n });
  });

  test("keeps a write that was answered at level async until there is space for it", async () => {
    const mounted = mountSmallFileSystem(4 * 1024 * 1024);
    const directory = join(mounted, "state");
    mkdirSync(directory);
    const filler = join(mounted, "filler");
    const thread = await startStorageThread({ directory, groupLimits: { retryDelayMs: 20 } });
    onTestFinished(() => thread.terminate());
    const client = thread.client();
    await client.write("counter", add, "durable");
    writeFileSync(filler, Buffer.alloc(3_500_000));

    const huge: Mutation = { kind: "put", value: new Uint8Array(900_000).fill(1) };
    await client.write("huge", huge, "async");
    expect(client.read("huge")?.kind).toBe("register");
    await expect(client.write("huge-too", huge, "durable")).rejects.toMatchObject({
      code: "STORE_FULL",
    });
    expect(client.read("huge")?.kind).toBe("register");
    expect(client.read("huge-too")).toBeUndefined();

    rmSync(filler);
    await client.close();
    const other = thread.client();
    expect(other.read("huge")?.kind).toBe("register");
  });
});
