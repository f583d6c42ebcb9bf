import { createInterface } from "node:readline/promises";
import { CliError, usageError } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";

/** Asks before something is lost; a script has to say `--yes`, because nobody is there to ask. */
export async function confirm(
  { io, terminal }: CommandContext,
  question: string,
  isYes: boolean | undefined,
): Promise<void> {
  if (isYes === true) return;
  if (io.stdin.isTTY !== true || terminal.isJson) {
    throw usageError(`${question} Nobody is here to ask`, "Say --yes to do it.");
  }
  const readline = createInterface({ input: io.stdin, output: io.stderr });
  const left = new AbortController();
  // Ctrl-C closes it, and so does the end of the input: an answer will not come.
  readline.once("close", () => left.abort());
  try {
    const answer = await readline.question(`${question} [y/N] `, { signal: left.signal });
    if (!/^y(?:es)?$/iu.test(answer.trim())) throw usageError("nothing was done");
  } catch (cause) {
    if (!left.signal.aborted) throw cause;
    io.stderr.write("\n");
    throw new CliError("INTERRUPTED", "nothing was done", { exit: "interrupted", cause });
  } finally {
    readline.close();
  }
}
