import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { endOf, spawnHost, temporaryDirectory } from "./testing/host-under-test.ts";

/** What a host writes to its log from its start to its end by SIGTERM. */
async function logOf(flags: readonly string[]): Promise<readonly string[]> {
  const directory = temporaryDirectory();
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const child = spawnHost([
    "--listen-port=0",
    "--executors=1",
    `--data-directory=${join(directory, "data")}`,
    `--admin-token-file=${join(directory, "token")}`,
    ...flags,
  ]);
  child.stdout?.on("data", (chunk: Buffer) => {
    if (chunk.includes("listens on")) child.kill("SIGTERM");
  });
  if (child.stderr === null) throw new Error("the log is not piped");
  const [written] = await Promise.all([text(child.stderr), endOf(child)]);
  return written.split("\n").filter((line) => line !== "");
}

test("the host's log is one JSON object to a line, with level, time and message", async () => {
  const lines = await logOf([]);
  const entries = lines.map((line): unknown => JSON.parse(line));
  for (const entry of entries) {
    expect(entry).toMatchObject({
      level: expect.stringMatching(/^(?:info|warn)$/u),
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/u),
      msg: expect.any(String),
    });
  }
  const said = entries.map((entry) => Reflect.get(Object(entry), "msg"));
  expect(said).toEqual(expect.arrayContaining(["host ready", "host draining", "host stopped"]));
});

test("a host that is told to log errors alone logs nothing of an orderly life", async () => {
  expect(await logOf(["--log-level=error"])).toEqual([]);
});
