import { mkdirSync, mkdtempDisposableSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { CommandContext } from "../command-context.ts";
import { localDirectoryIn } from "../local-directory.ts";
import { shellPath } from "../shell-path.ts";
import { pastedCommand } from "./pasted-command.ts";

const URL_OF_DEV = "http://127.0.0.1:9999";

/** What `dev` prints for a project in `my app/`, started in `from` with the flags. */
function pasted(options: {
  readonly from: string;
  readonly directory?: string;
  readonly projectFile?: string;
  readonly environment?: Readonly<Record<string, string>>;
}): { readonly command: string; readonly data: string } {
  using folder = mkdtempDisposableSync(join(tmpdir(), "downpour-pasted-"));
  const project = join(folder.path, "my app");
  const local = localDirectoryIn(project);
  mkdirSync(join(project, "src"), { recursive: true });
  mkdirSync(local.path);
  writeFileSync(join(project, "downpour.json"), options.projectFile ?? "{}");
  writeFileSync(
    local.hostRecordPath,
    JSON.stringify({ url: URL_OF_DEV, hostPid: 1, tenant: "dev" }),
  );
  writeFileSync(local.tokenPath, "t", { mode: 0o600 });
  const context = new CommandContext(
    {
      stdin: new PassThrough(),
      stdout: new PassThrough(),
      stderr: new PassThrough(),
      environment: options.environment ?? {},
      workingDirectory: join(folder.path, options.from),
    },
    options.directory === undefined ? {} : { directory: options.directory },
  );
  return {
    command: pastedCommand(context, local, URL_OF_DEV),
    data: shellPath(context, local.path),
  };
}

test("in the project, a command needs nothing more", () => {
  expect(pasted({ from: "my app" })).toEqual({ command: "downpour", data: ".downpour" });
});

test("below the project neither, and the data is further up", () => {
  expect(pasted({ from: "my app/src" })).toEqual({ command: "downpour", data: "../.downpour" });
});

test("elsewhere it names the project's folder, as a shell takes it", () => {
  expect(pasted({ from: ".", directory: "my app" })).toEqual({
    command: "downpour -C 'my app'",
    data: "'my app/.downpour'",
  });
});

test("what other settings would hide is named", () => {
  const projectFile = `{"url":"https://functions.example"}`;
  expect(pasted({ from: "my app", projectFile }).command).toBe(`downpour --url ${URL_OF_DEV}`);
  const environment = { DOWNPOUR_TOKEN: "other", npm_command: "exec" };
  expect(pasted({ from: "my app", environment }).command).toBe(
    "npx downpour --token-file .downpour/token",
  );
});
