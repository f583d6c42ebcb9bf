import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { compile, hasCompiler } from "./compile.ts";

// Rust with the bindings that its own toolchain generates from the WIT, at the versions of `Cargo.lock`.
// This target's linker makes components, and its standard library speaks WASI 0.2.

const WORKSPACE = join(import.meta.dirname, "rust");
const TARGET = "wasm32-wasip2";
/** Crates are compiled once for a checkout. */
const TARGET_DIRECTORY = join(import.meta.dirname, "../../.cache/rust");

/** Why this machine cannot build Rust components; undefined where it can. */
export async function whyNoRust(): Promise<string | undefined> {
  if (!(await hasCompiler("cargo", ["--version"]))) return "this machine has no cargo";
  const library = await compile("rustc", ["--print", "target-libdir", "--target", TARGET]);
  if (!existsSync(library.trim())) return `this machine's Rust has no ${TARGET}`;
  const fetched = await hasCompiler("cargo", ["fetch", "--locked", ...inWorkspace()]);
  return fetched ? undefined : "the crates of the lock file cannot be had";
}

/** Builds a member of the workspace. */
export async function buildRust(
  member: "functions" | "concurrency",
): Promise<Uint8Array<ArrayBuffer>> {
  await compile(
    "cargo",
    ["build", "--release", "--offline", "--locked", "--package", member, ...inWorkspace()],
    { env: { CARGO_TARGET_DIR: TARGET_DIRECTORY } },
  );
  return new Uint8Array(readFileSync(join(TARGET_DIRECTORY, TARGET, "release", `${member}.wasm`)));
}

function inWorkspace(): string[] {
  return ["--target", TARGET, "--manifest-path", join(WORKSPACE, "Cargo.toml")];
}
