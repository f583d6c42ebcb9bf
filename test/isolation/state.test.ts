import { request } from "node:http";
import { buffer } from "node:stream/consumers";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { at, HostUnderTest } from "../e2e/testing/host-under-test.ts";
import type { TenantClient } from "../e2e/testing/host-under-test.ts";
import { ask, probe } from "./testing/probe.ts";

// Two tenants on one host. Whatever one of them does, with whatever key, the other one's state is as
// it was, and nothing of it is seen. `be` and `beta` share the start of their names on purpose.

let host: HostUnderTest;
let attacker: TenantClient;
let victim: TenantClient;

/** What the victim keeps, under the very keys that the attacker tries. */
let before: unknown;

beforeAll(async () => {
  host = await HostUnderTest.start();
  attacker = await host.tenant("be");
  victim = await host.tenant("beta");
  for (const tenant of [attacker, victim]) await tenant.deploy("probe", await probe());
  await hide(victim);
  before = await everythingOf(victim);
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

const HOSTILE_KEYS = [
  "/",
  "//",
  "/secret",
  ".",
  "..",
  "../",
  "../beta/secret",
  "../../t/beta/secret",
  "a/../../beta/secret",
  "t/beta/secret",
  "/t/beta/secret",
  "t/other/",
  "t/",
  "beta/secret",
  "ta/secret",
  "s/tenants/beta",
  "../s/apps/beta/probe",
  "\u0000",
  "\u0000s/tenants/beta",
  "%2e%2e%2fbeta%2fsecret",
  "..%2Fbeta",
  "..\\beta\\secret",
  "a\u0000b",
  "/\u0000",
  "x\u0000/t/beta/secret",
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "*",
  "?prefix=",
  "#",
  "\n",
  "\u007f",
  "\ufeffsecret",
  "\ud7ff",
  "\uffff",
  "\u{10ffff}",
  "z".repeat(512),
];

/** A way to one's own state. */
interface Way {
  /** Undefined where nothing is. */
  get(tenant: TenantClient, key: string): Promise<unknown>;
  put(tenant: TenantClient, key: string, value: string): Promise<void>;
  remove(tenant: TenantClient, key: string): Promise<void>;
  list(tenant: TenantClient, prefix: string): Promise<unknown>;
  add(tenant: TenantClient, key: string): Promise<unknown>;
}

/** Sends a path as it is: `fetch` would resolve its dots, also where they are percent-encoded. */
async function atKey(
  tenant: TenantClient,
  method: string,
  key: string,
  options: { readonly body?: string; readonly query?: string } = {},
): Promise<{ readonly status: number | undefined; readonly text: string }> {
  const bytes = Array.from(Buffer.from(key), (byte) => `%${byte.toString(16).padStart(2, "0")}`);
  const { promise, resolve, reject } = Promise.withResolvers<{
    readonly status: number | undefined;
    readonly text: string;
  }>();
  request(tenant.host.url, {
    method,
    path: `/v1/state/${bytes.join("")}${options.query ?? ""}`,
    headers: { authorization: `Bearer ${tenant.token}` },
  })
    .on("error", reject)
    .on("response", (response) => {
      buffer(response)
        .then((body) => resolve({ status: response.statusCode, text: body.toString() }))
        .catch(reject);
    })
    .end(options.body);
  return promise;
}

const overHttp: Way = {
  async get(tenant, key) {
    const { status, text } = await atKey(tenant, "GET", key);
    if (status === 404 && text.includes("STATE_KEY_NOT_FOUND")) return undefined;
    expect(status).toBe(200);
    return text;
  },
  async put(tenant, key, body) {
    expect((await atKey(tenant, "PUT", key, { body })).status).toBe(204);
  },
  async remove(tenant, key) {
    expect((await atKey(tenant, "DELETE", key)).status).toBe(204);
  },
  async list(tenant, prefix) {
    const query = new URLSearchParams({ prefix, limit: "1000" }).toString();
    const entries = at((await tenant.api("GET", `/v1/state?${query}`)).json(), "entries");
    return Array.isArray(entries) ? entries.map((entry) => at(entry, "key")) : entries;
  },
  async add(tenant, key) {
    const answer = await atKey(tenant, "PUT", key, { body: '{"add":1}', query: "?kind=counter" });
    return at(JSON.parse(answer.text), "value");
  },
};

const throughFunctions: Way = {
  get: async (tenant, key) => (await ask(tenant, "get", { key })) ?? undefined,
  async put(tenant, key, value) {
    expect(await ask(tenant, "put", { key, value })).toBeNull();
  },
  async remove(tenant, key) {
    expect(await ask(tenant, "remove", { key })).toBeNull();
  },
  list: (tenant, prefix) => ask(tenant, "list", { prefix }),
  add: (tenant, key) => ask(tenant, "add", { key }),
};

const throughTexts: Way = {
  ...throughFunctions,
  get: async (tenant, key) => (await ask(tenant, "getText", { key })) ?? undefined,
  async put(tenant, key, value) {
    expect(await ask(tenant, "putText", { key, value })).toBeNull();
  },
};

/** Gives a tenant something to hide: the keys that the other one tries, and a counter. */
async function hide(tenant: TenantClient): Promise<void> {
  for (const [index, key] of ["secret", ...HOSTILE_KEYS].entries()) {
    await overHttp.put(tenant, key, `hidden ${index}`);
  }
  await throughFunctions.add(tenant, "visits");
}

/** All that a tenant has, seen from outside and by its function. */
async function everythingOf(tenant: TenantClient): Promise<unknown> {
  const listed = (await tenant.api("GET", "/v1/state?limit=1000")).json();
  const keys = await throughFunctions.list(tenant, "");
  const registers = Array.isArray(keys) ? keys.filter((key) => key !== "visits") : [];
  expect(registers).toHaveLength(HOSTILE_KEYS.length + 1);
  const values = await ask(tenant, "getMany", { keys: registers });
  return { listed, keys, values, visits: await ask(tenant, "count", { key: "visits" }) };
}

describe.each([
  ["over HTTP", overHttp],
  ["through a function", throughFunctions],
  ["through a function, as texts", throughTexts],
])("%s", (_, way) => {
  test.each(HOSTILE_KEYS.map((key) => [key]))(
    "the key %j is one's own: nothing of another tenant is read, listed, written or deleted by it",
    async (key) => {
      expect(await way.get(attacker, key)).toBeUndefined();
      expect(await way.list(attacker, key)).toEqual([]);
      await way.put(attacker, key, "mine");
      expect(await way.get(attacker, key)).toBe("mine");
      expect(await way.list(attacker, key)).toEqual([key]);
      expect(await everythingOf(victim)).toEqual(before);
      await way.remove(attacker, key);
      expect(await way.get(attacker, key)).toBeUndefined();
      // The victim's is a register: its kind does not show, either.
      expect(await way.add(attacker, key)).toBe(1);
      await way.remove(attacker, key);
      expect(await everythingOf(victim)).toEqual(before);
    },
  );

  test("no prefix lists more than one's own keys", async () => {
    await way.put(attacker, "own", "");
    for (const prefix of ["", "o", "own"]) {
      expect(await way.list(attacker, prefix)).toEqual(["own"]);
    }
    for (const prefix of ["s", "secret", "vis", "ta/", "../", "t/beta", ...HOSTILE_KEYS]) {
      expect(await way.list(attacker, prefix)).toEqual([]);
    }
    await way.remove(attacker, "own");
  });

  test("two tenants that use the same keys are as two hosts to each other", async () => {
    const key = fc
      .array(fc.constantFrom("", ".", "..", "/", "t", "be", "beta", "a", "\u0000", "\uffff"), {
        minLength: 1,
        maxLength: 5,
      })
      .map((parts) => parts.join(""))
      .filter((text) => text !== "");
    const step = fc.record({
      who: fc.constantFrom(0, 1),
      what: fc.constantFrom("put", "remove"),
      key,
    });
    const tenants = [await newTenant(), await newTenant()];
    const models = tenants.map(() => new Map<string, string>());
    let writes = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        for (const { who, what, key: target } of steps) {
          const [tenant, model] = [tenants[who], models[who]];
          if (tenant === undefined || model === undefined) throw new Error("there are two");
          writes += 1;
          if (what === "put") {
            await way.put(tenant, target, `value ${writes}`);
            model.set(target, `value ${writes}`);
          } else {
            await way.remove(tenant, target);
            model.delete(target);
          }
        }
        for (const [index, tenant] of tenants.entries()) {
          const model = models[index] ?? new Map<string, string>();
          const keys = [...model.keys()].toSorted((a, b) =>
            Buffer.compare(Buffer.from(a), Buffer.from(b)),
          );
          expect(await way.list(tenant, "")).toEqual(keys);
          for (const { key: target } of steps) {
            expect(await way.get(tenant, target)).toBe(model.get(target));
          }
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe("a function", () => {
  test("reads many keys at once, and all of them are its own tenant's", async () => {
    const keys = ["secret", ...HOSTILE_KEYS];
    expect(await ask(attacker, "getMany", { keys })).toEqual(keys.map(() => null));
  });

  test.each(["", "\u0000", "../", "t/", "t/beta/", "\u{10ffff}", "z".repeat(512)])(
    "that lists from %j on sees its own tenant's keys alone",
    async (after) => {
      expect(await ask(attacker, "list", { prefix: "", after })).toEqual([]);
    },
  );

  test.each([
    ["no characters", ""],
    ["513 bytes", "x".repeat(513)],
    ["513 bytes in few characters", `${"\u{1f600}".repeat(128)}x`],
    ["100 kB", "x".repeat(100_000)],
  ])("is refused a key of %s, and may go on", async (_, key) => {
    const refused = { refused: "invalid-key" };
    expect(await ask(attacker, "get", { key })).toEqual(refused);
    expect(await ask(attacker, "put", { key, value: "x" })).toEqual(refused);
    expect(await ask(attacker, "getText", { key })).toEqual(refused);
    expect(await ask(attacker, "putText", { key, value: "x" })).toEqual(refused);
    expect(await ask(attacker, "remove", { key })).toEqual(refused);
    expect(await ask(attacker, "add", { key })).toEqual(refused);
    expect(await ask(attacker, "list", { prefix: "" })).toEqual([]);
  });
});

/** As the probe shows bytes: one character each. */
function bytesOf(text: string): string {
  return Buffer.from(text).toString("latin1");
}

describe("a text", () => {
  test.each(["", "é€😀", "\ufeffmarked", "\u0000", "x".repeat(5_000)])(
    "is the register whose bytes are its UTF-8: %j",
    async (text) => {
      await ask(attacker, "putText", { key: "text", value: text });
      expect(await ask(attacker, "get", { key: "text" })).toBe(bytesOf(text));
      await ask(attacker, "put", { key: "text", value: bytesOf(text) });
      expect(await ask(attacker, "getText", { key: "text" })).toBe(text);
      await ask(attacker, "remove", { key: "text" });
      expect(await ask(attacker, "getText", { key: "text" })).toBeNull();
    },
  );

  test.each(["\u00ff", "\u00c3", "\u00ed\u00a0\u0080"])(
    "is not what bytes are that are no UTF-8: %j",
    async (value) => {
      await ask(attacker, "put", { key: "bytes", value });
      expect(await ask(attacker, "getText", { key: "bytes" })).toEqual({ refused: "not-text" });
      expect(await ask(attacker, "get", { key: "bytes" })).toBe(value);
      await ask(attacker, "remove", { key: "bytes" });
    },
  );

  test("is as large as its bytes are", async () => {
    const tenant = await newTenant({ stateValueBytesMax: 10 });
    const refused = { refused: "value-too-large" };
    expect(await ask(tenant, "putText", { key: "k", value: "€€€x" })).toBeNull();
    expect(await ask(tenant, "putText", { key: "k", value: "€€€xx" })).toEqual(refused);
    expect(await ask(tenant, "getText", { key: "k" })).toBe("€€€x");
  });

  test("is no counter", async () => {
    await ask(attacker, "add", { key: "counted" });
    expect(await ask(attacker, "getText", { key: "counted" })).toEqual({ refused: "wrong-kind" });
    await ask(attacker, "remove", { key: "counted" });
  });
});

test("what a tenant writes is never a record of the host: tenants, tokens and apps are as they were after a restart", async () => {
  await using first = await HostUnderTest.start();
  const [mine, theirs] = [await first.tenant("be"), await first.tenant("beta")];
  for (const tenant of [mine, theirs]) await tenant.deploy("probe", await probe());
  await hide(theirs);
  const shown = (await first.admin("GET", "/v1/tenants")).json();
  const state = await everythingOf(theirs);
  for (const key of [
    "s/tenants/beta",
    "../../s/tenants/beta",
    "../../s/apps/beta/probe",
    "../../s/host/admin-token",
  ]) {
    await throughFunctions.put(mine, key, '{"format":99}');
    await overHttp.put(mine, `/${key}`, '{"format":99}');
  }
  await first.stop();
  await using again = await first.restart();
  expect((await again.admin("GET", "/v1/tenants")).json()).toEqual(shown);
  expect(await everythingOf(theirs.on(again))).toEqual(state);
});

let tenants = 0;

async function newTenant(quotas: Readonly<Record<string, number>> = {}): Promise<TenantClient> {
  tenants += 1;
  const tenant = await host.tenant(`twin-${tenants}`, quotas);
  await tenant.deploy("probe", await probe());
  return tenant;
}
