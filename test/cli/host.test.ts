import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { expect, test } from "vitest";
import { freePort, isReady, waitUntilReady } from "../../cli/host-process.ts";
import { CLI_MAIN, cleanEnvironment, runCli, temporaryFolder } from "./harness.ts";

const READY_TIMEOUT_MS = 30_000;

test("downpour host runs a host in the foreground, and a SIGTERM to it drains and ends the host", async () => {
  using folder = temporaryFolder();
  const port = await freePort(0);
  const child = spawn(process.execPath, [CLI_MAIN, "host", "--listen-port", String(port)], {
    cwd: folder.path,
    env: cleanEnvironment({ DOWNPOUR_TOKEN: "of-a-client", DOWNPOUR_LOG_LEVEL: "silent" }),
    stdio: "ignore",
  });
  const exited = once(child, "exit");
  const url = `http://127.0.0.1:${port}`;
  expect(await waitUntilReady(url, READY_TIMEOUT_MS, () => child.exitCode !== null)).toBe(true);
  child.kill("SIGTERM");
  await exited;
  expect(child.exitCode).toBe(0);
  expect(await isReady(url)).toBe(false);
});

test("a setting that the host does not know ends with the host's own words", async () => {
  using folder = temporaryFolder();
  const result = await runCli(["host", "--listen-prt", "1"], { directory: folder.path });
  expect(result.status).toBe(1);
  expect(result.stderr).toContain("--listen-port");
});

test("the host's own help is after two dashes", async () => {
  using folder = temporaryFolder();
  const result = await runCli(["host", "--", "--help"], { directory: folder.path });
  expect(result).toMatchObject({ status: 0, stdout: expect.stringContaining("downpour-host") });
});
