import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";

const module = new URL("code-cache.ts", import.meta.url).href;

/** What `enableCodeCache` answers, and where another process or thread would look, in a new process. */
async function enable(directory: string, environment: NodeJS.ProcessEnv = {}): Promise<unknown> {
  const program = `
    import { enableCodeCache } from ${JSON.stringify(module)};
    const isEnabled = enableCodeCache(${JSON.stringify(directory)});
    console.log(JSON.stringify({ isEnabled, inherited: process.env.NODE_COMPILE_CACHE }));
  `;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module-typescript", "--eval", program],
    { env: { ...process.env, NODE_COMPILE_CACHE: undefined, ...environment } },
  );
  return JSON.parse(stdout);
}

async function temporaryDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "downpour-code-cache-"));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

test("a directory that is not there yet is made, and told to threads and successors", async () => {
  const directory = join(await temporaryDirectory(), "a", "b");
  expect(await enable(directory)).toEqual({ isEnabled: true, inherited: directory });
});

test("a directory that cannot be made is refused, and told to nobody", async () => {
  const file = join(await temporaryDirectory(), "file");
  await writeFile(file, "");
  expect(await enable(join(file, "cache"))).toEqual({ isEnabled: false });
});

test("a directory that the process was started with holds", async () => {
  const theirs = await temporaryDirectory();
  const ours = join(await temporaryDirectory(), "ours");
  expect(await enable(ours, { NODE_COMPILE_CACHE: theirs })).toEqual({
    isEnabled: true,
    inherited: theirs,
  });
});
