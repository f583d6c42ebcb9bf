import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { startStorageThread } from "../index.ts";
import type { StateClient } from "../index.ts";
import { countedUse } from "../testing/counted-use.ts";
import { temporaryDirectory } from "../testing/temporary-directory.ts";

const writerProcess = join(import.meta.dirname, "../testing/writer-process.ts");

/** What the killed process has said. */
interface Said {
  readonly sent: number;
  readonly acked: readonly number[];
}

function startWriter(directory: string, ...mode: readonly "gated"[]): ChildProcess {
  const child = spawn(process.execPath, [writerProcess, directory, ...mode], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  return child;
}

/** Kills the process right after it has said the given number of acknowledgements. */
async function killAfter(child: ChildProcess, ackedCount: number): Promise<Said> {
  const acked: number[] = [];
  let sent = 0;
  if (child.stdout === null) throw new Error("no output");
  for await (const line of createInterface({ input: child.stdout })) {
    const [word, number] = line.split(" ");
    if (word === "sent") sent = Number(number);
    if (word === "acked") acked.push(Number(number));
    if (acked.length === ackedCount) child.kill("SIGKILL");
  }
  return { sent, acked };
}

/** Goes on reading after it: a process whose output is closed ends by itself. */
async function firstLine(child: ChildProcess): Promise<string> {
  const { stdout } = child;
  if (stdout === null) throw new Error("no output");
  return new Promise((resolve, reject) => {
    createInterface({ input: stdout }).on("line", resolve);
    child.once("exit", () => {
      reject(new Error("the process has ended"));
    });
  });
}

function numberAt(client: StateClient, key: string): number {
  const value = client.read(key);
  if (value?.kind === "register") return Number(Buffer.from(value.value).toString());
  return value === undefined ? Number.NaN : Number(value.value);
}

test.each([[[]], [["gated"]]] as const)(
  "kill -9 in the midst of durable writes loses no acknowledged one, and invents none %s",
  async (mode) => {
    const rounds = fc.sample(fc.integer({ min: 1, max: 400 }), { numRuns: 6, seed: 20_260_102 });
    for (const ackedCount of rounds) {
      const directory = temporaryDirectory();
      const { sent, acked } = await killAfter(startWriter(directory, ...mode), ackedCount);
      const thread = await startStorageThread({ directory });
      const client = thread.client();
      expect(acked.length).toBeGreaterThanOrEqual(ackedCount);
      expect(numberAt(client, "counter")).toBeGreaterThanOrEqual(acked.length);
      expect(numberAt(client, "counter")).toBeLessThanOrEqual(sent);
      const lost = acked.filter((number) => numberAt(client, `of/writer/${number}`) !== number);
      expect(lost).toEqual([]);
      expect(numberAt(client, "last")).toBeLessThanOrEqual(sent);
      expect(client.spaceUse("of/writer/")).toEqual(countedUse(client, "of/writer/"));
      // The next run goes on from there.
      const before = numberAt(client, "counter");
      const { counter } = await client.write("counter", { kind: "add", delta: 1n }, "durable");
      expect(Number(counter)).toBe(before + 1);
      await client.write("last", { kind: "put", value: Buffer.from("-1") }, "durable");
      expect(numberAt(client, "last")).toBe(-1);
      await thread.close();
    }
  },
);

test("a second process is refused the directory, and gets it the moment the first is killed", async () => {
  const directory = temporaryDirectory();
  const child = startWriter(directory);
  expect(await firstLine(child)).toBe("ready");
  await expect(startStorageThread({ directory })).rejects.toMatchObject({
    code: "STORE_LOCKED",
    details: { holder: expect.stringContaining(`process ${child.pid} `) },
  });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await exited;
  const thread = await startStorageThread({ directory });
  expect(thread.client().list("", undefined, 1).entries.length).toBeGreaterThanOrEqual(0);
  await thread.close();
});
