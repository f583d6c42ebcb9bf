import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { behaviours } from "./testing/components.ts";
import { HostUnderTest } from "./testing/host-under-test.ts";
import type { Answer, TenantClient } from "./testing/host-under-test.ts";

let host: HostUnderTest;
let tenants = 0;

beforeAll(async () => {
  host = await HostUnderTest.start();
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

function newTenant(quotas: Readonly<Record<string, number>> = {}): Promise<TenantClient> {
  tenants += 1;
  return host.tenant(`tenant-${tenants}`, quotas);
}

function path(key: string): string {
  return `/v1/state/${encodeURIComponent(key)}`;
}

function put(
  tenant: TenantClient,
  key: string,
  body: string | Uint8Array<ArrayBuffer>,
): Promise<Answer> {
  return tenant.api("PUT", path(key), { body });
}

function add(tenant: TenantClient, key: string, delta: unknown): Promise<Answer> {
  return tenant.api("PUT", `${path(key)}?kind=counter`, { json: { add: delta } });
}

describe("a register", () => {
  test("gives back its bytes, and says what it is", async () => {
    const tenant = await newTenant();
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    expect((await put(tenant, "k", bytes)).status).toBe(204);
    const answer = await tenant.api("GET", path("k"));
    expect(new Uint8Array(answer.body)).toEqual(bytes);
    expect(answer.headers.get("content-type")).toBe("application/octet-stream");
    expect(answer.headers.get("downpour-state-kind")).toBe("register");
  });

  test("may be empty, and is then still there", async () => {
    const tenant = await newTenant();
    await put(tenant, "k", "");
    const answer = await tenant.api("GET", path("k"));
    expect(answer.status).toBe(200);
    expect(answer.body).toHaveLength(0);
  });

  test("is gone after a deletion, which succeeds also where there is nothing", async () => {
    const tenant = await newTenant();
    await put(tenant, "k", "x");
    expect((await tenant.api("DELETE", path("k"))).status).toBe(204);
    expect((await tenant.api("DELETE", path("k"))).status).toBe(204);
    expect((await tenant.api("GET", path("k"))).code).toBe("STATE_KEY_NOT_FOUND");
  });

  test("above the tenant's limit is refused", async () => {
    const tenant = await newTenant({ stateValueBytesMax: 10 });
    expect((await put(tenant, "k", "x".repeat(10))).status).toBe(204);
    const answer = await put(tenant, "k", "x".repeat(11));
    expect(answer.status).toBe(413);
    expect(answer.json()).toMatchObject({
      code: "STATE_VALUE_TOO_LARGE",
      details: { bytesMax: 10 },
    });
  });

  test("above the host's limit is refused while it comes in", async () => {
    const tenant = await newTenant();
    const answer = await put(tenant, "k", "x".repeat(2_000_000));
    expect(answer.status).toBe(413);
    expect(answer.code).toBe("STATE_VALUE_TOO_LARGE");
  });

  test("is what functions see, and the reverse", async () => {
    const tenant = await newTenant();
    await tenant.deploy("app", await behaviours());
    await put(tenant, "note", '"from outside"');
    expect((await tenant.invoke("app/recall", null)).json()).toBe("from outside");
    await tenant.invoke("app/remember", "from inside");
    expect((await tenant.api("GET", path("note"))).json()).toBe("from inside");
  });
});

describe("a counter", () => {
  test("adds, and answers its value right after", async () => {
    const tenant = await newTenant();
    expect((await add(tenant, "c", 5)).json()).toEqual({ value: 5 });
    expect((await add(tenant, "c", -7)).json()).toEqual({ value: -2 });
    const answer = await tenant.api("GET", path("c"));
    expect(answer.json()).toEqual({ value: -2 });
    expect(answer.headers.get("downpour-state-kind")).toBe("counter");
  });

  test("loses no add of many at once, and gives each its own value", async () => {
    const tenant = await newTenant();
    const answers = await Promise.all(Array.from({ length: 200 }, () => add(tenant, "c", 1)));
    const values = answers.map((answer) => JSON.stringify(answer.json()));
    expect(new Set(values).size).toBe(200);
    expect((await tenant.api("GET", path("c"))).json()).toEqual({ value: 200 });
  });

  test("does not leave the integers that a number carries", async () => {
    const tenant = await newTenant();
    await add(tenant, "c", Number.MAX_SAFE_INTEGER);
    const answer = await add(tenant, "c", 1);
    expect(answer.status).toBe(409);
    expect(answer.code).toBe("STATE_COUNTER_OVERFLOW");
  });

  test.each([[1.5], ["1"], [null], [2 ** 60]])("takes no %j", async (delta) => {
    expect((await add(await newTenant(), "c", delta)).code).toBe("REQUEST_INVALID");
  });

  test("takes no other keys, and no other body", async () => {
    const tenant = await newTenant();
    const url = `${path("c")}?kind=counter`;
    expect((await tenant.api("PUT", url, { json: { add: 1, by: 2 } })).code).toBe(
      "REQUEST_INVALID",
    );
    expect((await tenant.api("PUT", url, { body: "{" })).code).toBe("JSON_MALFORMED");
    const large = await tenant.api("PUT", url, { body: " ".repeat(5_000) });
    expect(large.code).toBe("REQUEST_INVALID");
    const kind = await tenant.api("PUT", `${path("c")}?kind=set`, { body: "" });
    expect(kind.code).toBe("REQUEST_INVALID");
  });

  test("is no register, nor the reverse, until it is deleted", async () => {
    const tenant = await newTenant();
    await add(tenant, "c", 1);
    const answer = await put(tenant, "c", "x");
    expect(answer.status).toBe(409);
    expect(answer.code).toBe("STATE_KIND_MISMATCH");
    await tenant.api("DELETE", path("c"));
    expect((await put(tenant, "c", "x")).status).toBe(204);
    expect((await add(tenant, "c", 1)).code).toBe("STATE_KIND_MISMATCH");
  });
});

describe("a key", () => {
  const strange = [
    "a/b/c",
    "/",
    "//",
    "a b",
    "ä€😀",
    "%2F",
    "a%",
    "?x=1&y",
    "#",
    "a/../b",
    "__proto__",
    "constructor",
    "\\",
    '"',
    "\n\r\t",
    "\u0001",
    "a\u0000b",
    "x".repeat(512),
    "😀".repeat(128),
  ];

  test.each(strange.map((key) => [key]))("%j is taken as it is", async (key) => {
    const tenant = await newTenant();
    expect((await put(tenant, key, "v")).status).toBe(204);
    expect((await tenant.api("GET", path(key))).body.toString()).toBe("v");
    expect((await tenant.api("GET", "/v1/state")).json()).toEqual({
      entries: [{ key, kind: "register" }],
    });
  });

  test.each([
    ["no characters", ""],
    ["513 bytes", "x".repeat(513)],
    ["513 bytes in few characters", `${"😀".repeat(128)}x`],
  ])("of %s is refused", async (_, key) => {
    const answer = await put(await newTenant(), key, "v");
    expect(answer.status).toBe(400);
    expect(answer.code).toBe("STATE_KEY_INVALID");
  });

  test("of dots is the key that it says, and reaches nothing else", async () => {
    const tenant = await newTenant();
    const socket = connect(Number(new URL(host.url).port), "127.0.0.1");
    socket.write(
      `GET /v1/state/../../s/tenants/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n` +
        `Authorization: Bearer ${tenant.token}\r\n\r\n`,
    );
    expect(await text(socket)).toContain("STATE_KEY_NOT_FOUND");
  });

  test("of another tenant can neither be read nor listed", async () => {
    const [mine, theirs] = [await newTenant(), await newTenant()];
    await put(mine, "secret", "x");
    expect((await theirs.api("GET", path("secret"))).code).toBe("STATE_KEY_NOT_FOUND");
    expect((await theirs.api("GET", "/v1/state")).json()).toEqual({ entries: [] });
    await theirs.api("DELETE", path("secret"));
    expect((await mine.api("GET", path("secret"))).body.toString()).toBe("x");
  });
});

describe("a listing", () => {
  test("gives keys of a prefix in byte order, in pages", async () => {
    const tenant = await newTenant();
    const keys = ["a/1", "a/10", "a/2", "a/ä", "b"];
    for (const key of keys) await put(tenant, key, "");
    await add(tenant, "a/c", 1);
    const first = await tenant.api("GET", "/v1/state?prefix=a%2F&limit=2");
    expect(first.json()).toEqual({
      entries: [
        { key: "a/1", kind: "register" },
        { key: "a/10", kind: "register" },
      ],
      next: "a/10",
    });
    const rest = await tenant.api("GET", "/v1/state?prefix=a%2F&after=a%2F10");
    expect(rest.json()).toEqual({
      entries: [
        { key: "a/2", kind: "register" },
        { key: "a/c", kind: "counter" },
        { key: "a/ä", kind: "register" },
      ],
    });
  });

  test.each([["limit=0"], ["limit=1001"], ["limit=x"], ["limit=1.5"], ["prefx=a"]])(
    "with ?%s is refused",
    async (query) => {
      const answer = await (await newTenant()).api("GET", `/v1/state?${query}`);
      expect(answer.code).toBe("REQUEST_INVALID");
    },
  );
});
