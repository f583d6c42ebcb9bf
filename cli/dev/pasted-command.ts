import { relative } from "node:path";
import type { CommandContext } from "../command-context.ts";
import type { LocalDirectory } from "../local-directory.ts";
import { resolveSettings } from "../settings.ts";
import { shellPath } from "../shell-path.ts";

/**
 * The beginning of a command that reaches the host at `url` when it is pasted into the shell that `dev` runs in:
 * with the project's directory where that is elsewhere, and with what other settings would hide.
 */
export function pastedCommand(context: CommandContext, local: LocalDirectory, url: string): string {
  const { io, settings } = context;
  const { environment, workingDirectory } = io;
  const { directory } = settings.project;
  // `npx` puts the command into the path of this process only.
  const words = [environment["npm_command"] === "exec" ? "npx downpour" : "downpour"];
  // Commands find a host from any folder below its own.
  const isElsewhere = relative(directory, workingDirectory).startsWith("..");
  if (isElsewhere) words.push(`-C ${shellPath(context, directory)}`);

  const sources = { environment, workingDirectory };
  const flags = isElsewhere ? { directory } : {};
  const isHidden = resolveSettings({ ...sources, flags }).url !== url;
  if (isHidden) words.push(`--url ${url}`);
  const { tokenSource } = resolveSettings({ ...sources, flags: { ...flags, url } });
  if (tokenSource !== local.tokenPath) {
    words.push(`--token-file ${shellPath(context, local.tokenPath)}`);
  }
  return words.join(" ");
}
