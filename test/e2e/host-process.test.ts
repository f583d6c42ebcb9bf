import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { startStorageThread } from "@downpour/kvs";
import { describe, expect, onTestFinished, test } from "vitest";
import type { TestContext } from "vitest";
import { systemKey } from "../../host/state-keys.ts";
import { behaviours } from "./testing/components.ts";
import {
  at,
  endOf,
  HostUnderTest,
  runHost,
  spawnHost,
  temporaryDirectory,
} from "./testing/host-under-test.ts";
import type { Answer } from "./testing/host-under-test.ts";

function directory(): string {
  const path = temporaryDirectory();
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A small file system of its own, or a skipped test where that is not permitted. */
function mounted(context: TestContext, options: string): string {
  const path = join(directory(), "mount");
  mkdirSync(path);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path], { stdio: "pipe" });
  } catch {
    context.skip("mounting a small file system is not permitted here");
  }
  onTestFinished(() => {
    execFileSync("umount", ["-l", path]);
  });
  return path;
}

function flags(dataDirectory: string): readonly string[] {
  return ["--listen-port=0", "--executors=1", `--data-directory=${dataDirectory}`];
}

/** Runs a host until it says that it listens. */
async function startAndStop(
  dataDirectory: string,
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const child = spawnHost(flags(dataDirectory));
  const output = { stdout: "", stderr: "" };
  child.stderr?.on("data", (chunk: Buffer) => {
    output.stderr += chunk.toString();
  });
  child.stdout?.on("data", (chunk: Buffer) => {
    output.stdout += chunk.toString();
    if (output.stdout.includes("listens on")) child.kill("SIGTERM");
  });
  await endOf(child);
  return output;
}

describe("a start that cannot succeed ends with a message and its own exit code:", () => {
  test("a data directory that is a file", async () => {
    const path = join(directory(), "file");
    writeFileSync(path, "");
    const end = await runHost(flags(path));
    expect(end.status).toBe(3);
    expect(end.stderr).toContain("DATA_DIR_UNWRITABLE");
    expect(end.stderr).toContain(path);
    expect(end.stdout).toBe("");
  });

  test("a data directory on a read-only file system", async (context) => {
    const end = await runHost(flags(join(mounted(context, "ro"), "data")));
    expect(end.status).toBe(3);
    expect(end.stderr).toContain("DATA_DIR_UNWRITABLE");
  });

  test("a data directory without any space", async (context) => {
    const path = mounted(context, "size=64k");
    writeFileSync(join(path, "filler"), Buffer.alloc(60_000));
    const end = await runHost(flags(join(path, "data")));
    expect(end.status).toBe(3);
    expect(end.stderr).toContain("STORAGE_FULL");
  });

  test("a data directory that another host uses", async () => {
    await using host = await HostUnderTest.start();
    const end = await runHost(flags(host.dataDirectory));
    expect(end.status).toBe(3);
    expect(end.stderr).toContain("DATA_DIR_LOCKED");
    expect((await host.api("GET", "/readyz")).status).toBe(200);
  });

  test("records of a newer host", async () => {
    const path = directory();
    const storage = await startStorageThread({ directory: join(path, "state") });
    const value = Buffer.from(JSON.stringify({ format: 99, record: {} }));
    await storage.client().write(systemKey("tenants", "acme"), { kind: "put", value }, "durable");
    await storage.close();
    const end = await runHost(flags(path));
    expect(end.status).toBe(3);
    expect(end.stderr).toContain("DATA_DIR_NEWER");
    expect(end.stderr).toContain("99");
  });

  test("records that are no records", async () => {
    const path = directory();
    const storage = await startStorageThread({ directory: join(path, "state") });
    const value = Buffer.from("{");
    await storage.client().write(systemKey("tenants", "acme"), { kind: "put", value }, "durable");
    await storage.close();
    const end = await runHost(flags(path));
    expect(end.status).toBe(3);
    expect(end.stderr).toContain("DATA_DIR_CORRUPT");
  });

  test("an address that is in use", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => {
      server.close();
    });
    await new Promise((resolve) => {
      server.once("listening", resolve);
    });
    const port = at(server.address(), "port");
    const end = await runHost([...flags(directory()), `--listen-port=${String(port)}`]);
    expect(end.status).toBe(4);
    expect(end.stderr).toContain("ADDRESS_IN_USE");
    expect(end.stderr).toContain(String(port));
  });

  test.each([
    [["--lisen-port=1"], "did you mean --listen-port?"],
    [["--listen-port"], "needs a value"],
    [["--listen-port=x"], "listenPort"],
    [["--executors=0"], "executors"],
    [["start"], "unexpected argument start"],
    [["--config=/nowhere.json"], "/nowhere.json"],
    [["--listen-host=256.0.0.1", "--listen-port=0"], "cannot listen"],
  ])("the flags %j", async (given, message) => {
    const end = await runHost([`--data-directory=${directory()}`, ...given]);
    expect(end.status).toBe(2);
    expect(end.stderr).toContain(message);
    expect(end.stderr).toContain("CONFIG_INVALID");
  });
});

describe("the command line", () => {
  test("shows help with examples, and the version", async () => {
    const help = await runHost(["--help"]);
    expect(help.status).toBe(0);
    expect(help.stdout).toContain("Examples:");
    expect((await runHost(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/u);
  });

  test("prints the settings in effect from every source, and starts nothing", async () => {
    const file = join(directory(), "host.json");
    writeFileSync(file, '{"executors": 7, "logLevel": "warn"}');
    const end = await runHost(["--config", file, "--print-config", "--metrics-open"], {
      DOWNPOUR_LOG_LEVEL: "error",
    });
    expect(end.status).toBe(0);
    expect(JSON.parse(end.stdout)).toMatchObject({
      executors: 7,
      logLevel: "error",
      metricsOpen: true,
    });
  });
});

describe("the admin token", () => {
  test("is shown once on standard output, and never in the log", async () => {
    const dataDirectory = directory();
    const outputs = [await startAndStop(dataDirectory), await startAndStop(dataDirectory)];
    const [first, second] = outputs.map(({ stdout }) => /dpadmin_[\w-]{43}/u.exec(stdout)?.[0]);
    expect(first).toBeDefined();
    expect(second).toBeUndefined();
    for (const { stderr } of outputs) expect(stderr).not.toContain("dpadmin_");
  });

  test("is written to a file that only its owner reads, and is the same after a restart", async () => {
    await using host = await HostUnderTest.start();
    expect(statSync(`${host.dataDirectory}.token`).mode & 0o777).toBe(0o600);
    expect(host.output).not.toContain(host.adminToken);
    await host.stop();
    await using again = await host.restart();
    expect(again.adminToken).toBe(host.adminToken);
    expect((await again.admin("GET", "/v1/tenants")).status).toBe(200);
  });

  test("can be made anew, and the old one is refused from then on", async () => {
    await using host = await HostUnderTest.start();
    await host.stop();
    await using again = await host.restart(["--reset-admin-token"]);
    expect(again.adminToken).not.toBe(host.adminToken);
    expect((await again.admin("GET", "/v1/tenants")).status).toBe(200);
    const old = await again.api("GET", "/v1/tenants", { token: host.adminToken });
    expect(old.code).toBe("UNAUTHENTICATED");
  });
});

describe("SIGTERM", () => {
  test("lets a running invocation end, refuses new ones, and ends with 0", async () => {
    await using host = await HostUnderTest.start();
    const tenant = await host.tenant("acme");
    await tenant.deploy("app", await behaviours());
    await tenant.invoke("app/version", null);
    const running = tenant.invoke("app/slow", 1_500);
    await expect
      .poll(async () => at((await host.admin("GET", "/readyz")).json(), "inFlight"))
      .toBe(1);
    const ended = host.stop();
    await expect.poll(async () => (await host.api("GET", "/readyz")).status).toBe(503);
    const refused = await tenant.invoke("app/version", null);
    expect(refused.status).toBe(503);
    expect(refused.code).toBe("HOST_DRAINING");
    expect((await running).json()).toBe("done");
    expect(await ended).toEqual({ status: 0, signal: null });
  });

  test("waits no longer than it was told for an invocation that does not end", async () => {
    await using host = await HostUnderTest.start({ flags: ["--drain-timeout-ms=300"] });
    const tenant = await host.tenant("acme");
    await tenant.deploy("app", await behaviours());
    const running = tenant.invoke("app/slow", 60_000);
    await expect
      .poll(async () => at((await host.admin("GET", "/readyz")).json(), "inFlight"))
      .toBe(1);
    const ended = host.stop();
    expect((await running).code).toBe("HOST_DRAINING");
    expect(await ended).toEqual({ status: 0, signal: null });
  });

  test("ends who follows a log", async () => {
    await using host = await HostUnderTest.start();
    const tenant = await host.tenant("acme");
    await tenant.deploy("app", await behaviours());
    const followed = tenant.api("GET", "/v1/apps/app/logs?follow=true");
    await expect.poll(async () => (await host.api("GET", "/healthz")).status).toBe(200);
    const ended = host.stop();
    expect((await followed).body.toString()).toContain("host-draining");
    expect(await ended).toEqual({ status: 0, signal: null });
  });

  test("twice ends the process at once", async () => {
    await using host = await HostUnderTest.start({ flags: ["--drain-timeout-ms=60000"] });
    const tenant = await host.tenant("acme");
    await tenant.deploy("app", await behaviours());
    const running = tenant.invoke("app/slow", 60_000).catch(() => undefined);
    await expect
      .poll(async () => at((await host.admin("GET", "/readyz")).json(), "inFlight"))
      .toBe(1);
    host.child.kill("SIGTERM");
    await expect.poll(async () => (await host.api("GET", "/readyz")).status).toBe(503);
    host.child.kill("SIGTERM");
    expect(await endOf(host.child)).toEqual({ status: 130, signal: null });
    await running;
  });
});

describe("after kill -9 and another start", () => {
  test("tenants, quotas, tokens, apps, revisions, settings and state are as they were acknowledged", async () => {
    await using host = await HostUnderTest.start();
    const tenant = await host.tenant("acme", { appsMax: 3 });
    await tenant.deploy("app", await behaviours("one"));
    await tenant.deploy("app", await behaviours("two"));
    await tenant.api("PATCH", "/v1/apps/app", { json: { deadlineMs: 12_345 } });
    await tenant.api("PUT", "/v1/state/k", { body: "v" });
    await tenant.invoke("app/visit", "home");
    const before = (await tenant.api("GET", "/v1/apps/app")).json();
    await host.kill();

    await using again = await host.restart();
    const returned = tenant.on(again);
    expect((await returned.api("GET", "/v1/apps/app")).json()).toEqual(before);
    expect((await returned.invoke("app/version", null)).json()).toBe("two");
    expect((await returned.invoke("app/visit", "home")).json()).toBe(2);
    expect((await returned.api("GET", "/v1/state/k")).body.toString()).toBe("v");
    const shown = await again.admin("GET", "/v1/tenants/acme");
    expect(at(shown.json(), "quotas", "appsMax")).toBe(3);
    await returned.api("POST", "/v1/apps/app/rollback");
    expect((await returned.invoke("app/version", null)).json()).toBe("one");
  });

  test("in the middle of adds, no acknowledged one is lost", async () => {
    await using host = await HostUnderTest.start();
    const tenant = await host.tenant("acme");
    await tenant.deploy("app", await behaviours());
    let acknowledged = 0;
    const adders = Array.from({ length: 16 }, async () => {
      for (;;) {
        const answer = await tenant.invoke("app/visit", "home");
        if (answer.status === 200) acknowledged += 1;
      }
    });
    const over = Promise.allSettled(adders);
    await expect.poll(() => acknowledged, { timeout: 20_000 }).toBeGreaterThan(300);
    await host.kill();
    await over;

    await using again = await host.restart();
    const counter = await tenant.on(again).api("GET", "/v1/state/home");
    const value = Number(at(counter.json(), "value"));
    expect(value).toBeGreaterThanOrEqual(acknowledged);
    // What was on its way when the host was killed may count, and nothing else.
    expect(value).toBeLessThanOrEqual(acknowledged + adders.length);
  });

  test("a deployment that was not answered is whole or not there", async () => {
    await using host = await HostUnderTest.start();
    const tenant = await host.tenant("acme");
    await tenant.deploy("app", await behaviours("one"));
    const upload = tenant.upload("app", await behaviours("two")).catch(() => undefined);
    await expect.poll(async () => (await host.api("GET", "/healthz")).status).toBe(200);
    await host.kill();
    await upload;
    await using again = await host.restart();
    const version = (await tenant.on(again).invoke("app/version", null)).json();
    expect(["one", "two"]).toContain(version);
  });

  test("a deletion of a tenant that was not finished goes on", async () => {
    await using host = await HostUnderTest.start();
    const tenant = await host.tenant("acme");
    await Promise.all(
      Array.from({ length: 3_000 }, (_, n) => tenant.api("PUT", `/v1/state/k${n}`, { body: "v" })),
    );
    const deletion = host.admin("DELETE", "/v1/tenants/acme").catch(() => undefined);
    await expect
      .poll(async () => (await tenant.api("GET", "/v1/state")).status, { interval: 1 })
      .toBe(401);
    await host.kill();
    await deletion;
    await using again = await host.restart();
    await expect
      .poll(async () => (await again.admin("GET", "/v1/tenants/acme")).code)
      .toBe("TENANT_NOT_FOUND");
    const next = await again.tenant("acme");
    expect((await next.api("GET", "/v1/state")).json()).toEqual({ entries: [] });
  });

  test("usage is not counted too low by a kill, however seldom it is stored", async () => {
    await using host = await HostUnderTest.start({ flags: ["--usage-flush-interval-ms=3600000"] });
    const tenant = await host.tenant("acme");
    await tenant.deploy("app", await behaviours());
    for (let n = 0; n < 5; n += 1) await tenant.invoke("app/version", null);
    await host.kill();
    await using again = await host.restart();
    const usage = (await tenant.on(again).api("GET", "/v1/usage")).json();
    expect(at(usage, "total", "invocations")).toBeGreaterThanOrEqual(5);
    expect(at(usage, "total", "invocations")).toBeLessThanOrEqual(1_005);
  });

  test("usage is there, but for what came after the last flush", async () => {
    await using host = await HostUnderTest.start({ flags: ["--usage-flush-interval-ms=100"] });
    const tenant = await host.tenant("acme");
    await tenant.deploy("app", await behaviours());
    for (let n = 0; n < 5; n += 1) await tenant.invoke("app/version", null);
    await host.stop();
    await using again = await host.restart();
    const usage = await tenant.on(again).api("GET", "/v1/usage");
    expect(at(usage.json(), "total", "invocations")).toBe(5);
    expect((await tenant.on(again).api("GET", "/v1/usage/app")).json()).toMatchObject({
      app: "app",
      invocations: 5,
      functions: [{ function: "version", invocations: 5, errors: 0 }],
    });
  });
});

test("a host whose only executor is being replaced is not ready, and then is again", async () => {
  // What computes is not put aside, and so holds its thread.
  await using host = await HostUnderTest.start({
    flags: ["--executors=1", "--executor-slice-ms=3600000"],
  });
  const tenant = await host.tenant("acme");
  await tenant.deploy("app", await behaviours());
  const readiness = (): Promise<Answer> => host.api("GET", "/readyz");
  const endless = tenant.invoke("app/spin", null, { headers: { "downpour-deadline-ms": "100" } });
  let answer = await readiness();
  await expect
    .poll(
      async () => {
        answer = await readiness();
        return answer.status;
      },
      { interval: 5, timeout: 10_000 },
    )
    .toBe(503);
  expect(answer.json()).toMatchObject({ status: "no-executor", executors: 0 });
  await expect.poll(async () => (await readiness()).status, { timeout: 10_000 }).toBe(200);
  expect((await endless).code).toBe("DEADLINE_EXCEEDED");
});

describe("artifacts", () => {
  test("that were damaged on disk are made again from the component", async () => {
    await using host = await HostUnderTest.start();
    const tenant = await host.tenant("acme");
    await tenant.deploy("app", await behaviours());
    const app = (await tenant.api("GET", "/v1/apps/app")).json();
    await host.stop();
    const component = String(at(app, "revision"));
    for (const path of artifactFiles(host.dataDirectory)) {
      if (!path.endsWith(component)) writeFileSync(path, "damaged");
    }
    await using again = await host.restart();
    expect((await tenant.on(again).invoke("app/version", null)).json()).toBe("one");
  });

  test("that are all damaged are repaired by an upload of the same bytes, for good", async () => {
    await using host = await HostUnderTest.start();
    const tenant = await host.tenant("acme");
    await tenant.deploy("app", await behaviours());
    await host.stop();
    const paths = artifactFiles(host.dataDirectory);
    const sound = paths.map((path) => readFileSync(path));
    for (const path of paths) writeFileSync(path, "damaged");
    await using again = await host.restart();
    const returned = tenant.on(again);
    expect((await returned.invoke("app/version", null)).code).toBe("ARTIFACT_DAMAGED");
    const repaired = await returned.upload("app", await behaviours());
    expect(at(repaired.json(), "outcome")).toBe("unchanged");
    expect((await returned.invoke("app/version", null)).json()).toBe("one");
    expect(paths.map((path) => readFileSync(path))).toEqual(sound);
  });

  test("that are all damaged are said to be, and a new upload repairs the app", async () => {
    await using host = await HostUnderTest.start();
    const tenant = await host.tenant("acme");
    await tenant.deploy("app", await behaviours());
    await host.stop();
    for (const path of artifactFiles(host.dataDirectory)) writeFileSync(path, "damaged");
    await using again = await host.restart();
    const returned = tenant.on(again);
    expect((await returned.invoke("app/version", null)).code).toBe("ARTIFACT_DAMAGED");
    await returned.deploy("app", await behaviours("two"));
    expect((await returned.invoke("app/version", null)).json()).toBe("two");
  });
});

test("a disk that fills up refuses writes by name, keeps reading, and recovers when there is space", async (context) => {
  const path = mounted(context, "size=24m");
  await using host = await HostUnderTest.start({ dataDirectory: join(path, "data") });
  const tenant = await host.tenant("acme");
  await tenant.deploy("app", await behaviours());
  await tenant.api("PUT", "/v1/state/k", { body: "v" });
  const filler = join(path, "filler");
  try {
    writeFileSync(filler, Buffer.alloc(24 * 1_024 * 1_024));
  } catch {
    // That is the purpose: it takes what there is.
  }
  const upload = await tenant.upload("other", await behaviours("two"));
  expect(upload.status).toBe(507);
  expect(upload.code).toBe("STORAGE_FULL");
  const write = await tenant.api("PUT", "/v1/state/large", { body: "x".repeat(900_000) });
  expect(write.status).toBe(507);
  expect(write.code).toBe("STORAGE_FULL");
  // The function has been told that its write is taken; its answer waits for the disk.
  const answer = await tenant.invoke("app/remember", "x".repeat(900_000));
  expect(answer.status).toBe(507);
  expect(answer.code).toBe("STORAGE_FULL");
  expect((await tenant.api("GET", "/v1/state/note")).status).toBe(404);
  expect((await tenant.api("GET", "/v1/state/k")).body.toString()).toBe("v");
  expect((await tenant.invoke("app/version", null)).json()).toBe("one");
  rmSync(filler);
  expect((await tenant.upload("other", await behaviours("two"))).status).toBe(201);
  expect((await tenant.api("PUT", "/v1/state/large", { body: "y" })).status).toBe(204);
  expect((await tenant.invoke("app/remember", "short")).status).toBe(200);
  expect((await tenant.invoke("app/recall", null)).json()).toBe("short");
  expect((await tenant.api("GET", "/v1/state/k")).body.toString()).toBe("v");
});

function artifactFiles(dataDirectory: string): readonly string[] {
  const root = join(dataDirectory, "artifacts");
  return execFileSync("find", [root, "-type", "f"]).toString().trim().split("\n");
}
