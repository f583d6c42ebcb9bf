import { access, constants, mkdir } from "node:fs/promises";
import { HostError } from "./errors.ts";

/**
 * Makes the data directory where there is none, readable by its owner alone, and checks that it can
 * be written. Throws `DATA_DIR_UNWRITABLE` or `STORAGE_FULL`.
 */
export async function prepareDataDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const isFull = cause instanceof Error && "code" in cause && cause.code === "ENOSPC";
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HostError(
      isFull ? "STORAGE_FULL" : "DATA_DIR_UNWRITABLE",
      `the data directory ${directory} cannot be used: ${reason}`,
      { cause },
    );
  }
}
