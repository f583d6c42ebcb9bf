import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { installedCodeCache } from "../../host/code-cache.ts";
import { runCli, temporaryFolder } from "./harness.ts";

const COMMANDS = [
  ["init"],
  ["dev"],
  ["build"],
  ["deploy"],
  ["invoke"],
  ["logs"],
  ["state"],
  ["state", "get"],
  ["state", "put"],
  ["state", "add"],
  ["state", "ls"],
  ["state", "rm"],
  ["apps"],
  ["apps", "ls"],
  ["apps", "show"],
  ["apps", "rm"],
  ["apps", "rollback"],
  ["apps", "set"],
  ["tenants"],
  ["tenants", "create"],
  ["tenants", "ls"],
  ["tenants", "show"],
  ["tenants", "set"],
  ["tenants", "rm"],
  ["tenants", "token"],
  ["tenants", "suspend"],
  ["tenants", "resume"],
  ["tenants", "token", "ls"],
  ["tenants", "token", "create"],
  ["tenants", "token", "rotate"],
  ["tenants", "token", "revoke"],
  ["usage"],
  ["status"],
  ["host"],
] as const satisfies readonly (readonly string[])[];

describe("help", () => {
  test.each(COMMANDS.map((command) => ({ command })))(
    "of $command has examples",
    async ({ command }) => {
      using folder = temporaryFolder();
      const result = await runCli([...command, "--help"], { directory: folder.path });
      expect(result).toMatchObject({ status: 0, stderr: "" });
      expect(result.stdout).toContain(`downpour ${command.join(" ")}`);
      expect(result.stdout).toMatch(/Examples:\n {2}\$ downpour/u);
    },
  );

  test("lists the exit statuses and where settings come from", async () => {
    using folder = temporaryFolder();
    const { stdout } = await runCli(["--help"], { directory: folder.path });
    expect(stdout).toMatch(/^ +3 {2}no token/mu);
    expect(stdout).toContain("DOWNPOUR_TOKEN");
  });
});

test("a command keeps its own code compiled for the next one", async () => {
  using folder = temporaryFolder();
  const tell = `process.on("exit", () => console.error(process.getBuiltinModule("module").getCompileCacheDir()))`;
  const result = await runCli(["--version"], {
    directory: folder.path,
    environment: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(tell)}` },
  });
  expect(result).toMatchObject({ status: 0, stderr: expect.stringContaining(installedCodeCache) });
});

describe("a wrong command line ends with 2", () => {
  test.each([
    [["invok"], "Did you mean invoke?"],
    [["invoke"], "missing required argument"],
    [["invoke", "a/b/c"], "does not name a function"],
    [["apps", "set", "x", "--concurrency", "0"], "whole number"],
    [["build", "--engine", "v8"], "quickjs"],
    [["logs", "--url", "nonsense"], "not a URL"],
    [["apps", "show", "No-Name"], "is not an app name"],
    [["tenants", "create", "No_Name"], "is not a tenant name"],
    [["tenants", "rm", "-y", "a/b"], "is not a tenant name"],
  ])("%j", async (args, text) => {
    using folder = temporaryFolder();
    const result = await runCli(args, { directory: folder.path });
    expect(result).toMatchObject({ status: 2, stdout: "" });
    expect(result.stderr).toContain(text);
  });

  test("and with --json still owes a document", async () => {
    using folder = temporaryFolder();
    const result = await runCli(["invok", "--json"], { directory: folder.path });
    expect(result.status).toBe(2);
    expect(result.json()).toMatchObject({ error: { code: "USAGE_INVALID" } });
  });

  test("as does a wrong project file, by its name", async () => {
    using folder = temporaryFolder({ "downpour.json": `{"ap":"x"}` });
    const result = await runCli(["deploy"], { directory: folder.path });
    expect(result.status).toBe(2);
    expect(result.stderr).toContain('did you mean "app"?');
  });
});

describe("init", () => {
  test("makes a project that builds", async () => {
    using folder = temporaryFolder();
    const made = await runCli(["init", "my-app", "--json"], { directory: folder.path });
    expect(made.json()).toMatchObject({
      app: "my-app",
      files: expect.arrayContaining([
        ".gitignore",
        "downpour.json",
        "package.json",
        "src/index.ts",
      ]),
    });
    const directory = join(folder.path, "my-app");
    expect(readFileSync(join(directory, ".gitignore"), "utf8")).toContain(".downpour");
    expect(readFileSync(join(directory, "package.json"), "utf8")).toContain('"my-app"');
    const built = await runCli(["build", "--json"], { directory });
    expect(built).toMatchObject({ status: 0 });
  });

  test("overwrites nothing, and says what is in the way", async () => {
    using folder = temporaryFolder({ "my-app/package.json": "mine" });
    const result = await runCli(["init", "my-app"], { directory: folder.path });
    expect(result.status).toBe(2);
    expect(result.stderr).toContain("package.json");
    expect(readdirSync(join(folder.path, "my-app"))).toEqual(["package.json"]);
  });

  test("a folder whose name names no app needs one", async () => {
    using folder = temporaryFolder();
    const result = await runCli(["init", "日本"], { directory: folder.path });
    expect(result).toMatchObject({ status: 2, stderr: expect.stringContaining("--app") });
  });

  test("what it prints next can be pasted, whatever the folder's name", async () => {
    using folder = temporaryFolder();
    const result = await runCli(["init", "it's mine"], { directory: folder.path });
    expect(result.stdout).toContain(String.raw`  cd 'it'\''s mine'`);
  });
});
