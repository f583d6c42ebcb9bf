import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { parentPort, workerData } from "node:worker_threads";
import { createEngine } from "../engine/create-engine.ts";
import { ComponentError } from "../engine/engine.ts";
import type {
  Compilation,
  ComponentErrorKind,
  LoadableComponent,
  StoredComponent,
} from "../engine/engine.ts";
import { wasiDeclarations } from "../engine/wasi/index.ts";
import { HostError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { unreachable } from "../protocol.ts";
import { functionWorld } from "../world/function-world.ts";
import { yieldPriority } from "../yield-priority.ts";
import type { CompiledArtifact } from "./app-record.ts";
import type { ArtifactFolder } from "./artifact-folder.ts";
import { ArtifactStore } from "./artifact-store.ts";
import type {
  CompiledUpload,
  CompileReply,
  CompileRequest,
  CompileThreadData,
  LoadedComponent,
} from "./compile-messages.ts";
import { QUOTA_OF_LIMIT, toCompileLimits } from "./component-limits.ts";
import type { ComponentLimits } from "./component-limits.ts";
import { engineTag } from "./engine-tag.ts";
import { SHARED_RUNTIMES } from "./shared-runtimes.ts";

// The entry of a compile thread: the only place where the bytes of an upload are looked at. It may be
// terminated at any instruction, and owns nothing but what it is working on. What it makes is the
// tenant's own, on the disk and in V8, but for the runtimes of the SDK.

const CODES = {
  malformed: "COMPONENT_MALFORMED",
  "core-module": "COMPONENT_IS_CORE_MODULE",
  unsupported: "COMPONENT_UNSUPPORTED",
  "too-complex": "COMPONENT_TOO_COMPLEX",
  "import-not-allowed": "IMPORT_NOT_ALLOWED",
  "world-mismatch": "WORLD_MISMATCH",
} as const satisfies Record<ComponentErrorKind, ErrorCode>;

const PROBLEMS_MAX = 32;

type RequestOf<Kind> = Extract<CompileRequest, { readonly kind: Kind }>;

assert(parentPort !== null);
const port = parentPort;
const { artifactDirectory }: CompileThreadData = workerData;

yieldPriority();

const engine = createEngine();
const world = functionWorld(wasiDeclarations);
const tag = engineTag();
const artifacts = ArtifactStore.attach(artifactDirectory);

port.on("message", (request: CompileRequest) => {
  void answer(request).then((reply) => port.postMessage(reply));
});
port.postMessage({ kind: "ready" } satisfies CompileReply);

async function answer(request: CompileRequest): Promise<CompileReply> {
  try {
    switch (request.kind) {
      case "compile":
        return { kind: "compiled", upload: await compileUpload(request) };
      case "load":
        return { kind: "loaded", loaded: await load(request) };
      default:
        return unreachable(request);
    }
  } catch (error) {
    const refusal = toHostError(error, request.limits);
    const bug = refusal.code === "INTERNAL" && error instanceof Error ? error.stack : undefined;
    return { kind: "refused", error: refusal.toWire(), bug };
  }
}

async function compileUpload({
  tenantId,
  componentPath,
  limits,
}: RequestOf<"compile">): Promise<CompiledUpload> {
  const bytes = await readFile(componentPath);
  const compilation = compile(bytes, tenantId, limits);
  // A thread that only loads never needs it, and it is two thirds of the code here.
  const { describeComponent } = await import("./describe.ts");
  const manifest = await describeComponent(engine, compilation.component);
  const { modules } = compilation.stored;
  const artifact = await store(compilation.stored, artifacts.of(tenantId));
  return {
    component: compilation.component,
    artifact,
    manifest,
    coreModules: modules.length,
    coreModuleBytes: modules.reduce((sum, { bytes: module }) => sum + module.byteLength, 0),
    complexity: compilation.complexity,
  };
}

/** From the stored plan where this engine made it and it is undamaged; else from the component. */
async function load(request: RequestOf<"load">): Promise<LoadedComponent> {
  const { tenantId, componentSha256, artifact, limits } = request;
  const own = artifacts.of(tenantId);
  if (artifact.engineTag === tag) {
    try {
      return { component: engine.load(await readStored(artifact, own)), recompiled: undefined };
    } catch (error) {
      // A damaged plan or module is made again below; the component itself then has to be sound.
      if (!(error instanceof HostError && error.code === "ARTIFACT_DAMAGED")) throw error;
    }
  }
  const compilation = compile(await own.read(componentSha256), tenantId, limits);
  const recompiled = await store(compilation.stored, own);
  return { component: compilation.component, recompiled };
}

function compile(bytes: Uint8Array, owner: string, limits: ComponentLimits): Compilation {
  return engine.compile(bytes, world, toCompileLimits(limits), {
    owner,
    isShared: (sha256) => SHARED_RUNTIMES.has(sha256),
  });
}

async function store(stored: StoredComponent, own: ArtifactFolder): Promise<CompiledArtifact> {
  const { plan, modules, imports } = stored;
  const planBytes = Buffer.from(JSON.stringify({ plan, imports }));
  const [planSha256, ...moduleSha256s] = await Promise.all([
    own.put(planBytes),
    ...modules.map(({ bytes, isShared }) => (isShared ? artifacts.runtimes : own).put(bytes)),
  ]);
  return { engineTag: tag, planSha256, moduleSha256s };
}

/** Without the modules that are compiled here already: the language runtime is the same in nearly every app. */
async function readStored(
  artifact: CompiledArtifact,
  own: ArtifactFolder,
): Promise<LoadableComponent> {
  const [planBytes, ...modules] = await Promise.all([
    own.read(artifact.planSha256),
    ...artifact.moduleSha256s.map(async (sha256) => ({
      sha256,
      bytes: engine.hasModule(sha256) ? undefined : await own.read(sha256),
    })),
  ]);
  // Ours, and unchanged: the engine of this tag wrote it, and its hash was checked.
  const stored: Pick<LoadableComponent, "plan" | "imports"> = JSON.parse(
    Buffer.from(planBytes).toString(),
  );
  return { ...stored, modules };
}

function toHostError(error: unknown, limits: ComponentLimits): HostError {
  if (!(error instanceof ComponentError)) return HostError.from(error);
  const { limit, offset } = error;
  const quota = limit && QUOTA_OF_LIMIT.get(limit);
  return new HostError(CODES[error.kind], error.message, {
    details: {
      problems: error.problems.slice(0, PROBLEMS_MAX),
      ...(offset !== undefined && { offset }),
      ...(quota !== undefined && { [quota]: limits[quota] }),
    },
    cause: error,
  });
}
