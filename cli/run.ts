import process from "node:process";
import { createProgram } from "./program.ts";
import { reportError } from "./report-error.ts";

/** The command of this process, from its arguments to its exit status. */
export async function run(): Promise<void> {
  // `downpour | head` closes stdout early: that is the reader's choice, and not a failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit();
    throw error;
  });
  const io = {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    workingDirectory: process.cwd(),
  };
  try {
    await createProgram(io).parseAsync(process.argv);
  } catch (cause) {
    process.exitCode = reportError(cause, { ...io, isJson: wantsJson(process.argv) });
  }
}

/** A command line that could not be parsed still says which form its error should have. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return argv.slice(0, end === -1 ? undefined : end).includes("--json");
}
