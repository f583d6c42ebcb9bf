import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CLI_MAIN,
  TEST_PROJECT,
  at,
  cleanEnvironment,
  runCli,
  startTestHost,
  temporaryFolder,
} from "./harness.ts";
import type { CliResult, TemporaryFolder, TestHost } from "./harness.ts";

// One host and one deployed app serve the whole file; each test uses keys and apps of its own.

let host: TestHost;
let project: TemporaryFolder;
let token: string;

beforeAll(async () => {
  project = temporaryFolder(TEST_PROJECT);
  host = await startTestHost();
  const created = await admin("tenants", "create", "acme", "--json");
  token = String(at(created.json(), "token"));
  const deployed = await cli("deploy", "--json");
  assert.equal(deployed.status, 0, deployed.stdout);
});

afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  project?.[Symbol.dispose]();
});

function cli(...args: readonly string[]): Promise<CliResult> {
  return cliWith({}, ...args);
}

function cliWith(
  options: { readonly stdin?: string | Uint8Array; readonly token?: string },
  ...args: readonly string[]
): Promise<CliResult> {
  return runCli(args, {
    directory: project.path,
    environment: { DOWNPOUR_URL: host.url, DOWNPOUR_TOKEN: options.token ?? token },
    ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
  });
}

function admin(...args: readonly string[]): Promise<CliResult> {
  return cliWith({ token: host.adminToken }, ...args);
}

describe("invoke", () => {
  test("prints the result and nothing else", async () => {
    const result = await cli("invoke", "parts/echo", '{"a":[1,"ü"]}');
    expect(result).toMatchObject({ status: 0, stdout: '{"a":[1,"ü"]}\n', stderr: "" });
  });

  test("names a function of this project's app without the app", async () => {
    expect(await cli("invoke", "echo", "1")).toMatchObject({ status: 0, stdout: "1\n" });
  });

  test("with --json the document has the result, the invocation and the revision", async () => {
    const result = await cli("invoke", "parts/echo", '"x"', "--json");
    expect(result.json()).toEqual({
      result: "x",
      mediaType: expect.stringContaining("application/json"),
      invocation: expect.any(String),
      revision: expect.stringMatching(/^[0-9a-f]{64}$/u),
      durationMs: expect.any(Number),
    });
  });

  test("takes the input from stdin and from a file", async () => {
    project.write("input.json", '"from a file"');
    expect(await cli("invoke", "echo", "--data", "@input.json")).toMatchObject({
      stdout: '"from a file"\n',
    });
    expect(await cliWith({ stdin: "[1]" }, "invoke", "echo", "-d", "-")).toMatchObject({
      stdout: "[1]\n",
    });
  });

  test("passes bytes on as they are", async () => {
    const result = await cli("invoke", "bytes");
    expect(result.status).toBe(0);
    expect([...result.stdoutBytes]).toEqual([0, 255, 10]);
    expect((await cli("invoke", "bytes", "--json")).json()).toMatchObject({
      resultBase64: Buffer.from([0, 255, 10]).toString("base64"),
    });
  });

  test("gives text as text, also in the document", async () => {
    expect(await cli("invoke", "page")).toMatchObject({ stdout: "<p>ü</p>\n" });
    const document = (await cli("invoke", "page", "--json")).json();
    expect(document).toMatchObject({ resultText: "<p>ü</p>", mediaType: "text/html" });
    expect(document).not.toHaveProperty("resultBase64");
  });

  test("input that is not JSON is a usage error that shows the quotes", async () => {
    const result = await cli("invoke", "echo", "home");
    expect(result.status).toBe(2);
    expect(result.stderr).toContain(`'"home"'`);
    expect((await cli("invoke", "echo", "-")).stderr).toContain("--data -");
  });

  test("a failure that the author raised has its own code and details", async () => {
    const result = await cli("invoke", "buy", "--json");
    expect(result.status).toBe(7);
    expect(result.json()).toMatchObject({
      error: {
        code: "FUNCTION_ERROR",
        message: "nothing is left",
        details: { functionCode: "sold-out", functionDetails: { left: 0 } },
      },
    });
    expect((await cli("invoke", "buy")).stderr).toContain('sold-out {"left":0}');
  });

  test("an exception shows the author's file and line", async () => {
    const result = await cli("invoke", "crash", "[]");
    expect(result.status).toBe(7);
    expect(result.stderr).toContain("TypeError:");
    expect(result.stderr).toContain("FUNCTION_THREW");
    expect(result.stderr).toContain("src/index.ts:12:");
  });

  test("a function that is not there ends with 4", async () => {
    expect(await cli("invoke", "parts/none")).toMatchObject({
      status: 4,
      stderr: expect.stringContaining("FUNCTION_NOT_FOUND"),
    });
    expect((await cli("invoke", "parts/none")).stderr).toMatch(
      /the app parts has no function none .*\n.*apps show parts/u,
    );
    expect(await cli("invoke", "none/x")).toMatchObject({
      status: 4,
      stderr: expect.stringContaining("there is no app none"),
    });
  });

  test("a deadline ends it", async () => {
    project.write(
      "slow/index.ts",
      `import { fn } from "@downpour/sdk";
       export const spin = fn(() => { for (;;) {} });`,
    );
    expect(
      await cli("deploy", "--entry", "slow/index.ts", "--app", "slow", "--json"),
    ).toMatchObject({ status: 0 });
    const result = await cli("invoke", "slow/spin", "--deadline-ms", "200", "--json");
    expect(result.status).toBe(7);
    expect(result.json()).toMatchObject({ error: { code: "DEADLINE_EXCEEDED" } });
  });
});

describe("who may do what", () => {
  test("no token ends with 3 and says where one comes from", async () => {
    const result = await runCli(["apps"], {
      directory: project.path,
      environment: { DOWNPOUR_URL: host.url },
    });
    expect(result.status).toBe(3);
    expect(result.stderr).toContain("DOWNPOUR_TOKEN");
  });

  test("a wrong token ends with 3, and is not repeated", async () => {
    const result = await cliWith({ token: "dp_wrong_secret" }, "apps");
    expect(result.status).toBe(3);
    expect(result.stderr).not.toContain("dp_wrong_secret");
  });

  test("a deploy that may not be made is refused before anything is built", async () => {
    const unknown = await cliWith({ token: "dp_wrong_secret" }, "deploy");
    expect(unknown).toMatchObject({ status: 3, stderr: expect.not.stringContaining("built") });
    const away = await cli("deploy", "--url", "http://127.0.0.1:1");
    expect(away).toMatchObject({ status: 5, stderr: expect.not.stringContaining("built") });
  });

  test("a tenant's token does not manage tenants", async () => {
    const result = await cli("tenants", "ls", "--json");
    expect(result.status).toBe(3);
    expect(result.json()).toMatchObject({ error: { code: "FORBIDDEN" } });
  });

  test("no host ends with 5 and says how to start one", async () => {
    const result = await runCli(["status", "--url", "http://127.0.0.1:1"], {
      directory: project.path,
    });
    expect(result.status).toBe(5);
    expect(result.stderr).toContain("downpour dev");
  });
});

describe("state", () => {
  test("what is put is got, byte for byte", async () => {
    const bytes = new Uint8Array([0, 1, 254, 255]);
    expect(
      await cliWith({ stdin: bytes }, "state", "put", "blob/ü?#%2F", "--raw", "--data", "-"),
    ).toMatchObject({ status: 0 });
    const got = await cli("state", "get", "blob/ü?#%2F");
    expect([...got.stdoutBytes]).toEqual([...bytes]);
    expect((await cli("state", "get", "blob/ü?#%2F", "--json")).json()).toEqual({
      key: "blob/ü?#%2F",
      kind: "register",
      valueBase64: Buffer.from(bytes).toString("base64"),
    });
  });

  test("what is not JSON is put only where one says so", async () => {
    const refused = await cli("state", "put", "word", "hello");
    expect(refused).toMatchObject({ status: 2, stdout: "" });
    expect(refused.stderr).toContain(`'"hello"'`);
    expect(refused.stderr).toContain("--raw");
    const file = new Uint8Array([0, 255]);
    expect(await cliWith({ stdin: file }, "state", "put", "word", "-d", "-")).toMatchObject({
      status: 2,
    });
    expect(await cli("state", "get", "word")).toMatchObject({ status: 4 });
    expect(await cli("state", "put", "word", "hello", "--raw")).toMatchObject({ status: 0 });
    expect(await cli("state", "get", "word")).toMatchObject({ stdout: "hello" });
    expect(await cli("state", "put", "word", '"hello"')).toMatchObject({ status: 0 });
    expect(await cli("state", "get", "word")).toMatchObject({ stdout: '"hello"' });
  });

  test("a counter is added to and read, from outside and by a function", async () => {
    expect(await cli("invoke", "add", "5")).toMatchObject({ stdout: "5\n" });
    expect(await cli("state", "add", "total", "--", "-2")).toMatchObject({ stdout: "3\n" });
    expect(await cli("state", "get", "total")).toMatchObject({ stdout: "3\n" });
    expect((await cli("state", "get", "total", "--json")).json()).toEqual({
      key: "total",
      kind: "counter",
      value: 3,
    });
  });

  test("a list has the keys with a prefix, over pages and up to a limit", async () => {
    for (const key of ["list/a", "list/b", "list/c"]) await cli("state", "put", key, "1");
    expect((await cli("state", "ls", "list/", "--json")).json()).toEqual({
      entries: ["list/a", "list/b", "list/c"].map((key) => ({ key, kind: "register" })),
    });
    expect((await cli("state", "ls", "list/", "-n", "2", "--json")).json()).toMatchObject({
      entries: [{ key: "list/a" }, { key: "list/b" }],
      next: "list/b",
    });
    expect(await cli("state", "ls", "list/")).toMatchObject({
      stdout: expect.stringContaining("list/c"),
    });
  });

  test("a key with a line break is one line, and no keys are said to be none", async () => {
    await cli("state", "put", "broken/line\nbreak", "1");
    const listed = await cli("state", "ls", "broken/");
    expect(listed.stdout).toMatch(/^register {2}broken\/line\\u000abreak$/mu);
    expect(await cli("state", "ls", "none/")).toMatchObject({
      status: 0,
      stdout: "",
      stderr: "no such keys\n",
    });
  });

  test("a removed key is not there, and ends with 4", async () => {
    await cli("state", "put", "gone", "1");
    expect(await cli("state", "rm", "gone")).toMatchObject({ status: 0 });
    const result = await cli("state", "get", "gone", "--json");
    expect(result.status).toBe(4);
    expect(result.json()).toMatchObject({ error: { code: "STATE_KEY_NOT_FOUND" } });
  });

  test("a value has to be given once", async () => {
    expect(await cli("state", "put", "k")).toMatchObject({ status: 2 });
    expect(await cli("state", "put", "k", "v", "-d", "v")).toMatchObject({ status: 2 });
    expect(await cli("state", "put", "k", "-d", "@/none/there")).toMatchObject({ status: 2 });
  });

  test("adding to a register is refused with the host's code", async () => {
    await cli("state", "put", "register", "1");
    expect((await cli("state", "add", "register", "--json")).json()).toMatchObject({
      error: { code: "STATE_KIND_MISMATCH" },
    });
  });
});

describe("logs", () => {
  test("show what a function wrote, without what could drive a terminal", async () => {
    await cli("invoke", "say", '"first line\\u001b[2J"');
    const result = await cli("logs");
    expect(result.stdout).toMatch(/info {2}say {2}first line\\u001b\[2J/u);
    const page = (await cli("logs", "parts", "-n", "1", "--json")).json();
    expect(page).toMatchObject({ entries: [{ function: "say", level: "info" }] });
  });

  test("have no empty line for an exception without a stack, and no word on what a limit leaves out", async () => {
    await cli("invoke", "toss");
    expect(await cli("logs", "-n", "1")).toMatchObject({
      stdout: expect.stringMatching(/^\S+ error toss {2}Uncaught Error: "no error"\n$/u),
      stderr: "",
    });
  });
});

/** An app whose function says which version it is. */
function version(text: string): string {
  return `import { fn } from "@downpour/sdk"; export const which = fn(() => "${text}");`;
}

describe("apps", () => {
  test("are deployed, listed, rolled back, configured and removed", async () => {
    project.write("which/index.ts", version("one"));
    const one = await cli("deploy", "--app", "which", "--entry", "which/index.ts", "--json");
    expect(one.json()).toMatchObject({ app: "which", outcome: "created" });
    project.write("which/index.ts", version("two"));
    const two = await cli("deploy", "--app", "which", "--entry", "which/index.ts");
    expect(two.stdout).toContain(`POST ${host.url}/v1/invoke/which/which`);
    expect(await cli("invoke", "which/which")).toMatchObject({ stdout: '"two"\n' });

    expect((await cli("apps", "--json")).json()).toMatchObject({
      apps: expect.arrayContaining([expect.objectContaining({ app: "which" })]),
    });
    expect(await cli("apps", "show", "which")).toMatchObject({
      stdout: expect.stringContaining("active"),
    });

    expect(await cli("apps", "rollback", "which")).toMatchObject({ status: 0 });
    expect(await cli("invoke", "which/which")).toMatchObject({ stdout: '"one"\n' });
    const [newest] = [
      at((await cli("apps", "show", "which", "--json")).json(), "revisions"),
    ].flat();
    expect(newest).toMatchObject({ active: false });
    const second = String(at(newest, "revision"));
    expect(await cli("apps", "rollback", "which", "--to", second.slice(0, 12))).toMatchObject({
      status: 0,
    });
    expect(await cli("invoke", "which/which")).toMatchObject({ stdout: '"two"\n' });

    expect(await cli("apps", "rm", "which")).toMatchObject({ status: 2 });
    expect(await cli("apps", "rm", "which", "--yes")).toMatchObject({ status: 0 });
    expect(await cli("invoke", "which/which")).toMatchObject({ status: 4 });
  });

  test("a variable is set and unset beside the others", async () => {
    await cli("apps", "set", "parts", "--env", "A=1", "--env", "B=2", "--deadline-ms", "2000");
    const set = await cli("apps", "set", "parts", "--unset", "A", "deadline-ms", "--json");
    expect(set.json()).toMatchObject({ config: { environment: { B: "2" } } });
    expect(set.json()).not.toMatchObject({ config: { deadlineMs: 2_000 } });
    expect(await cli("apps", "set", "parts")).toMatchObject({ status: 2 });
  });

  test("a component from a file is streamed to the host", async () => {
    expect(await cli("build", "--out", "out/parts.wasm", "--json")).toMatchObject({ status: 0 });
    expect((await cli("deploy", "out/parts.wasm", "--app", "copy", "--json")).json()).toMatchObject(
      {
        app: "copy",
        sizes: { componentBytes: statSync(join(project.path, "out/parts.wasm")).size },
      },
    );
  });

  test("what is not a component is refused with the host's code, and a missing file at once", async () => {
    project.write("garbage.wasm", "not wasm at all");
    const refused = await cli("deploy", "garbage.wasm", "--app", "garbage", "--json");
    expect(refused).toMatchObject({ status: 1 });
    expect(refused.json()).toMatchObject({ error: { code: "COMPONENT_MALFORMED" } });
    expect(await cli("deploy", "none.wasm")).toMatchObject({ status: 2 });
  });
});

describe("build", () => {
  test("writes the component and names its functions", async () => {
    const result = await cli("build", "--json");
    expect(result.json()).toMatchObject({
      outFile: join(project.path, "dist/parts.wasm"),
      functions: expect.arrayContaining(["add", "echo"]),
    });
    expect(readFileSync(join(project.path, "dist/parts.wasm")).subarray(0, 4)).toEqual(
      Buffer.from("\0asm"),
    );
  });

  test("a syntax error ends with 6, and its first line says where it is", async () => {
    project.write("syntax/index.ts", "export const a = {\n  b: 1;\n};\n");
    const result = await cli("build", "syntax/index.ts");
    expect(result.status).toBe(6);
    expect(result.stderr).toMatch(/^error: the syntax is wrong in syntax\/index\.ts, line 2/mu);
  });

  test("of many functions the first are listed, and how many more there are", async () => {
    const names = Array.from({ length: 25 }, (_, index) => `f${index}`);
    const functions = names.map((name) => `export const ${name} = fn(() => null);`);
    project.write(
      "many/index.ts",
      `import { fn } from "@downpour/sdk";\n${functions.join("\n")}\n`,
    );
    const result = await cli("build", "many/index.ts");
    expect(result.stdout.match(/^ {2}parts\/f\d+$/gmu)).toHaveLength(20);
    expect(result.stdout).toContain("  and 5 more");
    expect(at((await cli("build", "many/index.ts", "--json")).json(), "functions")).toEqual(
      names.toSorted(),
    );
  });

  test("Ctrl-C ends it with 130, and what it began with it", async () => {
    project.write(
      "endless/index.ts",
      `import { fn } from "@downpour/sdk";\nexport const f = fn(() => 1);\nfor (;;) {}\n`,
    );
    using temporary = temporaryFolder();
    const child = spawn(process.execPath, [CLI_MAIN, "build", "endless/index.ts"], {
      cwd: project.path,
      env: cleanEnvironment({ TMPDIR: temporary.path }),
      stdio: ["ignore", "ignore", "pipe"],
    });
    const exited = once(child, "exit");
    child.stderr.setEncoding("utf8");
    // The step has begun and goes on.
    const [begun] = await once(child.stderr, "data");
    expect(begun).toContain("building");
    child.kill("SIGINT");
    const stderr = (await child.stderr.toArray()).join("");
    await exited;
    expect(child.exitCode).toBe(130);
    expect(stderr).toContain("interrupted");
    expect(readdirSync(temporary.path)).toEqual([]);
  });

  test("a type error ends with 6, names file and line, and writes nothing", async () => {
    project.write("wrong/index.ts", `export const wrong: number = "text";\n`);
    const result = await cli("build", "wrong/index.ts", "--out", "wrong.wasm");
    expect(result.status).toBe(6);
    expect(result.stderr).toContain("wrong/index.ts:1:14");
    expect(() => statSync(join(project.path, "wrong.wasm"))).toThrow("ENOENT");
  });
});

describe("tenants", () => {
  test("a token goes into a private file, or is printed once", async () => {
    const created = await admin("tenants", "create", "printed");
    expect(created.status).toBe(0);
    expect(await cliWith({ token: created.stdout.trim() }, "apps", "--json")).toMatchObject({
      stdout: '{"apps":[]}\n',
    });

    const kept = await admin("tenants", "create", "kept", "--token-out", "kept.token", "--json");
    expect(JSON.stringify(kept.json())).not.toContain("dp_");
    const path = join(project.path, "kept.token");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const status = await runCli(["status", "--token-file", "kept.token", "--json"], {
      directory: project.path,
      environment: { DOWNPOUR_URL: host.url },
    });
    expect(status.json()).toMatchObject({ identity: { role: "tenant", tenant: "kept" } });
  });

  test("tokens are listed, made for one purpose and replaced; tenants are suspended and resumed", async () => {
    await admin("tenants", "create", "scoped");
    const scopes = ["--scope", "invoke", "--scope", "state"];
    const made = await admin("tenants", "token", "create", "scoped", ...scopes, "--json");
    const tokenId = String(at(made.json(), "tokenId"));
    expect((await admin("tenants", "token", "ls", "scoped")).stdout).toMatch(
      new RegExp(`^${tokenId} +invoke state `, "mu"),
    );
    const rotated = await admin("tenants", "token", "rotate", "scoped", tokenId, "--json");
    expect(rotated.json()).toMatchObject({ scopes: ["invoke", "state"] });
    expect((await admin("tenants", "token", "ls", "scoped")).stdout).not.toContain(tokenId);
    const wrong = await admin("tenants", "token", "create", "scoped", "--scope", "root");
    expect(wrong.status).toBe(2);
    expect(await admin("tenants", "suspend", "scoped")).toMatchObject({ status: 0 });
    expect((await admin("tenants", "ls")).stdout).toContain("scoped (suspended)");
    expect(await admin("tenants", "resume", "scoped")).toMatchObject({ status: 0 });
    expect((await admin("tenants", "ls")).stdout).not.toContain("suspended");
  });

  test("quotas are set, tokens made and revoked, tenants removed", async () => {
    await admin("tenants", "create", "temporary", "--apps-max", "3");
    const set = await admin("tenants", "set", "temporary", "--apps-max", "4", "--json");
    expect(set.json()).toMatchObject({ quotas: { appsMax: 4 } });

    const made = await admin("tenants", "token", "create", "temporary", "--json");
    const second = String(at(made.json(), "token"));
    const tokenId = String(at(made.json(), "tokenId"));
    expect(await cliWith({ token: second }, "usage")).toMatchObject({ status: 0 });
    expect(await admin("tenants", "token", "revoke", "temporary", tokenId)).toMatchObject({
      status: 0,
    });
    expect(await cliWith({ token: second }, "usage")).toMatchObject({ status: 3 });

    expect(await admin("tenants", "rm", "temporary")).toMatchObject({ status: 2 });
    expect(await admin("tenants", "rm", "temporary", "-y", "--json")).toMatchObject({ status: 0 });
    expect((await admin("tenants", "ls")).stdout).not.toMatch(/^temporary +\d/mu);
  });
});

describe("status and usage", () => {
  test("status names the host, where it comes from, and who one is", async () => {
    const result = await cli("status");
    expect(result.stdout).toContain(`${host.url} (from DOWNPOUR_URL)`);
    expect(result.stdout).toContain("tenant acme");
    expect((await cli("status", "--json")).json()).toMatchObject({
      health: { status: "ok" },
      readiness: { status: "ready" },
      identity: { role: "tenant", tenant: "acme" },
    });
  });

  test("status ends with 3 where the host refuses the token", async () => {
    const result = await cliWith({ token: "dp_wrong_secret" }, "status", "--json");
    expect(result.status).toBe(3);
    expect(result.json()).toMatchObject({ error: { code: "UNAUTHENTICATED" } });
  });

  test.each([
    ["any page", 200, "text/html", "<html>"],
    ["any JSON", 200, "application/json", `{"status":"ok"}`],
    ["that nothing is there", 404, "text/plain", "404 page not found"],
    ["JSON that has a code", 404, "application/json", `{"code":"not_found"}`],
  ])("a server that answers %s is no host: 5", async (_what, status, mediaType, text) => {
    const server = createServer((_request, response) => {
      response.writeHead(status, { "content-type": mediaType });
      response.end(text);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    assert(typeof address === "object" && address !== null);
    const url = `http://127.0.0.1:${address.port}`;
    try {
      for (const args of [["status"], ["invoke", "parts/echo", "1"]]) {
        const result = await cli(...args, "--url", url, "--json");
        expect(result.status).toBe(5);
        expect(result.json()).toMatchObject({
          error: {
            code: "RESPONSE_INVALID",
            message: expect.stringContaining(`${url} is not a Downpour host`),
          },
        });
      }
    } finally {
      server.close();
    }
  });

  test("usage of one app shows it alone, and says where nothing was counted", async () => {
    await cli("invoke", "echo", "1");
    const shown = await cli("usage", "parts");
    expect(shown.stdout).toMatch(/^invocations +[1-9]/mu);
    expect(shown.stdout).toMatch(/^state +\d+ operations$/mu);
    expect((await cli("usage")).stdout).toMatch(/^state +\d+ of 1000000 keys, .* of 1\.1 GB$/mu);
    expect(shown.stdout).toMatch(/^echo +[1-9]\d* +0 +\S/mu);
    expect((await cli("usage", "parts", "--json")).json()).toMatchObject({
      app: "parts",
      invocations: expect.any(Number),
      functions: expect.arrayContaining([expect.objectContaining({ function: "echo" })]),
    });
    const unknown = await cli("usage", "prats");
    expect(unknown.status).toBe(4);
    expect(unknown.stderr).toMatch(/prats.*\n.*parts/u);
  });

  test("usage of an app that nobody has called yet is all zeros", async () => {
    await cli("deploy", "--app", "uncalled");
    const used = await cli("usage", "uncalled", "--json");
    expect(used).toMatchObject({ status: 0, stderr: "" });
    expect(used.json()).toMatchObject({ app: "uncalled", invocations: 0, functions: [] });
    expect((await cli("usage", "uncalled")).stdout).toMatch(/^invocations +0$/mu);
  });

  test("usage counts what was invoked", async () => {
    await cli("invoke", "echo", "1");
    const usage = (await cli("usage", "--json")).json();
    expect(at(usage, "total", "invocations")).toBeGreaterThan(0);
    const { stdout } = await cli("usage");
    expect(stdout).toContain("parts");
    expect(stdout).toMatch(/^deployed +\d+ of \d+ apps, 0 of \d+ uploads under way$/mu);
    expect(stdout).toMatch(
      /^largest .*, [1-9]\d+ of 200000 functions, [1-9]\d+ of 10000 sections,/mu,
    );
  });
});
