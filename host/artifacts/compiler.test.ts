import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { buildGuest } from "../engine/testing/build-guest.ts";
import { component, name, u32, wholeSection } from "../engine/testing/binary.ts";
import { ArtifactStore } from "./artifact-store.ts";
import type { CompiledUpload } from "./compile-messages.ts";
import { Compiler } from "./compiler.ts";
import type { CompileBounds, ComponentLimits } from "./component-limits.ts";

const MANIFEST = '{"sdk":"0.1.0","functions":[{"name":"f"}]}';

/** An import of the first type, with a long name. */
const IMPORT = Uint8Array.from([0x00, ...name("x".repeat(300)), 0x01, 0x00]);

const LIMITS: ComponentLimits = {
  tableElementsMax: 100_000,
  componentFunctionsMax: 100_000,
  componentSectionsMax: 10_000,
  componentNestingMax: 32,
};

const BOUNDS: CompileBounds = { heapMibMax: 256, timeMaxMs: 30_000 };

async function setUp(limits: { readonly queueDepthMax?: number } = {}): Promise<{
  readonly compiler: Compiler;
  /** With some limits lower, or all as usual. */
  readonly compile: (
    tenantId: string,
    path: string,
    lower?: Partial<ComponentLimits & CompileBounds>,
  ) => Promise<CompiledUpload>;
  readonly upload: (bytes: Uint8Array) => string;
  readonly artifactDirectory: string;
}> {
  const directory = mkdtempSync(join(tmpdir(), "downpour-compiler-"));
  const artifactDirectory = join(directory, "artifacts");
  await ArtifactStore.open(artifactDirectory);
  const compiler = new Compiler({
    artifactDirectory,
    loadBounds: BOUNDS,
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
    compile: (tenantId, path, { timeMaxMs, heapMibMax, ...lower } = {}) =>
      compiler.compile(
        tenantId,
        path,
        { ...LIMITS, ...lower },
        {
          timeMaxMs: timeMaxMs ?? BOUNDS.timeMaxMs,
          heapMibMax: heapMibMax ?? BOUNDS.heapMibMax,
        },
      ),
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
    const { compile, upload, artifactDirectory } = await setUp();
    const bytes = await guest();
    const compiled = await compile("acme", upload(bytes));
    expect(compiled.manifest.functions).toEqual([{ name: "f" }]);
    expect(compiled.component.imports).toContain("downpour:faas/state@0.1.0");
    expect(compiled.coreModuleBytes).toBeGreaterThan(1_000_000);

    const other = new Compiler({
      artifactDirectory,
      loadBounds: BOUNDS,
      queueDepthMax: 8,
      isReused: true,
    });
    onTestFinished(() => other.close());
    const loaded = await other.load("acme", "0".repeat(64), compiled.artifact, LIMITS);
    expect(loaded.recompiled).toBeUndefined();
    expect(loaded.component.imports).toEqual(compiled.component.imports);
  });

  test("of another engine's making is compiled anew from the component", async () => {
    const { compiler, compile, upload, artifactDirectory } = await setUp();
    const bytes = await guest();
    const { artifact } = await compile("acme", upload(bytes));
    const sha256 = await ArtifactStore.attach(artifactDirectory).of("acme").put(bytes);
    const loaded = await compiler.load("acme", sha256, { ...artifact, engineTag: "older" }, LIMITS);
    expect(loaded.recompiled).toEqual(artifact);
  });

  test("of bytes that another tenant has uploaded is compiled and stored anew, but for the runtime", async () => {
    const { compiler, compile, upload, artifactDirectory } = await setUp();
    const path = upload(await guest());
    const mine = await compile("acme", path);
    const theirs = await compile("beta", path);
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
    const load = compiler.load("beta", "0".repeat(64), mine.artifact, LIMITS);
    await expect(load).rejects.toMatchObject({ code: "ARTIFACT_DAMAGED" });
  });

  test("that describes itself without end is ended by the time limit, and the next one is served", async () => {
    const { compile, upload } = await setUp();
    const bounds = { timeMaxMs: 5_000 };
    const endless = compile("acme", upload(await guest("for (;;) ;")), bounds);
    const next = compile("acme", upload(await guest()));
    await expect(endless).rejects.toMatchObject({
      code: "COMPILE_LIMIT_EXCEEDED",
      details: { compileMsMax: 5_000 },
    });
    await expect(next).resolves.toMatchObject({ manifest: { functions: [{ name: "f" }] } });
  });

  test("says how complex it is, and is refused where it may be less so, by the name of the quota", async () => {
    const { compile, upload } = await setUp();
    const path = upload(await guest());
    const { complexity } = await compile("acme", path);
    const { coreFunctions, sections, nestingDepth, tableElements } = complexity;
    expect(coreFunctions).toBeGreaterThan(1_000);
    expect(sections).toBeGreaterThan(100);
    expect(nestingDepth).toBeGreaterThan(1);
    expect(tableElements).toBeGreaterThan(700);
    const exactly = {
      componentFunctionsMax: coreFunctions,
      componentSectionsMax: sections,
      componentNestingMax: nestingDepth,
    };
    expect((await compile("acme", path, exactly)).complexity).toEqual(complexity);
    for (const lower of [
      { componentFunctionsMax: coreFunctions - 1 },
      { componentSectionsMax: sections - 1 },
      { componentNestingMax: nestingDepth - 1 },
      { tableElementsMax: 700 },
    ]) {
      await expect(compile("acme", path, lower)).rejects.toMatchObject({
        code: "COMPONENT_TOO_COMPLEX",
        details: lower,
      });
    }
  });

  test("has tables that grow to a tenth of what all its tables may have", async () => {
    const { compile, upload } = await setUp();
    const path = upload(await guest());
    const { complexity } = await compile("acme", path);
    const half = await compile("acme", path, { tableElementsMax: 50_000 });
    expect(complexity.tableElements - half.complexity.tableElements).toBe(5_000);
  });

  test("that needs more heap than it may is refused, and the next one has its own again", async () => {
    const { compile, upload } = await setUp();
    // Their names take 54 MB when they are read, beside what holds them.
    const imports = Buffer.alloc(180_000 * IMPORT.length, IMPORT);
    const path = upload(
      component(wholeSection(10, Buffer.concat([Uint8Array.from(u32(180_000)), imports]))),
    );
    await expect(compile("acme", path, { heapMibMax: 64 })).rejects.toMatchObject({
      code: "COMPILE_LIMIT_EXCEEDED",
      details: { compileHeapMibMax: 64 },
    });
    await expect(compile("acme", path)).rejects.toMatchObject({
      code: expect.stringMatching(/^(?!COMPILE_LIMIT)/u),
    });
    expect((await compile("acme", upload(await guest()), { heapMibMax: 64 })).coreModules).toBe(8);
  });

  test("that is compiled does not hold up one that is loaded", async () => {
    const { compiler, compile, upload } = await setUp();
    const { artifact } = await compile("acme", upload(await guest()));
    let hasEnded = false;
    const endless = compile("acme", upload(await guest("for (;;) ;")))
      .catch(() => undefined)
      .finally(() => {
        hasEnded = true;
      });
    await compiler.load("acme", "0".repeat(64), artifact, LIMITS);
    expect(hasEnded).toBe(false);
    await compiler.close();
    await endless;
  });

  test("is refused when too many of its tenant's wait, and nobody else's for them", async () => {
    const { compiler, compile, upload } = await setUp({ queueDepthMax: 3 });
    const path = upload(await guest("for (;;) ;"));
    const flood = Array.from({ length: 6 }, () => compile("flood", path));
    const others = ["a", "b"].map((tenant) => compile(tenant, path));
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
    const { compiler, compile, upload } = await setUp();
    const endless = upload(await guest("for (;;) ;"));
    const flood = [compile("flood", endless), compile("flood", endless)];
    const settled = Promise.allSettled(flood);
    const other = await compile("other", upload(await guest()));
    expect(other.manifest.functions).toEqual([{ name: "f" }]);
    await compiler.close();
    expect(await settled).toMatchObject([
      { reason: { code: "HOST_DRAINING" } },
      { reason: { code: "HOST_DRAINING" } },
    ]);
  });
});

test("a closed compiler refuses, and what was under way fails", async () => {
  const { compiler, compile, upload } = await setUp();
  const path = upload(await guest("for (;;) ;"));
  const underWay = Promise.allSettled([compile("acme", path)]);
  await compiler.close();
  expect(await underWay).toMatchObject([{ reason: { code: "HOST_DRAINING" } }]);
  await expect(compile("acme", path)).rejects.toMatchObject({ code: "HOST_DRAINING" });
});

test.runIf(process.platform === "linux")(
  "a compile thread leaves the processor to the thread that answers clients",
  async () => {
    const { compile, upload } = await setUp();
    await compile("acme", upload(Uint8Array.of())).catch(() => undefined);
    const nicenesses = readdirSync("/proc/self/task").flatMap((id) => {
      const stat = readFileSync(`/proc/self/task/${id}/stat`, "utf8");
      // The 19th field; the second one is a name in brackets.
      return stat.includes("(compile)") ? [Number(stat.split(") ")[1]?.split(" ")[16])] : [];
    });
    expect(nicenesses).toContain(5);
  },
);
