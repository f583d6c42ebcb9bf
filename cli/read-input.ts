import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { CliError, usageError } from "./cli-error.ts";
import type { ProcessIo } from "./command-context.ts";

/** What a command takes into memory; the host's own limits are smaller. */
const INPUT_BYTES_MAX = 64 * 1024 * 1024;

/** `@file` is a file's bytes, `-` is stdin, anything else is the text itself. */
export async function readInput(io: ProcessIo, data: string): Promise<Uint8Array<ArrayBuffer>> {
  if (data === "-") return readAll(io.stdin);
  if (data.startsWith("@")) {
    const path = resolve(io.workingDirectory, data.slice(1));
    try {
      return new Uint8Array(await readFile(path));
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unreadable";
      throw new CliError("FILE_UNREADABLE", `${path} cannot be read (${code})`, {
        exit: "usage",
        cause,
      });
    }
  }
  return new TextEncoder().encode(data);
}

async function readAll(stream: NodeJS.ReadableStream): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    const buffer = Buffer.from(chunk);
    bytes += buffer.byteLength;
    if (bytes > INPUT_BYTES_MAX) {
      throw usageError(`the input on stdin is larger than ${INPUT_BYTES_MAX} bytes`);
    }
    chunks.push(buffer);
  }
  return new Uint8Array(Buffer.concat(chunks));
}
