import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Whether a program can be started by its name alone. */
export function isInstalled(command: string): boolean {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.some((folder) => existsSync(join(folder, command)));
}
