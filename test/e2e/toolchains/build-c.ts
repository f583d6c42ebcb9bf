import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, hasCompiler } from "./compile.ts";
import { makeComponent } from "./make-component.ts";

const SOURCE = join(import.meta.dirname, "c/functions.c");
/** A stack in linear memory that `recurse` fits in a thousand levels deep, and not ten thousand. */
const STACK_BYTES = 2 * 1024 * 1024;

/** Why this machine cannot build C components; undefined where it can. */
export async function whyNoC(): Promise<string | undefined> {
  if (!(await hasCompiler("wasm-ld", ["--version"]))) return "this machine has no wasm-ld";
  const hasHeaders = await hasCompiler("clang", ["--target=wasm32-wasi", "-fsyntax-only", SOURCE]);
  return hasHeaders ? undefined : "this machine has no clang with wasi-libc";
}

/** With what Debian calls clang, lld, wasi-libc and libclang-rt-dev-wasm32. */
export async function buildC(): Promise<Uint8Array<ArrayBuffer>> {
  const directory = mkdtempSync(join(tmpdir(), "downpour-c-"));
  try {
    const output = join(directory, "functions.wasm");
    await compile("clang", [
      "--target=wasm32-wasi",
      "-mexec-model=reactor",
      "-O2",
      `-Wl,--stack-first,-z,stack-size=${STACK_BYTES}`,
      "-o",
      output,
      SOURCE,
    ]);
    return await makeComponent({
      binary: readFileSync(output),
      stringEncoding: "utf8",
      world: "function-sync",
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}
