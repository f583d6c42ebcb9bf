import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { isProcessAlive } from "../../cli/dev/dev-lock.ts";
import { freePort } from "../../cli/host-process.ts";
import { CLI_MAIN, at, cleanEnvironment, runCli, temporaryFolder } from "./harness.ts";

const EVENT_TIMEOUT_MS = 30_000;

/** One `downpour dev --json`: its events in order, each to be waited for. */
interface Dev extends AsyncDisposable {
  readonly child: ChildProcess;
  /** The next event of the kind that has not been taken yet. */
  next(event: string): Promise<unknown>;
}

async function startDev(directory: string, args?: readonly string[]): Promise<Dev> {
  const where = args ?? ["--port", String(await freePort(0))];
  const child = spawn(process.execPath, [CLI_MAIN, "dev", "--json", ...where], {
    cwd: directory,
    env: cleanEnvironment(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const events: unknown[] = [];
  let wake = Promise.withResolvers<void>();
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) events.push(JSON.parse(line));
    wake.resolve();
    wake = Promise.withResolvers();
  });
  return {
    child,
    next: async (kind) => {
      const timeout = AbortSignal.timeout(EVENT_TIMEOUT_MS);
      for (;;) {
        const index = events.findIndex((event) => at(event, "event") === kind);
        if (index !== -1) return events.splice(0, index + 1).at(-1);
        await Promise.race([wake.promise, once(timeout, "abort")]);
        if (timeout.aborted) {
          throw new Error(`no event ${kind}; there were ${JSON.stringify(events)}`);
        }
      }
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGINT");
      await exited;
    },
  };
}

function source(answer: string): string {
  return `import { fn } from "@downpour/sdk";

export const say = fn((text?: string) => {
  console.log(\`said \${text}\`);
  return ${answer};
});
`;
}

function project(): ReturnType<typeof temporaryFolder> {
  return temporaryFolder({
    "downpour.json": `{"app":"talk"}`,
    "package.json": `{"name":"talk","type":"module"}`,
    "src/index.ts": source(`"one"`),
  });
}

async function invoke(directory: string): Promise<string> {
  return (await runCli(["invoke", "say", '"hi"'], { directory })).stdout.trim();
}

async function untilGone(pid: number): Promise<void> {
  const deadlineAt = performance.now() + EVENT_TIMEOUT_MS;
  while (isProcessAlive(pid)) {
    if (performance.now() > deadlineAt) throw new Error(`process ${pid} is still there`);
    await sleep(20);
  }
}

describe("downpour dev", { timeout: 120_000 }, () => {
  test("each save gives a new answer; one that does not build keeps the old answer", async () => {
    using folder = project();
    await using dev = await startDev(folder.path);
    const watching = await dev.next("watching");
    expect(watching).toMatchObject({ app: "talk", functions: ["say"] });
    expect(await invoke(folder.path)).toBe('"one"');
    expect(await dev.next("log")).toMatchObject({ function: "say", message: "said hi" });

    for (const answer of ['"two"', '"three"']) {
      folder.write("src/index.ts", source(answer));
      await dev.next("built");
      expect(await dev.next("deployed")).toMatchObject({ outcome: "updated" });
      expect(await invoke(folder.path)).toBe(answer);
    }

    // A log, a token, and a save that changes no byte are no change: only the source that is new is told of.
    folder.write("dev.log", "1");
    folder.write("acme.token", "1");
    folder.write("src/index.ts", source('"three"'));
    folder.write("src/other.ts", "export {};");
    expect(await dev.next("changed")).toMatchObject({ paths: ["src/other.ts"] });
    await dev.next("deployed");

    folder.write("src/index.ts", source("nowhere"));
    expect(await dev.next("failed")).toMatchObject({
      code: "BUILD_FAILED",
      details: { diagnostics: [{ file: "src/index.ts", line: 5 }] },
    });
    await dev.next("kept");
    expect(await invoke(folder.path)).toBe('"three"');

    folder.write("src/index.ts", source('"four"'));
    await dev.next("deployed");
    expect(await invoke(folder.path)).toBe('"four"');
  });

  test("the token is in a private file, and Ctrl-C leaves neither process nor lock", async () => {
    using folder = project();
    await using dev = await startDev(folder.path);
    await dev.next("watching");
    expect(statSync(join(folder.path, ".downpour/token")).mode & 0o777).toBe(0o600);
    const host: unknown = JSON.parse(
      readFileSync(join(folder.path, ".downpour/host.json"), "utf8"),
    );

    dev.child.kill("SIGINT");
    await dev.next("stopped");
    await once(dev.child, "exit");
    expect(dev.child.exitCode).toBe(0);
    expect(isProcessAlive(Number(at(host, "hostPid")))).toBe(false);
    expect(existsSync(join(folder.path, ".downpour/dev.lock"))).toBe(false);
  });

  test("a second one in the same folder says so", async () => {
    using folder = project();
    await using dev = await startDev(folder.path);
    await dev.next("host-ready");
    const second = await runCli(["dev", "--json"], { directory: folder.path });
    expect(second.status).toBe(1);
    expect(second.json()).toMatchObject({
      error: { code: "DEV_RUNNING", details: { pid: dev.child.pid } },
    });
  });

  test("a host that dies is reported, started again at the same address, and has the app and its state", async () => {
    using folder = project();
    folder.write(
      "src/index.ts",
      `import { fn, state } from "@downpour/sdk";
       export const say = fn(() => state.counter("n").add(1));`,
    );
    await using dev = await startDev(folder.path);
    const ready = await dev.next("host-ready");
    await dev.next("watching");
    expect(await invoke(folder.path)).toBe("1");

    process.kill(Number(at(ready, "pid")), "SIGKILL");
    expect(await dev.next("host-exited")).toMatchObject({ signal: "SIGKILL" });
    expect(await dev.next("host-ready")).toMatchObject({ isRestart: true, url: at(ready, "url") });
    expect(await invoke(folder.path)).toBe("2");
  });

  test("a killed dev leaves no host behind, and the next one starts", async () => {
    using folder = project();
    await using killed = await startDev(folder.path);
    const ready = await killed.next("host-ready");
    await killed.next("watching");
    killed.child.kill("SIGKILL");
    await untilGone(Number(at(ready, "pid")));

    // At the address of before: what was printed stays true.
    await using next = await startDev(folder.path, []);
    expect(await next.next("host-ready")).toMatchObject({ url: at(ready, "url") });
    await next.next("watching");
    expect(await invoke(folder.path)).toBe('"one"');
  });

  test("a folder without a project ends it with 2, and stays as it was", async () => {
    using folder = temporaryFolder({ "notes.txt": "mine" });
    const result = await runCli(["dev", "--json"], { directory: folder.path });
    expect(result.status).toBe(2);
    expect(result.json()).toMatchObject({
      error: {
        code: "PROJECT_NOT_FOUND",
        message: "there is no project here",
        hint: expect.stringContaining("downpour init"),
      },
    });
    expect(readdirSync(folder.path)).toEqual(["notes.txt"]);
  });

  test("a port that is taken is said to be taken", async () => {
    using folder = project();
    await using dev = await startDev(folder.path);
    const ready = await dev.next("host-ready");
    using other = project();
    const port = new URL(String(at(ready, "url"))).port;
    const result = await runCli(["dev", "--json", "--port", port], { directory: other.path });
    expect(result.status).toBe(1);
    expect(result.json()).toMatchObject({
      error: { code: "HOST_START_FAILED", message: `the port ${port} is taken` },
    });
  });

  test("a host that cannot start ends it, with what the host said", async () => {
    using folder = project();
    const result = await runCli(["dev", "--json"], {
      directory: folder.path,
      environment: { DOWNPOUR_EXECUTORS: "none" },
    });
    expect(result.status).toBe(1);
    const [error] = result.stdout.split("\n").filter((line) => line.includes('"error"'));
    expect(error).toContain("HOST_START_FAILED");
    expect(error).toContain("CONFIG_INVALID");
  });

  test("a save ends the build under way, and so does Ctrl-C", async () => {
    using folder = project();
    const endless =
      'import { fn } from "@downpour/sdk";\nexport const f = fn(() => 1);\nfor (;;) {}';
    folder.write("src/index.ts", endless);
    await using dev = await startDev(folder.path);
    await dev.next("host-ready");
    folder.write("src/index.ts", source(`"in time"`));
    await dev.next("watching");
    expect(await invoke(folder.path)).toBe('"in time"');

    folder.write("src/index.ts", endless);
    await dev.next("changed");
    dev.child.kill("SIGINT");
    await dev.next("stopped");
    await once(dev.child, "exit");
    expect(dev.child.exitCode).toBe(0);
  });

  test("a project that does not build at first is waited for", async () => {
    using folder = project();
    folder.write("src/index.ts", "export const x: number = '';");
    await using dev = await startDev(folder.path);
    expect(await dev.next("failed")).toMatchObject({ code: "BUILD_FAILED" });
    folder.write("src/index.ts", source(`"at last"`));
    await dev.next("watching");
    expect(await invoke(folder.path)).toBe('"at last"');
  });
});
