import { relative } from "node:path";
import type { CommandContext } from "./command-context.ts";

/** A path from the working directory, as a POSIX shell takes it. */
export function shellPath({ io }: Pick<CommandContext, "io">, path: string): string {
  const fromHere = relative(io.workingDirectory, path);
  const shown = fromHere === "" ? "." : fromHere;
  return /^[\w./-]+$/u.test(shown) && !shown.startsWith("-")
    ? shown
    : `'${shown.replaceAll("'", String.raw`'\''`)}'`;
}
