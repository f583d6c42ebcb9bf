import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { TenantRegistry } from "./registry.ts";
import type { Tenant, TenantRecords } from "./tenant.ts";
import { mintToken } from "./token.ts";

const QUOTAS = {
  appsMax: 10,
  revisionsKeptMax: 3,
  uploadBytesMax: 1_000,
  componentFunctionsMax: 1_000,
  componentSectionsMax: 1_000,
  componentNestingMax: 10,
  tableElementsMax: 1_000,
  compileMsMax: 1_000,
  compileHeapMibMax: 100,
  uploadsMax: 2,
  concurrencyMax: 8,
  queueDepthMax: 16,
  queuedBytesMax: 1_000,
  requestsPerSecondMax: 100,
  apiRequestsPerSecondMax: 100,
  weight: 100,
  instancesMax: 10,
  deadlineMsMax: 1_000,
  cpuMsMax: 1_000,
  memoryBytesMax: 1_000,
  inputBytesMax: 1_000,
  resultBytesMax: 1_000,
  stateOperationsMax: 1_000,
  stateValueBytesMax: 100,
  stateKeysMax: 10,
  stateBytesMax: 1_000,
  logBytesPerSecondMax: 1_000,
};

/** Keeps tenants as the text that a store would keep, so that a reopened registry shares no object. */
class FakeRecords implements TenantRecords {
  readonly stored = new Map<string, string>();
  failure: Error | undefined;

  async loadAll(): Promise<readonly unknown[]> {
    return [...this.stored.values()].map((text): unknown => JSON.parse(text));
  }

  async save(tenant: Tenant): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.stored.set(tenant.tenantId, JSON.stringify(tenant));
  }

  async remove(tenantId: string): Promise<void> {
    this.stored.delete(tenantId);
  }
}

const admin = mintToken({ role: "admin" }, 0);

function open(records: TenantRecords): Promise<TenantRegistry> {
  return TenantRegistry.open({
    records,
    adminToken: admin.record,
    quotasDefault: QUOTAS,
    quotasMax: { ...QUOTAS, appsMax: 50 },
    now: () => 5,
  });
}

describe("authenticate", () => {
  test("knows a tenant by its token, in any case of the scheme", async () => {
    const registry = await open(new FakeRecords());
    const { token, tenant } = await registry.create("acme");
    expect(registry.authenticate(`Bearer ${token}`)).toMatchObject({ role: "tenant", tenant });
    expect(registry.authenticate(`bearer ${token}`)).toMatchObject({ role: "tenant", tenant });
  });

  test("knows the admin", async () => {
    const registry = await open(new FakeRecords());
    expect(registry.authenticate(`Bearer ${admin.token}`)).toEqual({ role: "admin" });
  });

  test("refuses everything else", async () => {
    const registry = await open(new FakeRecords());
    const { token } = await registry.create("acme");
    await registry.create("other");
    const secret = token.slice("dp_acme_".length);
    const headers = [
      "",
      "Bearer",
      "Bearer ",
      token,
      `Basic ${token}`,
      `Bearer ${token}x`,
      `Bearer ${token.slice(0, -1)}`,
      `Bearer ${token} ${token}`,
      `Bearer dp_other_${secret}`,
      `Bearer dp_nobody_${secret}`,
      `Bearer dpadmin_${secret}`,
      `Bearer dp_acme_${"A".repeat(43)}`,
      `Bearer ${"x".repeat(100_000)}`,
    ];
    const taken = headers.filter((header) => registry.authenticate(header) !== undefined);
    expect(taken).toEqual([]);
  });

  test("a token with a hyphen in the tenant and an underscore in the secret is still one", async () => {
    const registry = await open(new FakeRecords());
    for (let round = 0; round < 64; round += 1) {
      const { token, tenant } = await registry.create(`a-b-${round}`);
      expect(registry.authenticate(`Bearer ${token}`)).toMatchObject({ tenant });
    }
  });

  test("spellings of a token that nobody needs take no memory", async () => {
    const registry = await open(new FakeRecords());
    setFlagsFromString("--expose-gc");
    const collectGarbage: unknown = runInNewContext("gc");
    if (typeof collectGarbage !== "function") throw new Error("V8 gave no gc()");
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let spaces = 0; spaces < 2_000; spaces += 1) {
      const header = Buffer.from(`Bearer${" ".repeat(10_000 + spaces)}${admin.token}`).toString();
      expect(registry.authenticate(header)?.role).toBe("admin");
    }
    collectGarbage();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(5_000_000);
  });

  test("a revoked token is refused at once, also one that was recognised before", async () => {
    const registry = await open(new FakeRecords());
    const { token, tenant } = await registry.create("acme");
    const second = await registry.addToken("acme");
    expect(registry.authenticate(`Bearer ${token}`)).toBeDefined();
    await registry.revokeToken("acme", tenant.tokens[0]?.tokenId ?? "");
    expect(registry.authenticate(`Bearer ${token}`)).toBeUndefined();
    expect(registry.authenticate(`Bearer ${second.token}`)).toBeDefined();
  });

  test("new quotas are seen by the next request of a recognised token", async () => {
    const registry = await open(new FakeRecords());
    const { token } = await registry.create("acme");
    registry.authenticate(`Bearer ${token}`);
    await registry.setQuotas("acme", { appsMax: 1 });
    expect(registry.authenticate(`Bearer ${token}`)).toMatchObject({
      tenant: { quotas: { ...QUOTAS, appsMax: 1 } },
    });
  });
});

/** A tenant with two tokens, and who of those that watch them was told. */
async function watched(): Promise<{
  readonly registry: TenantRegistry;
  readonly second: { readonly tokenId: string; readonly token: string };
  readonly voided: string[];
  readonly stop: () => void;
}> {
  const registry = await open(new FakeRecords());
  const { token } = await registry.create("acme");
  const second = await registry.addToken("acme");
  const voided: string[] = [];
  registry.watch(`Bearer ${token}`, () => voided.push("first"));
  const stop = registry.watch(`Bearer ${second.token}`, () => voided.push("second"));
  return { registry, second, voided, stop };
}

describe("whoever watches a token", () => {
  test("is told once when it is revoked, and not of other changes", async () => {
    const { registry, second, voided } = await watched();
    await registry.setQuotas("acme", { appsMax: 1 });
    await registry.addToken("acme");
    await registry.create("other");
    expect(voided).toEqual([]);
    await registry.revokeToken("acme", second.tokenId);
    expect(voided).toEqual(["second"]);
    await registry.addToken("acme");
    expect(voided).toEqual(["second"]);
  });

  test("is told when the deletion of its tenant begins", async () => {
    const { registry, voided } = await watched();
    await registry.beginRemoval("acme");
    expect(voided).toEqual(["first", "second"]);
  });

  test("is told nothing after it stopped", async () => {
    const { registry, second, voided, stop } = await watched();
    stop();
    await registry.revokeToken("acme", second.tokenId);
    expect(voided).toEqual([]);
  });
});

describe("changes", () => {
  test("what was created is there after a reopening, and no token in clear", async () => {
    const records = new FakeRecords();
    const { token } = await (await open(records)).create("acme", { appsMax: 2 });
    const reopened = await open(records);
    expect(reopened.authenticate(`Bearer ${token}`)).toMatchObject({
      tenant: { tenantId: "acme", quotas: { appsMax: 2 }, createdAtMs: 5 },
    });
    expect([...records.stored.values()].join("")).not.toContain(token.slice(-43));
  });

  test("of two creations of one name at once, one wins", async () => {
    const registry = await open(new FakeRecords());
    const results = await Promise.allSettled([registry.create("acme"), registry.create("acme")]);
    expect(results.map((result) => result.status)).toEqual(["fulfilled", "rejected"]);
    expect(results[1]).toMatchObject({ reason: { kind: "tenant-exists" } });
  });

  test("a change that could not be stored did not happen, and the next one can", async () => {
    const records = new FakeRecords();
    const registry = await open(records);
    records.failure = new Error("disk full");
    await expect(registry.create("acme")).rejects.toThrow("disk full");
    expect(registry.find("acme")).toBeUndefined();
    records.failure = undefined;
    await expect(registry.create("acme")).resolves.toBeDefined();
  });

  test("a tenant that is being deleted has no token, and its name is taken, also after a restart", async () => {
    const records = new FakeRecords();
    const { token } = await (await open(records)).create("acme");
    await (await open(records)).beginRemoval("acme");
    const registry = await open(records);
    expect(registry.authenticate(`Bearer ${token}`)).toBeUndefined();
    await expect(registry.create("acme")).rejects.toMatchObject({ kind: "tenant-deleting" });
    await expect(registry.addToken("acme")).rejects.toMatchObject({ kind: "tenant-deleting" });
    await registry.remove("acme");
    await expect(registry.create("acme")).resolves.toBeDefined();
  });

  test("a token is minted with its scopes, and rotated with them", async () => {
    const registry = await open(new FakeRecords());
    await registry.create("acme");
    const added = await registry.addToken("acme", ["state"]);
    expect(registry.authenticate(`Bearer ${added.token}`)).toMatchObject({ scopes: ["state"] });
    const rotated = await registry.rotateToken("acme", added.tokenId);
    expect(registry.authenticate(`Bearer ${added.token}`)).toBeUndefined();
    expect(registry.authenticate(`Bearer ${rotated.token}`)).toMatchObject({ scopes: ["state"] });
    await expect(registry.rotateToken("acme", added.tokenId)).rejects.toMatchObject({
      kind: "token-not-found",
    });
  });

  test("a token of an earlier host is good for everything", async () => {
    const records = new FakeRecords();
    const { token, tenant } = await (await open(records)).create("acme");
    const tokens = tenant.tokens.map(({ tokenId, sha256 }) => ({
      tokenId,
      sha256,
      createdAtMs: 1,
    }));
    records.stored.set("acme", JSON.stringify({ ...tenant, tokens }));
    expect((await open(records)).authenticate(`Bearer ${token}`)).toMatchObject({
      scopes: ["invoke", "deploy", "state", "admin"],
    });
  });

  test("a suspended tenant stays so over a restart, and its streams are told", async () => {
    const records = new FakeRecords();
    const registry = await open(records);
    const { token } = await registry.create("acme");
    const voided: string[] = [];
    registry.watch(`Bearer ${token}`, () => voided.push("stream"));
    await registry.setSuspended("acme", true);
    expect(voided).toEqual(["stream"]);
    const reopened = await open(records);
    expect(reopened.get("acme").isSuspended).toBe(true);
    await reopened.setSuspended("acme", false);
    expect(reopened.authenticate(`Bearer ${token}`)).toMatchObject({
      tenant: { isSuspended: false },
    });
  });

  test("a tenant has at most sixteen tokens", async () => {
    const registry = await open(new FakeRecords());
    await registry.create("acme");
    for (let count = 1; count < 16; count += 1) await registry.addToken("acme");
    await expect(registry.addToken("acme")).rejects.toMatchObject({ kind: "too-many-tokens" });
  });

  test("what is not there is named", async () => {
    const registry = await open(new FakeRecords());
    expect(() => registry.get("nobody")).toThrow(
      expect.objectContaining({ kind: "tenant-not-found" }),
    );
    await registry.create("acme");
    await expect(registry.revokeToken("acme", "0")).rejects.toMatchObject({
      kind: "token-not-found",
    });
  });

  test("quotas above the host's maximum are refused, whoever asks", async () => {
    const registry = await open(new FakeRecords());
    const tooHigh = { kind: "quota-too-high", message: "appsMax may be at most 50 on this host" };
    await expect(registry.create("acme", { appsMax: 51 })).rejects.toMatchObject(tooHigh);
    await registry.create("acme", { appsMax: 50 });
    await expect(registry.setQuotas("acme", { appsMax: 51 })).rejects.toMatchObject(tooHigh);
    expect(registry.get("acme").quotas.appsMax).toBe(50);
  });

  test("a maximum that was lowered holds for tenants that were given more", async () => {
    const records = new FakeRecords();
    await (await open(records)).create("acme", { appsMax: 20 });
    const registry = await TenantRegistry.open({
      records,
      adminToken: admin.record,
      quotasDefault: QUOTAS,
      quotasMax: { ...QUOTAS, appsMax: 15 },
    });
    expect(registry.get("acme").quotas.appsMax).toBe(15);
  });

  test("a record of an earlier host has what a new tenant gets for quotas that came later", async () => {
    const records = new FakeRecords();
    records.stored.set(
      "acme",
      '{"tenantId":"acme","quotas":{"appsMax":3},"tokens":[],"createdAtMs":1,"isDeleting":false}',
    );
    expect((await open(records)).get("acme").quotas).toEqual({ ...QUOTAS, appsMax: 3 });
  });

  test("tenants are listed by name", async () => {
    const registry = await open(new FakeRecords());
    for (const name of ["b", "a", "c"]) await registry.create(name);
    expect(registry.list().map((tenant) => tenant.tenantId)).toEqual(["a", "b", "c"]);
  });

  test.each([
    "null",
    "{}",
    '{"tenantId":"a/b"}',
    '{"tenantId":"a","quotas":{"appsMax":"1"},"tokens":[],"createdAtMs":1,"isDeleting":false}',
    '{"tenantId":"a","quotas":{},"tokens":[{}],"createdAtMs":1,"isDeleting":false}',
  ])("a damaged record %s stops the opening", async (text) => {
    const records = new FakeRecords();
    records.stored.set("x", text);
    await expect(open(records)).rejects.toMatchObject({ kind: "record-invalid" });
  });
});
