import { createHash, randomUUID } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildComponent } from "@downpour/sdk/build";

const PROJECT = join(import.meta.dirname, "../../..");
const CACHE = join(PROJECT, "test/.cache/functions");

/** What a tenant would write: good functions and every kind of bad one. `version` makes revisions differ. */
const source = (version: string): string => `
import { fn, FunctionError, InvalidInputError, state } from "@downpour/sdk";

export const version = fn(() => ${JSON.stringify(version)}, { description: "Which build this is" });
export const greet = fn((name: string) => \`Hello, \${name}!\`);
export const echo = fn((value: unknown) => value);
export const whoami = fn((_: unknown, context) => ({
  invocation: context.invocationId,
  tenant: context.tenant,
  app: context.app,
  revision: context.revision,
  remainingMs: context.remainingMs(),
  idempotencyKey: context.idempotencyKey ?? null,
  metadata: Object.fromEntries(context.metadata),
}));
export const log = fn((text: string) => { console.log(text); return null; });
export const visit = fn((page: string) => state.counter(page).add(1));
export const remember = fn((text: string) => { state.register<string>("note").put(text); return null; });
export const recall = fn(() => state.register<string>("note").get() ?? null);
export const refuse = fn(() => {
  throw new FunctionError("OUT_OF_STOCK", "nothing left", { details: { left: 0 } });
});
export const picky = fn(() => { throw new InvalidInputError("a number is wanted"); });
export const explode = fn(() => { throw new TypeError("boom"); });
export const unserializable = fn(() => ({ list: [1, () => 2] }) as never);
export const spin = fn(() => { for (;;); });
export const overflow = fn(() => { const deep = (n: number): number => deep(n + 1) + 1; return deep(0); });
export const big = fn((bytes: number) => "x".repeat(bytes));
export const bytes = fn.raw((input) => ({ mediaType: "application/x-bytes", body: input.body }));
export const slow = fn((ms: number) => {
  const end = Date.now() + ms;
  while (Date.now() < end) state.counter("slow").add(1);
  return "done";
});
`;

/** What a component is made of beside its source: built against another contract, it would be refused. */
function toolchain(): string {
  const hash = createHash("sha256");
  for (const path of globSync(
    ["wit/**/*.wit", "guest-sdk/package.json", "guest-sdk/{src,build}/**/*.ts"],
    {
      cwd: PROJECT,
    },
  ).toSorted()) {
    hash.update(readFileSync(join(PROJECT, path)));
  }
  return hash.digest("hex");
}

/** A component of these functions; `version` makes revisions differ. */
export function behaviours(version = "one"): Promise<Uint8Array<ArrayBuffer>> {
  return built(source(version));
}

/** A component by the project's own toolchain, built once for each version of it. */
export async function built(
  text: string,
  engine: "quickjs" | "starlingmonkey" = "quickjs",
): Promise<Uint8Array<ArrayBuffer>> {
  const hash = createHash("sha256").update(toolchain()).update(engine).update(text);
  const directory = join(CACHE, hash.digest("hex").slice(0, 16));
  const outFile = join(directory, "component.wasm");
  if (!existsSync(outFile)) {
    mkdirSync(directory, { recursive: true });
    const entry = join(directory, "index.ts");
    // Two test files may build the same at once: none reads half of what the other writes.
    const draft = join(directory, `${randomUUID()}.draft`);
    writeFileSync(draft, text);
    renameSync(draft, entry);
    await buildComponent({ entry, outFile, engine });
  }
  return new Uint8Array(readFileSync(outFile));
}
