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
  member: "functions" | "concurrency" | StreamMember,
): Promise<Uint8Array<ArrayBuffer>> {
  await compile(
    "cargo",
    ["build", "--release", "--offline", "--locked", "--package", member, ...inWorkspace()],
    { env: { CARGO_TARGET_DIR: TARGET_DIRECTORY } },
  );
  return new Uint8Array(readFileSync(builtFile(member)));
}

function builtFile(member: string): string {
  // Cargo puts what a library's crate is called into the name of its file.
  const file = `${member.replaceAll("-", "_")}.wasm`;
  return join(TARGET_DIRECTORY, TARGET, "release", file);
}

type StreamMember = "stream-producer" | "stream-consumer";

/** Why this machine cannot compose components; undefined where it can. */
export async function whyNoComposition(): Promise<string | undefined> {
  return (await hasCompiler("wac", ["--version"])) ? undefined : "this machine has no wac";
}

/** The one with the other in it, as `wac` composes them. */
export async function composeRust(
  socket: StreamMember,
  plug: StreamMember,
): Promise<Uint8Array<ArrayBuffer>> {
  await buildRust(plug);
  await buildRust(socket);
  const composed = join(TARGET_DIRECTORY, `${socket}-with-${plug}.wasm`);
  await compile("wac", ["plug", builtFile(socket), "--plug", builtFile(plug), "-o", composed]);
  return new Uint8Array(readFileSync(composed));
}

function inWorkspace(): string[] {
  return ["--target", TARGET, "--manifest-path", join(WORKSPACE, "Cargo.toml")];
}
