import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { componentize } from "componentize-qjs";

// Real components for tests and benches: JavaScript in, built by QuickJS' toolchain, kept by content.

const CACHE = new URL("../../../test/.cache/guests/", import.meta.url);
const WIT = new URL("../../../wit/", import.meta.url);

export interface GuestSource {
  /** An ES module that implements the world's exports. */
  readonly source: string;
  /** Of `wit/`, or of `wit` where that is given. */
  readonly world: string;
  /** A WIT text of its own, in place of the project's contract. */
  readonly wit?: string;
  /** Traps in place of WASI: such a guest imports only what its world names. */
  readonly stubWasi?: boolean;
  /** A runtime without the async ABI. */
  readonly sync?: boolean;
}

/** About a second where it is not cached yet. */
export async function buildGuest(guest: GuestSource): Promise<Uint8Array> {
  const key = createHash("sha256")
    .update(JSON.stringify([guest, guest.wit ?? readContract(), TOOLCHAIN]))
    .digest("hex")
    .slice(0, 32);
  const cached = new URL(`${key}.wasm`, CACHE);
  const known = readIfThere(cached);
  if (known !== undefined) return known;
  mkdirSync(CACHE, { recursive: true });
  let witPath = fileURLToPath(WIT);
  if (guest.wit !== undefined) {
    const wit = new URL(`${key}.wit`, CACHE);
    moveIntoPlace(wit, guest.wit);
    witPath = fileURLToPath(wit);
  }
  const { component } = await componentize({
    witPath,
    jsSource: guest.source,
    world: guest.world,
    stubWasi: guest.stubWasi ?? false,
    sync: guest.sync ?? false,
  });
  moveIntoPlace(cached, component);
  return new Uint8Array(component);
}

/** Two test files may build the same guest at once: none reads half of what the other writes. */
function moveIntoPlace(file: URL, content: string | Uint8Array): void {
  const unfinished = new URL(`${file.href}.${process.pid}.${performance.now()}.part`);
  writeFileSync(unfinished, content);
  renameSync(unfinished, file);
}

const TOOLCHAIN = "componentize-qjs 0.4.5";

function readContract(): string[] {
  return readdirSync(WIT, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".wit"))
    .toSorted()
    .map((file) => readFileSync(new URL(file, WIT), "utf8"));
}

function readIfThere(file: URL): Uint8Array | undefined {
  try {
    return new Uint8Array(readFileSync(file));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
