import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { behaviours } from "../e2e/testing/components.ts";
import { at, HostUnderTest } from "../e2e/testing/host-under-test.ts";
import type { TenantClient } from "../e2e/testing/host-under-test.ts";

// Whoever gets the name of a deleted tenant is somebody else: nothing that the earlier owner has
// begun may end in the new owner's namespace.

let host: HostUnderTest;

beforeAll(async () => {
  host = await HostUnderTest.start();
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

interface SlowRequest {
  /** Sends the rest of the body, and gives the whole answer. */
  finish(): Promise<string>;
}

/** Settles when the host has the head of the request and knows whose it is, and lacks the last byte. */
async function slowly(
  tenant: TenantClient,
  line: string,
  type: string,
  body: Uint8Array,
): Promise<SlowRequest> {
  const socket = connect(Number(new URL(host.url).port), "127.0.0.1");
  const head = [
    `${line} HTTP/1.1`,
    "Host: x",
    "Connection: close",
    "Expect: 100-continue",
    `Authorization: Bearer ${tenant.token}`,
    `Content-Type: ${type}`,
    `Content-Length: ${body.byteLength}`,
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  const [proceed] = await once(socket, "data");
  expect(String(proceed)).toBe("HTTP/1.1 100 Continue\r\n\r\n");
  socket.write(body.subarray(0, -1));
  return {
    finish: () => {
      socket.write(body.subarray(-1));
      return text(socket);
    },
  };
}

test("what a deleted tenant began is not done in the name of the next owner of its name", async () => {
  const component = await behaviours();
  const earlier = await host.tenant("reused");
  const write = await slowly(earlier, "PUT /v1/state/planted", "text/plain", Buffer.from("value"));
  const upload = await slowly(earlier, "PUT /v1/apps/planted", "application/wasm", component);
  const known = await slowly(earlier, "PUT /v1/apps/app", "application/wasm", component);
  const invoke = await slowly(
    earlier,
    "POST /v1/invoke/app/visit",
    "application/json",
    Buffer.from(JSON.stringify("page")),
  );
  const configure = await slowly(
    earlier,
    "PATCH /v1/apps/app",
    "application/json",
    Buffer.from(JSON.stringify({ environment: { PLANTED: "yes" } })),
  );
  expect((await host.admin("DELETE", "/v1/tenants/reused")).status).toBe(204);
  const later = await host.tenant("reused");
  await later.deploy("app", component);

  for (const request of [write, upload, known, invoke, configure]) {
    const answer = await request.finish();
    expect(answer).toMatch(/^HTTP\/1\.1 401/u);
    expect(answer).toContain('"code":"UNAUTHENTICATED"');
  }
  expect(at((await later.api("GET", "/v1/state")).json(), "entries")).toEqual([]);
  const apps = (await later.api("GET", "/v1/apps")).json();
  expect(at(apps, "apps", 0, "app")).toBe("app");
  expect(at(apps, "apps", 1)).toBeUndefined();
  expect((await later.api("GET", "/v1/apps/app")).body.toString()).not.toContain("PLANTED");
});

test("a token that is revoked while the body comes is refused when it is there", async () => {
  const tenant = await host.tenant("revoked");
  const write = await slowly(tenant, "PUT /v1/state/late", "text/plain", Buffer.from("value"));
  const shown = (await host.admin("GET", "/v1/tenants/revoked")).json();
  const tokenId = String(at(shown, "tokens", 0, "tokenId"));
  const other = await host.admin("POST", "/v1/tenants/revoked/tokens");
  const revoked = await host.admin("DELETE", `/v1/tenants/revoked/tokens/${tokenId}`);
  expect(revoked.status).toBe(204);
  expect(await write.finish()).toMatch(/^HTTP\/1\.1 401/u);
  const token = String(at(other.json(), "token"));
  expect((await host.api("GET", "/v1/state/late", { token })).code).toBe("STATE_KEY_NOT_FOUND");
});
