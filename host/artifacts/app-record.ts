import { Type } from "typebox";
import type { Static } from "typebox";
import { HostError } from "../errors.ts";
import { ComponentLimits, EARLIER_LIMITS, limitsKey } from "./component-limits.ts";

// One app as it is stored, and what may become of it. Records are immutable; each function here
// takes one and answers the next, and knows nothing of disks or threads.

const text = Type.String();
const whole = Type.Integer();

/** How to make a revision runnable again without compiling it. */
const CompiledArtifact = Type.Object({
  /** Of the engine that made it: another engine compiles the component anew. */
  engineTag: text,
  planSha256: text,
  moduleSha256s: Type.Array(text),
});
export type CompiledArtifact = Readonly<Static<typeof CompiledArtifact>>;

const Revision = Type.Object({
  /** SHA-256 of the component, which is also the name of its artifact. */
  revisionId: text,
  deployedAtMs: whole,
  functions: Type.Array(Type.Object({ name: text, description: Type.Optional(text) })),
  imports: Type.Array(text),
  sizes: Type.Object({
    componentBytes: whole,
    coreModules: whole,
    coreModuleBytes: whole,
    // What earlier hosts did not count.
    coreFunctions: Type.Optional(whole),
    sections: Type.Optional(whole),
    nestingDepth: Type.Optional(whole),
    tableElements: Type.Optional(whole),
  }),
  /** Of its upload; absent in records of earlier hosts. */
  limits: Type.Optional(ComponentLimits),
  artifact: CompiledArtifact,
});
export type Revision = Readonly<Static<typeof Revision>>;

/** What the owner of an app has set; what is absent follows the host's defaults. */
const AppSettings = Type.Object({
  deadlineMs: Type.Optional(whole),
  cpuMsMax: Type.Optional(whole),
  memoryBytesMax: Type.Optional(whole),
  concurrencyMax: Type.Optional(whole),
  queueDepthMax: Type.Optional(whole),
  requestsPerSecondMax: Type.Optional(whole),
  idleInstancesMax: Type.Optional(whole),
  reuse: Type.Optional(Type.Enum(["always", "never"])),
  environment: Type.Optional(Type.Record(text, text)),
});
export type AppSettings = Readonly<Static<typeof AppSettings>>;

export const AppRecordSchema = Type.Object({
  tenantId: text,
  app: text,
  activeRevisionId: text,
  /** Newest upload first. */
  revisions: Type.Array(Revision, { minItems: 1 }),
  settings: AppSettings,
  createdAtMs: whole,
  updatedAtMs: whole,
});
export type AppRecord = Readonly<Static<typeof AppRecordSchema>>;

/** Names the code that a revision runs: equal bytes that were uploaded with other limits are other code. */
export function codeKey({ revisionId, limits }: Pick<Revision, "revisionId" | "limits">): string {
  return `${revisionId}/${limitsKey(limits ?? EARLIER_LIMITS)}`;
}

export function activeRevision(record: AppRecord): Revision {
  return findRevision(record, record.activeRevisionId);
}

/** So many names of functions of an app are kept: four of the largest revisions have no more. */
const FUNCTION_NAMES_MAX = 1_024;

export interface FunctionNames {
  /** What the active revision has. */
  readonly active: ReadonlySet<string>;
  /** Also what may come back with another revision: as far as there is room, that of the newest. */
  readonly kept: ReadonlySet<string>;
}

export function functionNames(record: AppRecord): FunctionNames {
  const active = namesOf(activeRevision(record));
  const kept = new Set([...active, ...record.revisions.flatMap(namesOf)]);
  return { active: new Set(active), kept: new Set([...kept].slice(0, FUNCTION_NAMES_MAX)) };
}

function namesOf({ functions }: Revision): readonly string[] {
  return functions.map(({ name }) => name);
}

/**
 * The app after an upload: the revision is active and first in the history, also when an equal one
 * was there before. The oldest ones beyond `keptMax` go, never the active one.
 */
export function withRevision(
  record: AppRecord | undefined,
  identity: { readonly tenantId: string; readonly app: string },
  revision: Revision,
  keptMax: number,
): AppRecord {
  const older = record?.revisions.filter(({ revisionId }) => revisionId !== revision.revisionId);
  return {
    tenantId: identity.tenantId,
    app: identity.app,
    activeRevisionId: revision.revisionId,
    revisions: [revision, ...(older ?? [])].slice(0, keptMax),
    settings: record?.settings ?? {},
    createdAtMs: record?.createdAtMs ?? revision.deployedAtMs,
    updatedAtMs: revision.deployedAtMs,
  };
}

/** The app with another revision of its history active: the named one, or the one before the active. */
export function rolledBack(
  record: AppRecord,
  revisionId: string | undefined,
  nowMs: number,
): AppRecord {
  const target =
    revisionId === undefined ? revisionBefore(record) : findRevision(record, revisionId);
  return { ...record, activeRevisionId: target.revisionId, updatedAtMs: nowMs };
}

/** The app with some settings changed: null unsets one, and what is absent stays. */
export function configured(
  record: AppRecord,
  patch: { readonly [Name in keyof AppSettings]?: AppSettings[Name] | null | undefined },
  nowMs: number,
): AppRecord {
  const { settings } = record;
  const next = <Name extends keyof AppSettings>(name: Name): Pick<AppSettings, Name> | object => {
    const wanted = patch[name] === undefined ? settings[name] : patch[name];
    return wanted === undefined || wanted === null ? {} : { [name]: wanted };
  };
  return {
    ...record,
    settings: {
      ...next("deadlineMs"),
      ...next("cpuMsMax"),
      ...next("memoryBytesMax"),
      ...next("concurrencyMax"),
      ...next("queueDepthMax"),
      ...next("requestsPerSecondMax"),
      ...next("idleInstancesMax"),
      ...next("reuse"),
      ...next("environment"),
    },
    updatedAtMs: nowMs,
  };
}

/** The app with one revision compiled anew, where it still has that one. */
export function withArtifact(
  record: AppRecord,
  recompiled: Revision,
  artifact: CompiledArtifact,
): AppRecord {
  const key = codeKey(recompiled);
  return {
    ...record,
    revisions: record.revisions.map((revision) =>
      codeKey(revision) === key ? { ...revision, artifact } : revision,
    ),
  };
}

/** The names of all artifacts that the app needs: its components, their plans and their core modules. */
export function artifactsOf(record: AppRecord): readonly string[] {
  return record.revisions.flatMap(({ revisionId, artifact }) => [
    revisionId,
    artifact.planSha256,
    ...artifact.moduleSha256s,
  ]);
}

function revisionBefore(record: AppRecord): Revision {
  const active = record.revisions.findIndex(
    ({ revisionId }) => revisionId === record.activeRevisionId,
  );
  const before = record.revisions[active + 1];
  if (before === undefined) {
    throw new HostError("REVISION_NOT_FOUND", "the app has no revision before the active one");
  }
  return before;
}

function findRevision(record: AppRecord, revisionId: string): Revision {
  const found = record.revisions.find((revision) => revision.revisionId === revisionId);
  if (found === undefined) {
    throw new HostError("REVISION_NOT_FOUND", "the app has no such revision any more", {
      details: { revision: revisionId },
    });
  }
  return found;
}
