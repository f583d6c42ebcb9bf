import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { AppRecord } from "./app-record.ts";
import { ArtifactStore } from "./artifact-store.ts";
import { leaveOlderLayout } from "./older-layout.ts";

/** As an earlier host kept it, whoever it belonged to. */
function keep(directory: string, text: string): string {
  const sha256 = createHash("sha256").update(text).digest("hex");
  mkdirSync(join(directory, sha256.slice(0, 2)), { recursive: true });
  writeFileSync(join(directory, sha256.slice(0, 2), sha256), text);
  return sha256;
}

function app(tenantId: string, ...revisionIds: readonly string[]): AppRecord {
  const [activeRevisionId = ""] = revisionIds;
  return {
    tenantId,
    app: "app",
    activeRevisionId,
    revisions: revisionIds.map((revisionId) => ({
      revisionId,
      deployedAtMs: 0,
      functions: [],
      imports: [],
      sizes: { componentBytes: 0, coreModules: 0, coreModuleBytes: 0 },
      artifact: { engineTag: "older", planSha256: "", moduleSha256s: [] },
    })),
    settings: {},
    createdAtMs: 0,
    updatedAtMs: 0,
  };
}

async function openStore(): Promise<{ readonly path: string; readonly store: ArtifactStore }> {
  const path = mkdtempSync(join(tmpdir(), "downpour-older-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return { path, store: await ArtifactStore.open(path) };
}

test("what all tenants shared becomes each one's own, and what nobody needs goes", async () => {
  const { path, store } = await openStore();
  const [both, old, garbage] = ["both have it", "an older revision", "a plan"].map((text) =>
    keep(path, text),
  );
  const apps = [app("acme", both ?? "", old ?? ""), app("beta", both ?? "")];
  await leaveOlderLayout(path, store, apps);
  for (const tenant of ["acme", "beta"]) {
    expect(Buffer.from(await store.of(tenant).read(both ?? "")).toString()).toBe("both have it");
  }
  expect(Buffer.from(await store.of("acme").read(old ?? "")).toString()).toBe("an older revision");
  await expect(store.of("beta").read(old ?? "")).rejects.toMatchObject({
    code: "ARTIFACT_DAMAGED",
  });
  await expect(store.of("acme").read(garbage ?? "")).rejects.toMatchObject({
    code: "ARTIFACT_DAMAGED",
  });
  expect(readdirSync(path).toSorted()).toEqual(["runtimes", "staging", "tenants"]);
});

test("a component that is gone or was damaged is its app's loss, and nobody else's", async () => {
  const { path, store } = await openStore();
  const sound = keep(path, "sound");
  const damaged = keep(path, "damaged");
  writeFileSync(join(path, damaged.slice(0, 2), damaged), "other bytes");
  await leaveOlderLayout(path, store, [app("acme", "0".repeat(64), damaged, sound)]);
  expect(Buffer.from(await store.of("acme").read(sound)).toString()).toBe("sound");
  await expect(store.of("acme").read(damaged)).rejects.toMatchObject({
    code: "ARTIFACT_DAMAGED",
    message: `the artifact ${damaged} has changed on disk`,
  });
});

test("no component is written again: a full disk has no room for a second one", async () => {
  const { path, store } = await openStore();
  const name = keep(path, "large");
  const file = join(name.slice(0, 2), name);
  const { ino } = statSync(join(path, file));
  await leaveOlderLayout(path, store, [app("acme", name), app("beta", name)]);
  for (const tenant of ["acme", "beta"]) {
    expect(statSync(join(path, "tenants", tenant, file)).ino).toBe(ino);
  }
});

test("what an interrupted start gave its tenant already stays as it is", async () => {
  const { path, store } = await openStore();
  const name = keep(path, "kept");
  await store.of("acme").put(Buffer.from("kept"));
  writeFileSync(join(path, name.slice(0, 2), name), "damaged since");
  await leaveOlderLayout(path, store, [app("acme", name)]);
  expect(Buffer.from(await store.of("acme").read(name)).toString()).toBe("kept");
});

test("nothing is done where nothing is left of that time, or twice", async () => {
  const { path, store } = await openStore();
  const name = keep(path, "kept");
  for (let start = 0; start < 2; start += 1) {
    await leaveOlderLayout(path, store, [app("acme", name)]);
    expect(Buffer.from(await store.of("acme").read(name)).toString()).toBe("kept");
  }
});
