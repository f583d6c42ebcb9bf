import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { buildGuest } from "../engine/testing/build-guest.ts";
import { ArtifactStore } from "./artifact-store.ts";
import { Compiler } from "./compiler.ts";

const MANIFEST = '{"sdk":"0.1.0","functions":[{"name":"f"}]}';

async function setUp(
  limits: {
    readonly timeMaxMs?: number;
    readonly heapMibMax?: number;
    readonly queueDepthMax?: number;
  } = {},
): Promise<{
  readonly compiler: Compiler;
  readonly upload: (bytes: Uint8Array) => string;
  readonly artifactDirectory: string;
}> {
  const directory = mkdtempSync(join(tmpdir(), "downpour-compiler-"));
  const artifactDirectory = join(directory, "artifacts");
  await ArtifactStore.open(artifactDirectory);
  const compiler = new Compiler({
    artifactDirectory,
    heapMibMax: limits.heapMibMax ?? 256,
    timeMaxMs: limits.timeMaxMs ?? 30_000,
    queueDepthMax: limits.queueDepthMax ?? 8,
    isReused: true,
  });
  onTestFinished(async () => {
    await compiler.close();
    rmSync(directory, { recursive: true, force: true });
  });
  let uploads = 0;
  return {
    compiler,
    artifactDirectory,
    upload: (bytes) => {
      uploads += 1;
      const path = join(directory, `upload-${uploads}`);
      writeFileSync(path, bytes);
      return path;
    },
  };
}

function filesOf(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .toSorted();
}

/** A guest whose `describe` runs this code first. */
function guest(code = ""): Promise<Uint8Array> {
  const source = `export function describe() { ${code}; return ${JSON.stringify(MANIFEST)}; }
    export async function handle() {}`;
  return buildGuest({ source, world: "function" });
}

describe("an upload", () => {
  test("is described, and what was compiled can be loaded by another compiler", async () => {
    const { compiler, upload, artifactDirectory } = await setUp();
    const bytes = await guest();
    const compiled = await compiler.compile("acme", upload(bytes));
    expect(compiled.manifest.functions).toEqual([{ name: "f" }]);
    expect(compiled.component.imports).toContain("downpour:faas/state@0.1.0");
    expect(compiled.coreModuleBytes).toBeGreaterThan(1_000_000);

    const other = new Compiler({
      artifactDirectory,
      heapMibMax: 256,
      timeMaxMs: 30_000,
      queueDepthMax: 8,
      isReused: true,
    });
    onTestFinished(() => other.close());
    const loaded = await other.load("acme", "0".repeat(64), compiled.artifact);
    expect(loaded.recompiled).toBeUndefined();
    expect(loaded.component.imports).toEqual(compiled.component.imports);
  });

  test("of another engine's making is compiled anew from the component", async () => {
    const { compiler, upload, artifactDirectory } = await setUp();
    const bytes = await guest();
    const { artifact } = await compiler.compile("acme", upload(bytes));
    const sha256 = await ArtifactStore.attach(artifactDirectory).of("acme").put(bytes);
    const loaded = await compiler.load("acme", sha256, { ...artifact, engineTag: "older" });
    expect(loaded.recompiled).toEqual(artifact);
  });

  test("of bytes that another tenant has uploaded is compiled and stored anew, but for the runtime", async () => {
    const { compiler, upload, artifactDirectory } = await setUp();
    const path = upload(await guest());
    const mine = await compiler.compile("acme", path);
    const theirs = await compiler.compile("beta", path);
    const [one, other] = [mine, theirs].map(({ artifact }) => new Set(artifact.moduleSha256s));
    const shared = filesOf(join(artifactDirectory, "runtimes"));
    expect([...(one?.intersection(other ?? new Set()) ?? [])].toSorted()).toEqual(shared);
    expect(shared.length).toBeGreaterThan(0);
    expect(shared.length).toBeLessThan(mine.coreModules);
    // Its plan and its own modules.
    const own = 1 + mine.coreModules - shared.length;
    for (const tenant of ["acme", "beta"]) {
      expect(filesOf(join(artifactDirectory, "tenants", tenant))).toHaveLength(own);
    }
    const load = compiler.load("beta", "0".repeat(64), mine.artifact);
    await expect(load).rejects.toMatchObject({ code: "ARTIFACT_DAMAGED" });
  });

  test("that describes itself without end is ended by the time limit, and the next one is served", async () => {
    const { compiler, upload } = await setUp({ timeMaxMs: 5_000 });
    const endless = compiler.compile("acme", upload(await guest("for (;;) ;")));
    const next = compiler.compile("acme", upload(await guest()));
    await expect(endless).rejects.toMatchObject({
      code: "COMPILE_LIMIT_EXCEEDED",
      details: { compileTimeMaxMs: 5_000 },
    });
    await expect(next).resolves.toMatchObject({ manifest: { functions: [{ name: "f" }] } });
  });

  test("that is compiled does not hold up one that is loaded", async () => {
    const { compiler, upload } = await setUp({ timeMaxMs: 10_000 });
    const { artifact } = await compiler.compile("acme", upload(await guest()));
    let hasEnded = false;
    const endless = compiler
      .compile("acme", upload(await guest("for (;;) ;")))
      .catch(() => undefined)
      .finally(() => {
        hasEnded = true;
      });
    await compiler.load("acme", "0".repeat(64), artifact);
    expect(hasEnded).toBe(false);
    await compiler.close();
    await endless;
  });

  test("is refused when too many of its tenant's wait, and nobody else's for them", async () => {
    const { compiler, upload } = await setUp({ queueDepthMax: 3 });
    const path = upload(await guest("for (;;) ;"));
    const flood = Array.from({ length: 6 }, () => compiler.compile("flood", path));
    const others = ["a", "b"].map((tenant) => compiler.compile(tenant, path));
    const settled = Promise.allSettled(flood);
    const othersSettled = Promise.allSettled(others);
    // One is compiled, three wait; the one of `b` takes the place of another.
    for (const refused of flood.slice(-3)) {
      await expect(refused).rejects.toMatchObject({ code: "QUEUE_FULL" });
    }
    await compiler.close();
    const codes = (await settled).map((result) => Reflect.get(Object(result), "reason")?.code);
    expect(codes.filter((code) => code === "QUEUE_FULL")).toHaveLength(3);
    expect(await othersSettled).toMatchObject([
      { reason: { code: "HOST_DRAINING" } },
      { reason: { code: "HOST_DRAINING" } },
    ]);
  });

  test("that takes all the time it may holds up its own tenant's, and no other's", async () => {
    const { compiler, upload } = await setUp();
    const endless = upload(await guest("for (;;) ;"));
    const flood = [compiler.compile("flood", endless), compiler.compile("flood", endless)];
    const settled = Promise.allSettled(flood);
    const other = await compiler.compile("other", upload(await guest()));
    expect(other.manifest.functions).toEqual([{ name: "f" }]);
    await compiler.close();
    expect(await settled).toMatchObject([
      { reason: { code: "HOST_DRAINING" } },
      { reason: { code: "HOST_DRAINING" } },
    ]);
  });
});

test("a closed compiler refuses, and what was under way fails", async () => {
  const { compiler, upload } = await setUp();
  const path = upload(await guest("for (;;) ;"));
  const underWay = Promise.allSettled([compiler.compile("acme", path)]);
  await compiler.close();
  expect(await underWay).toMatchObject([{ reason: { code: "HOST_DRAINING" } }]);
  await expect(compiler.compile("acme", path)).rejects.toMatchObject({ code: "HOST_DRAINING" });
});

test.runIf(process.platform === "linux")(
  "a compile thread leaves the processor to the thread that answers clients",
  async () => {
    const { compiler, upload } = await setUp();
    await compiler.compile("acme", upload(Uint8Array.of())).catch(() => undefined);
    const nicenesses = readdirSync("/proc/self/task").flatMap((id) => {
      const stat = readFileSync(`/proc/self/task/${id}/stat`, "utf8");
      // The 19th field; the second one is a name in brackets.
      return stat.includes("(compile)") ? [Number(stat.split(") ")[1]?.split(" ")[16])] : [];
    });
    expect(nicenesses).toContain(5);
  },
);
