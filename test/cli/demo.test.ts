import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isProcessAlive } from "../../cli/dev/dev-lock.ts";
import { at, cleanEnvironment } from "./harness.ts";

// The README's first command, on a copy of the checkout: whoever works in this one may have a demo
// of their own running.

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const FOLDERS = ["cli", "host", "kvs", "tenants", "guest-sdk", "examples", "wit"];
const NOT_COPIED = /node_modules|\.cache|\.downpour|dist/u;

let copy: string;

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), "downpour-demo-"));
  for (const name of [...FOLDERS, "package.json", "tsconfig.json"]) {
    await cp(join(checkout, name), join(copy, name), {
      recursive: true,
      filter: (source) => !NOT_COPIED.test(source.slice(checkout.length)),
    });
  }
  for (const folder of ["", ...FOLDERS]) {
    const modules = join(checkout, folder, "node_modules");
    if (existsSync(modules)) await symlink(modules, join(copy, folder, "node_modules"));
  }
});

afterAll(async () => {
  await rm(copy, { recursive: true, force: true });
});

async function demo(...args: readonly string[]): Promise<{ status: number | null; out: string }> {
  const child = spawn(process.execPath, [join(copy, "examples/demo.ts"), ...args], {
    cwd: copy,
    env: cleanEnvironment(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [out] = await Promise.all([text(child.stdout), once(child, "close")]);
  return { status: child.exitCode, out };
}

async function hostRecord(): Promise<{ readonly url: string; readonly pid: number }> {
  const record: unknown = JSON.parse(await readFile(join(copy, ".downpour/host.json"), "utf8"));
  return { url: String(at(record, "url")), pid: Number(at(record, "hostPid")) };
}

/** What the demo shows that a function answered, in order. */
function answers(out: string, call: string): readonly unknown[] {
  return out.split("\n").flatMap((line) => {
    const answer = / → {2}(.*?) {2}/u.exec(line)?.[1];
    if (answer === undefined || !line.includes(` ${call} `)) return [];
    const parsed: unknown = JSON.parse(answer);
    return [parsed];
  });
}

test("the demo calls every example, loses nothing by kill -9, leaves a host that answers, is found again, and stops", async () => {
  try {
    const first = await demo();
    expect(first.status).toBe(0);
    expect(answers(first.out, "hello/hello")).toEqual(["Hello, world!"]);
    const counts = answers(first.out, "counter/visit").map((answer) => at(answer, "count"));
    expect(counts).toEqual([1, 2, 3]);
    expect(first.out).toContain("kill -9");
    expect(first.out).toContain("--stop");

    const host = await hostRecord();
    expect(isProcessAlive(host.pid)).toBe(true);
    const token = (await readFile(join(copy, ".downpour/token"), "utf8")).trim();
    const answer = await fetch(`${host.url}/v1/invoke/counter/peek`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: '"home"',
    });
    expect(await answer.json()).toEqual({ page: "home", count: 3 });

    const second = await demo();
    expect(second.status).toBe(0);
    expect(second.out).toContain("found the host");
    const more = answers(second.out, "counter/visit").map((visit) => at(visit, "count"));
    expect(more).toEqual([4, 5, 6]);
  } finally {
    const { pid } = await hostRecord();
    expect(await demo("--stop")).toMatchObject({ status: 0 });
    expect(isProcessAlive(pid)).toBe(false);
  }
  expect((await demo("--stop")).out).toContain("no host");
}, 180_000);

test("help and a wrong argument of the demo start nothing", async () => {
  expect(await demo("--help")).toMatchObject({
    status: 0,
    out: expect.stringContaining("npm run demo -- "),
  });
  for (const args of [["--halp"], ["start"], ["--stop", "now"]]) {
    expect(await demo(...args)).toMatchObject({
      status: 2,
      out: expect.stringContaining("the demo does not know"),
    });
  }
  expect(existsSync(join(copy, ".downpour/host.json"))).toBe(false);
}, 60_000);
