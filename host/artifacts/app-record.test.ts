import { describe, expect, test } from "vitest";
import {
  activeRevision,
  artifactsOf,
  codeKey,
  configured,
  functionNames,
  rolledBack,
  withArtifact,
  withRevision,
} from "./app-record.ts";
import { EARLIER_LIMITS } from "./component-limits.ts";
import type { AppRecord, Revision } from "./app-record.ts";

const IDENTITY = { tenantId: "acme", app: "app" };

function revision(revisionId: string, deployedAtMs = 0): Revision {
  return {
    revisionId,
    deployedAtMs,
    functions: [{ name: "f" }],
    imports: [],
    sizes: { componentBytes: 1, coreModules: 1, coreModuleBytes: 1 },
    artifact: { engineTag: "e", planSha256: `plan-${revisionId}`, moduleSha256s: ["runtime"] },
  };
}

function named(revisionId: string, ...names: readonly string[]): Revision {
  return { ...revision(revisionId), functions: names.map((name) => ({ name })) };
}

/** As many names as a revision may have. */
function many(from: string): readonly string[] {
  return Array.from({ length: 256 }, (_, index) => `${from}${index}`);
}

function appWith(...revisionIds: readonly string[]): AppRecord {
  let record: AppRecord | undefined;
  for (const [index, id] of revisionIds.entries()) {
    record = withRevision(record, IDENTITY, revision(id, index), 3);
  }
  if (record === undefined) throw new Error("an app has a revision");
  return record;
}

function history(record: AppRecord): readonly string[] {
  return record.revisions.map(({ revisionId }) => revisionId);
}

describe("an upload", () => {
  test("is active and first in the history", () => {
    const record = appWith("a", "b");
    expect(activeRevision(record).revisionId).toBe("b");
    expect(history(record)).toEqual(["b", "a"]);
  });

  test("keeps the settings and the time of creation", () => {
    const before = configured(appWith("a"), { deadlineMs: 5 }, 1);
    const after = withRevision(before, IDENTITY, revision("b", 9), 3);
    expect(after).toMatchObject({ settings: { deadlineMs: 5 }, createdAtMs: 0, updatedAtMs: 9 });
  });

  test("of an old revision brings it to the front, once", () => {
    expect(history(appWith("a", "b", "a"))).toEqual(["a", "b"]);
  });

  test("lets the oldest go", () => {
    expect(history(appWith("a", "b", "c", "d"))).toEqual(["d", "c", "b"]);
  });
});

describe("names of functions", () => {
  test("are those of the active revision, and beside them of all that are kept", () => {
    const before = withRevision(undefined, IDENTITY, named("a", "f", "g"), 3);
    const after = withRevision(before, IDENTITY, named("b", "g", "h"), 3);
    expect(functionNames(after)).toEqual({
      active: new Set(["g", "h"]),
      kept: new Set(["g", "h", "f"]),
    });
    expect(functionNames(rolledBack(after, "a", 0)).active).toEqual(new Set(["f", "g"]));
  });

  test("are no more than 1,024, those of the active revision first", () => {
    let record: AppRecord | undefined;
    for (const id of ["a", "b", "c", "d", "e", "f"]) {
      record = withRevision(record, IDENTITY, named(id, ...many(id)), 10);
    }
    if (record === undefined) throw new Error("an app has a revision");
    const { kept } = functionNames(rolledBack(record, "a", 0));
    expect(kept.size).toBe(1_024);
    expect([...kept]).toEqual(["a", "f", "e", "d"].flatMap(many));
  });
});

describe("a rollback", () => {
  test("goes one back each time, and keeps the history", () => {
    const once = rolledBack(appWith("a", "b", "c"), undefined, 1);
    const twice = rolledBack(once, undefined, 2);
    expect([once.activeRevisionId, twice.activeRevisionId]).toEqual(["b", "a"]);
    expect(history(twice)).toEqual(["c", "b", "a"]);
  });

  test("goes to a named revision in either direction", () => {
    const back = rolledBack(appWith("a", "b", "c"), "a", 1);
    expect(rolledBack(back, "c", 2).activeRevisionId).toBe("c");
  });

  test.each([[undefined], ["gone"]])("to %s is refused where there is none", (target) => {
    expect(() => rolledBack(appWith("a"), target, 1)).toThrow(
      expect.objectContaining({ code: "REVISION_NOT_FOUND" }),
    );
  });
});

test("settings change one by one: null unsets, absent stays", () => {
  const set = configured(appWith("a"), { deadlineMs: 5, environment: { A: "1" } }, 1);
  const next = configured(set, { deadlineMs: null, concurrencyMax: 2 }, 2);
  expect(next.settings).toEqual({ concurrencyMax: 2, environment: { A: "1" } });
  expect(next.updatedAtMs).toBe(2);
});

test("a recompiled revision has its new artifact, and the others theirs", () => {
  const artifact = { engineTag: "new", planSha256: "p", moduleSha256s: ["m"] };
  const record = withArtifact(appWith("a", "b"), revision("a"), artifact);
  expect(record.revisions.map((entry) => entry.artifact.engineTag)).toEqual(["e", "new"]);
});

test("a revision that was uploaded anew with other limits keeps its artifact when the one before is recompiled", () => {
  const artifact = { engineTag: "new", planSha256: "p", moduleSha256s: ["m"] };
  const before = { ...revision("a"), limits: { ...EARLIER_LIMITS, tableElementsMax: 10 } };
  const record = withArtifact(appWith("a"), before, artifact);
  expect(record.revisions.map((entry) => entry.artifact.engineTag)).toEqual(["e"]);
});

test("equal bytes are the same code where they were uploaded with equal limits", () => {
  const { tableElementsMax, ...others } = EARLIER_LIMITS;
  const key = codeKey({ revisionId: "a", limits: EARLIER_LIMITS });
  expect(codeKey({ revisionId: "a", limits: { ...others, tableElementsMax } })).toBe(key);
  expect(codeKey(revision("a"))).toBe(key);
  expect(codeKey(revision("b"))).not.toBe(key);
  const fewer = { ...others, tableElementsMax: tableElementsMax - 1 };
  expect(codeKey({ revisionId: "a", limits: fewer })).not.toBe(key);
});

test("an app refers to the components, plans and modules of all its revisions", () => {
  expect(new Set(artifactsOf(appWith("a", "b")))).toEqual(
    new Set(["a", "b", "plan-a", "plan-b", "runtime"]),
  );
});
