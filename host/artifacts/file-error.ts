import { HostError } from "../errors.ts";

export function errno(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

/** An error of the file system, as `STORAGE_FULL` where it is that; any other as it is. */
export function toHostError(error: unknown): unknown {
  const code = errno(error);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new HostError("STORAGE_FULL", "there is no space left in the data directory", {
      cause: error,
    });
  }
  return error;
}
