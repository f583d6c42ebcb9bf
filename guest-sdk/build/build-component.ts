// One build: check, bundle, componentize.
//
// B1. Nothing is written before types and imports are right: not `outFile`, not a byte of it on failure.
// B2. Every step has a time limit, and every process and folder it made is gone when it settles, also where it is aborted.
// B3. Builds share nothing: any number may run at once.

import { randomUUID } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { bundle } from "./bundle.ts";
import type { Bundle } from "./bundle.ts";
import { BuildError, diagnostic } from "./build-error.ts";
import type { BuildDiagnostic } from "./build-error.ts";
import { Componentizer } from "./componentize.ts";
import type { JavaScriptEngine } from "./componentize.ts";
import { loadFailed } from "./load-failure.ts";
import { findProject } from "./project.ts";
import { readBuildLog, readManifest } from "./snapshot.ts";
import type { BuildLogEntry } from "./snapshot.ts";
import type { ManifestFunction } from "../src/serve/manifest-format.ts";
import { typeCheck } from "./type-check.ts";

export interface BuildOptions {
  /** The file whose exports are the functions. */
  readonly entry: string;
  /** `quickjs` where nothing is said: small and quick. `starlingmonkey` has more of the web's APIs. */
  readonly engine?: JavaScriptEngine;
  /** Where to put the component; written whole or not at all. */
  readonly outFile?: string;
  /** Makes the source smaller, and names in stacks meaningless. Rarely worth it. */
  readonly minify?: boolean;
  /** For each step; 60,000 where nothing is said. */
  readonly stepTimeoutMs?: number;
  /** Ends the build, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface BuildResult {
  readonly component: Uint8Array;
  readonly bytes: number;
  readonly durationMs: number;
  /** Types are checked beside the other two. */
  readonly steps: {
    readonly typesMs: number;
    readonly bundleMs: number;
    readonly componentizeMs: number;
  };
  readonly warnings: readonly BuildDiagnostic[];
  readonly functions: readonly ManifestFunction[];
  /** What code outside functions wrote to the console: it ran during the build, and never again. */
  readonly log: readonly BuildLogEntry[];
}

const STEP_TIMEOUT_MS_DEFAULT = 60_000;

/** Makes a component of an author's entry. Throws `BuildError` with every finding. */
export async function buildComponent(options: BuildOptions): Promise<BuildResult> {
  const startMs = performance.now();
  const { engine = "quickjs", minify = false, stepTimeoutMs = STEP_TIMEOUT_MS_DEFAULT } = options;
  options.signal?.throwIfAborted();
  const project = findProject(options.entry);
  const end = new AbortController();
  const signal = AbortSignal.any([
    end.signal,
    ...(options.signal === undefined ? [] : [options.signal]),
  ]);
  await using componentizer = new Componentizer(signal);
  const checking = timed(typeCheck(project, { timeoutMs: stepTimeoutMs, signal }));
  // Awaited below, on every path; until then its failure is not an unhandled one.
  checking.catch(() => {});
  try {
    const bundling = await settle(timed(bundle(project, { engine, minify })));
    if (!bundling.ok) throw await moreUseful(bundling.error, checking);
    const bundled = bundling.value;
    const componentizing = settle(
      timed(componentizer.run({ engine, source: bundled.value.source }, stepTimeoutMs)),
    );
    const types = await checking;
    if (types.value.length > 0) throw new BuildError("type-error", types.value);
    const made = await componentizing;
    if (!made.ok) throw made.error;
    if (made.value.value.kind === "failed") {
      throw loadFailed(made.value.value.message, bundled.value.lineTable);
    }
    const { component } = made.value.value;
    const result = describeComponent(component, bundled.value);
    options.signal?.throwIfAborted();
    if (options.outFile !== undefined) await writeWhole(resolve(options.outFile), component);
    return {
      ...result,
      durationMs: performance.now() - startMs,
      steps: {
        typesMs: types.durationMs,
        bundleMs: bundled.durationMs,
        componentizeMs: made.value.durationMs,
      },
    };
  } catch (error) {
    // What an aborted step throws says less than the reason does.
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    end.abort();
    await checking.catch(() => {});
  }
}

function describeComponent(
  component: Uint8Array,
  bundled: Bundle,
): Omit<BuildResult, "durationMs" | "steps"> {
  const manifest = readManifest(component);
  if (manifest === undefined) {
    throw new BuildError("toolchain-failed", [
      diagnostic("toolchain-failed", "The component holds no manifest"),
    ]);
  }
  return {
    component,
    bytes: component.length,
    warnings: bundled.warnings,
    functions: manifest.functions,
    log: readBuildLog(component),
  };
}

const STOPS_BUNDLER: ReadonlySet<string> = new Set(["syntax-error", "bundle-failed"]);

/**
 * The bundler stops at a syntax error or at a package that is not installed, and so does the
 * compiler, with a better text. A refused import is for us to explain.
 */
async function moreUseful(
  error: unknown,
  checking: Promise<Timed<readonly BuildDiagnostic[]>>,
): Promise<unknown> {
  if (!(error instanceof BuildError) || !STOPS_BUNDLER.has(error.kind)) return error;
  const types = await settle(checking);
  if (!types.ok || types.value.value.length === 0) return error;
  return new BuildError(error.kind, types.value.value, { cause: error });
}

interface Timed<T> {
  readonly value: T;
  readonly durationMs: number;
}

async function timed<T>(work: Promise<T>): Promise<Timed<T>> {
  const startMs = performance.now();
  const value = await work;
  return { value, durationMs: performance.now() - startMs };
}

type Settled<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: unknown };

function settle<T>(work: Promise<T>): Promise<Settled<T>> {
  return work.then(
    (value) => ({ ok: true, value }),
    (error: unknown) => ({ ok: false, error }),
  );
}

/** A reader, such as a watching host, sees the old file or the new one. */
async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${randomUUID()}.draft`;
  try {
    await writeFile(draft, bytes);
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
}
