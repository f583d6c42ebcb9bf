import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { CommandContext } from "./command-context.ts";
import { confirm } from "./confirm.ts";

/** A person at a terminal, who types. */
function ask(typed: string | undefined): Promise<void> {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  const stderr = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
  const io = {
    stdin,
    stdout: new PassThrough(),
    stderr,
    environment: {},
    workingDirectory: "/",
  };
  const asked = confirm(new CommandContext(io, {}), "Remove it?", undefined);
  if (typed === undefined) stdin.end();
  else stdin.write(typed);
  return asked;
}

test.each(["y\n", "YES\n"])("%j is a yes", async (typed) => {
  await expect(ask(typed)).resolves.toBeUndefined();
});

test.each(["\n", "n\n", "yesterday\n"])("%j is none, and a usage error", async (typed) => {
  await expect(ask(typed)).rejects.toMatchObject({ code: "USAGE_INVALID", exit: "usage" });
});

test.each([
  ["Ctrl-C", "\u0003"],
  ["Ctrl-D", "\u0004"],
  ["the end of the input", undefined],
])("%s is an interruption", async (_, typed) => {
  await expect(ask(typed)).rejects.toMatchObject({ code: "INTERRUPTED", exit: "interrupted" });
});
