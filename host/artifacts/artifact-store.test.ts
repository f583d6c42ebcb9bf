import { AssertionError } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { ArtifactStore } from "./artifact-store.ts";

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "downpour-artifacts-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function* chunks(...parts: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

async function* breaking(): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(10);
  throw new Error("the client went away");
}

/** Every file under the directory, staged ones included. */
function files(path: string): readonly string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);
}

function sha256(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

test("bytes come back under their hash", async () => {
  const store = await ArtifactStore.open(directory());
  const name = await store.of("acme").put(Buffer.from("hello"));
  expect(name).toBe(sha256("hello"));
  expect(Buffer.from(await store.of("acme").read(name)).toString()).toBe("hello");
});

test("equal bytes are kept once", async () => {
  const path = directory();
  const store = await ArtifactStore.open(path);
  const first = await store.of("acme").put(Buffer.from("same"));
  expect(await store.of("acme").put(Buffer.from("same"))).toBe(first);
  expect(files(path)).toHaveLength(1);
});

test("bytes whose file was damaged are written again", async () => {
  const path = directory();
  const store = await ArtifactStore.open(path);
  const name = await store.of("acme").put(Buffer.from("good"));
  writeFileSync(join(path, "tenants/acme", name.slice(0, 2), name), "evil");
  expect(await store.of("acme").put(Buffer.from("good"))).toBe(name);
  expect(Buffer.from(await store.of("acme").read(name)).toString()).toBe("good");
});

test("a staged stream is hashed, and becomes an artifact when it is adopted", async () => {
  const path = directory();
  const store = await ArtifactStore.open(path);
  const staged = await store.stage(chunks("ab", "", "cd"), 4);
  expect(staged).toMatchObject({ sha256: sha256("abcd"), bytes: 4 });
  await expect(store.of("acme").read(staged.sha256)).rejects.toMatchObject({
    code: "ARTIFACT_DAMAGED",
  });
  await store.of("acme").adopt(staged);
  expect(Buffer.from(await store.of("acme").read(staged.sha256)).toString()).toBe("abcd");
  expect(files(path)).toEqual([staged.sha256]);
});

test("a large stream arrives whole", async () => {
  const store = await ArtifactStore.open(directory());
  const parts = Array.from({ length: 100 }, () => randomBytes(50_000));
  const staged = await store.stage(chunks(...parts), 5_000_000);
  expect(staged.sha256).toBe(sha256(Buffer.concat(parts)));
});

test("a stream over the limit is refused where it crosses it, and leaves nothing", async () => {
  const path = directory();
  const store = await ArtifactStore.open(path);
  let taken = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      taken += 1;
      yield Buffer.alloc(10);
    }
  }
  await expect(store.stage(endless(), 25)).rejects.toMatchObject({
    code: "UPLOAD_TOO_LARGE",
    details: { uploadBytesMax: 25 },
  });
  expect(taken).toBe(3);
  expect(files(path)).toEqual([]);
});

test("a stream that breaks leaves nothing", async () => {
  const path = directory();
  const store = await ArtifactStore.open(path);
  await expect(store.stage(breaking(), 100)).rejects.toThrow("the client went away");
  expect(files(path)).toEqual([]);
});

test("streams that break while their files are being opened leave nothing", async () => {
  const path = directory();
  const store = await ArtifactStore.open(path);
  const broken = Array.from({ length: 1000 }, () => store.stage(breaking(), 100));
  const outcomes = await Promise.allSettled(broken);
  expect(outcomes.every(({ status }) => status === "rejected")).toBe(true);
  expect(files(path)).toEqual([]);
});

test("a discarded upload leaves nothing", async () => {
  const path = directory();
  const store = await ArtifactStore.open(path);
  await store.discard(await store.stage(chunks("x"), 10));
  expect(files(path)).toEqual([]);
});

test("what a crash left unfinished is removed at the next opening, and artifacts stay", async () => {
  const path = directory();
  const store = await ArtifactStore.open(path);
  await store.of("acme").put(Buffer.from("kept"));
  await store.stage(chunks("unfinished"), 100);
  await ArtifactStore.open(path);
  expect(files(path)).toEqual([sha256("kept")]);
});

test("a file that changed on disk, or is gone, is damaged and never given out", async () => {
  const path = directory();
  const store = await ArtifactStore.open(path);
  const name = await store.of("acme").put(Buffer.from("good"));
  writeFileSync(join(path, "tenants/acme", name.slice(0, 2), name), "evil");
  await expect(store.of("acme").read(name)).rejects.toMatchObject({ code: "ARTIFACT_DAMAGED" });
  rmSync(join(path, "tenants/acme", name.slice(0, 2), name));
  await expect(store.of("acme").read(name)).rejects.toMatchObject({ code: "ARTIFACT_DAMAGED" });
});

test("a sweep removes what is not referenced, and nothing else", async () => {
  const path = directory();
  const store = await ArtifactStore.open(path);
  const kept = await store.of("acme").put(Buffer.from("kept"));
  for (let n = 0; n < 100; n += 1) await store.of("acme").put(Buffer.from(`garbage ${n}`));
  await store.stage(chunks("left by a thread that was terminated"), 100);
  expect(await store.sweep(new Map([["acme", new Set([kept])]]))).toBe(101);
  expect(files(path)).toEqual([kept]);
});

test("a sweep removes a runtime when no tenant refers to it, and the folder of a tenant that has nothing", async () => {
  const path = directory();
  const store = await ArtifactStore.open(path);
  const runtime = await store.runtimes.put(Buffer.from("runtime"));
  const own = await store.of("acme").put(Buffer.from("of acme"));
  await store.of("gone").put(Buffer.from("of gone"));
  await store.sweep(new Map([["acme", new Set([runtime, own])]]));
  expect(files(path).toSorted()).toEqual([own, runtime].toSorted());
  expect(readdirSync(join(path, "tenants"))).toEqual(["acme"]);
  await store.sweep(new Map([["acme", new Set([own])]]));
  expect(files(path)).toEqual([own]);
});

describe("equal bytes of two tenants", () => {
  test("are two files, each for itself: one is damaged or removed, and the other is sound", async () => {
    const path = directory();
    const store = await ArtifactStore.open(path);
    const name = await store.of("acme").put(Buffer.from("same"));
    const missing = { code: "ARTIFACT_DAMAGED" };
    await expect(store.of("beta").read(name)).rejects.toMatchObject(missing);
    await store.of("beta").put(Buffer.from("same"));
    expect(files(path)).toEqual([name, name]);
    writeFileSync(join(path, "tenants/acme", name.slice(0, 2), name), "evil");
    expect(Buffer.from(await store.of("beta").read(name)).toString()).toBe("same");
    await store.removeTenant("acme");
    await expect(store.of("acme").read(name)).rejects.toMatchObject(missing);
    expect(Buffer.from(await store.of("beta").read(name)).toString()).toBe("same");
  });

  test("are kept for the one that refers to them", async () => {
    const path = directory();
    const store = await ArtifactStore.open(path);
    const name = await store.of("acme").put(Buffer.from("same"));
    const other = await store.of("beta").put(Buffer.from("other"));
    await store.of("beta").put(Buffer.from("same"));
    const referenced = new Map([
      ["acme", new Set([name])],
      ["beta", new Set([other])],
    ]);
    expect(await store.sweep(referenced)).toBe(1);
    expect(Buffer.from(await store.of("acme").read(name)).toString()).toBe("same");
    await expect(store.of("beta").read(name)).rejects.toMatchObject({ code: "ARTIFACT_DAMAGED" });
  });

  test("of a runtime are one, that all of them read", async () => {
    const path = directory();
    const store = await ArtifactStore.open(path);
    const name = await store.runtimes.put(Buffer.from("runtime"));
    for (const tenant of ["acme", "beta"]) {
      expect(Buffer.from(await store.of(tenant).read(name)).toString()).toBe("runtime");
    }
    expect(files(path)).toEqual([name]);
  });
});

test.each(["", "..", "a/b", "../staging", "A"])(
  "no folder is that of a tenant called %j",
  async (name) => {
    const store = await ArtifactStore.open(directory());
    expect(() => store.of(name)).toThrow(AssertionError);
    await expect(store.removeTenant(name)).rejects.toThrow(AssertionError);
  },
);

test("a full disk is a typed error, leaves nothing half-written, and what is there can be read", async (context) => {
  const path = directory();
  const mount = join(path, "small");
  mkdirSync(mount);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", mount], { stdio: "pipe" });
  } catch {
    context.skip("mounting a small file system is not permitted here");
  }
  onTestFinished(() => {
    execFileSync("umount", [mount]);
  });
  const store = await ArtifactStore.open(join(mount, "artifacts"));
  const small = await store.of("acme").put(Buffer.from("small"));
  const full = { code: "STORAGE_FULL" };
  await expect(store.of("acme").put(Buffer.alloc(1_000_000))).rejects.toMatchObject(full);
  const stream = chunks(...Array.from({ length: 100 }, () => Buffer.alloc(10_000)));
  await expect(store.stage(stream, 10_000_000)).rejects.toMatchObject(full);
  expect(files(mount)).toEqual([small]);
  expect(Buffer.from(await store.of("acme").read(small)).toString()).toBe("small");
  await expect(store.of("acme").put(Buffer.from("also small"))).resolves.toBe(sha256("also small"));
});
