import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdtempDisposableSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { acquireDevLock, isProcessAlive } from "./dev-lock.ts";

function temporaryFolder(): ReturnType<typeof mkdtempDisposableSync> {
  return mkdtempDisposableSync(join(tmpdir(), "downpour-lock-"));
}

test("a second one is refused, and told who holds it", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "dev.lock");
  await acquireDevLock(path);
  await expect(acquireDevLock(path)).rejects.toMatchObject({
    code: "DEV_RUNNING",
    details: { pid: process.pid },
  });
});

test("a released lock can be taken again, and leaves no file", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "dev.lock");
  const lock = await acquireDevLock(path);
  await lock.release();
  expect(readdirSync(folder.path)).toEqual([]);
  await (await acquireDevLock(path)).release();
});

test("the lock of a process that was killed blocks nobody", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "dev.lock");
  const child = spawn(process.execPath, [
    "--input-type=module",
    "--eval",
    `import { acquireDevLock } from ${JSON.stringify(new URL("dev-lock.ts", import.meta.url).href)};
     await acquireDevLock(${JSON.stringify(path)});
     process.stdout.write("locked");
     setInterval(() => {}, 1000);`,
  ]);
  await once(child.stdout, "data");
  await expect(acquireDevLock(path)).rejects.toMatchObject({ code: "DEV_RUNNING" });
  child.kill("SIGKILL");
  await once(child, "exit");
  await (await acquireDevLock(path)).release();
});

test("a process id that was used again is not taken for the owner", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "dev.lock");
  writeFileSync(path, JSON.stringify({ pid: process.pid, startedAt: "1" }));
  await acquireDevLock(path);
  expect(readFileSync(path, "utf8")).not.toContain('"startedAt":"1"');
});

test.each(["", "{", "[]", `{"pid":"x"}`])("a lock file with %j names no owner", async (text) => {
  using folder = temporaryFolder();
  const path = join(folder.path, "dev.lock");
  writeFileSync(path, text);
  await acquireDevLock(path);
  expect(existsSync(path)).toBe(true);
});

test("of many that find a stale lock at once, one gets it", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "dev.lock");
  writeFileSync(path, JSON.stringify({ pid: process.pid, startedAt: "1" }));
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => acquireDevLock(path)));
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  expect(readdirSync(folder.path)).toEqual(["dev.lock"]);
});

test("one that was killed while it took over blocks nobody either", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "dev.lock");
  const gone = JSON.stringify({ pid: process.pid, startedAt: "1" });
  writeFileSync(path, gone);
  const digest = createHash("sha256").update(gone).digest("hex").slice(0, 16);
  writeFileSync(`${path}.${digest}`, JSON.stringify({ pid: process.pid, startedAt: "2" }));
  await (await acquireDevLock(path)).release();
  expect(readdirSync(folder.path)).toEqual([]);
});

test("this process is alive, and one that ended is not", async () => {
  expect(isProcessAlive(process.pid)).toBe(true);
  const child = spawn(process.execPath, ["--eval", ""]);
  const { pid } = child;
  await once(child, "exit");
  expect(pid === undefined || isProcessAlive(pid)).toBe(false);
});
