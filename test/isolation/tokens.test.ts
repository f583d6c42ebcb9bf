import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { behaviours } from "../e2e/testing/components.ts";
import { at, HostUnderTest, TenantClient } from "../e2e/testing/host-under-test.ts";
import type { Answer } from "../e2e/testing/host-under-test.ts";
import { comparable } from "./testing/probe.ts";

let host: HostUnderTest;
let mine: TenantClient;
let theirs: TenantClient;

beforeAll(async () => {
  host = await HostUnderTest.start();
  mine = await host.tenant("be");
  theirs = await host.tenant("beta");
  await theirs.deploy("app", await behaviours());
  // The host remembers good tokens: what is like one of them must still be refused.
  for (const tenant of [mine, theirs]) await tenant.api("GET", "/v1/whoami");
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

function secretOf(token: string): string {
  return token.slice(-43);
}

function whoami(authorization: string): Promise<Answer> {
  return host.api("GET", "/v1/whoami", { headers: { authorization } });
}

describe("a token that was altered", () => {
  test("in any one character stands for nobody", async () => {
    const { token } = theirs;
    for (let index = 0; index < token.length; index += 1) {
      const other = token[index] === "b" ? "c" : "b";
      const altered = token.slice(0, index) + other + token.slice(index + 1);
      const answer = await whoami(`Bearer ${altered}`);
      expect([altered, answer.code]).toEqual([altered, "UNAUTHENTICATED"]);
    }
  });

  test("in the bits of its last character that decode to nothing stands for nobody", async () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const { token } = theirs;
    const genuine = [];
    for (const last of alphabet) {
      const answer = await whoami(`Bearer ${token.slice(0, -1)}${last}`);
      if (answer.status === 200) genuine.push(last);
    }
    expect(genuine).toEqual([token.at(-1)]);
  });

  test.each<[string, (token: string) => string]>([
    ["in capitals", (token) => token.toUpperCase()],
    ["by a character more", (token) => `${token}A`],
    ["by a character less", (token) => token.slice(0, -1)],
    ["by padding", (token) => `${token}=`],
    ["by quotes", (token) => `"${token}"`],
    ["by another tenant's name", (token) => `dp_be_${secretOf(token)}`],
    ["by a longer name", (token) => `dp_beta-2_${secretOf(token)}`],
    ["by an empty name", (token) => `dp__${secretOf(token)}`],
    ["by no name", (token) => `dp_${secretOf(token)}`],
    ["by the operator's name", (token) => `dpadmin_${secretOf(token)}`],
    ["by a name of JavaScript's", (token) => `dp_constructor_${secretOf(token)}`],
    ["by another name of JavaScript's", (token) => `dp___proto___${secretOf(token)}`],
    ["to be two", (token) => `${token},${token}`],
    ["to its secret", secretOf],
    ["to its name", () => "dp_beta_"],
  ])("%s stands for nobody", async (_, alter) => {
    expect((await whoami(`Bearer ${alter(theirs.token)}`)).code).toBe("UNAUTHENTICATED");
  });

  test("is refused in the same words as one of a tenant that nobody is", async () => {
    const wrong = await whoami(`Bearer dp_beta_${"A".repeat(43)}`);
    const nobody = await whoami(`Bearer dp_nobody_${"A".repeat(43)}`);
    expect(comparable(wrong)).toEqual(comparable(nobody));
  });
});

describe("a token", () => {
  test("is taken from nowhere but its header", async () => {
    const { token } = theirs;
    const basic = Buffer.from(`beta:${token}`).toString("base64");
    for (const [path, headers] of [
      [`/v1/whoami?token=${token}`, {}],
      [`/v1/whoami?access_token=${token}`, {}],
      ["/v1/whoami", { cookie: `token=${token}; authorization=Bearer ${token}` }],
      ["/v1/whoami", { "x-authorization": `Bearer ${token}` }],
      ["/v1/whoami", { "proxy-authorization": `Bearer ${token}` }],
      ["/v1/whoami", { authorization: `Basic ${basic}` }],
      ["/v1/whoami", { authorization: token }],
    ] as const) {
      const answer = await host.api("GET", path, { headers });
      expect([path, answer.code]).toEqual([path, "UNAUTHENTICATED"]);
    }
  });

  test.each([
    ["a NUL", "\0"],
    ["a line break", "\n"],
    ["a line break and another header", "\r\nX-Tenant: beta"],
  ])("that is followed by %s is never another tenant's", async (_, suffix) => {
    const socket = connect(Number(new URL(host.url).port), "127.0.0.1");
    socket.write(
      `GET /v1/whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\n` +
        `Authorization: Bearer ${mine.token}${suffix}\r\n\r\n`,
    );
    expect(await text(socket)).not.toContain("beta");
  });

  test("of a deleted tenant stays worthless when its name is given to another", async () => {
    const old = await host.tenant("reborn");
    expect((await old.api("GET", "/v1/whoami")).status).toBe(200);
    await host.admin("DELETE", "/v1/tenants/reborn");
    const next = await host.tenant("reborn");
    expect((await old.api("GET", "/v1/whoami")).code).toBe("UNAUTHENTICATED");
    expect((await next.api("GET", "/v1/whoami")).status).toBe(200);
  });

  test("of another host is worthless here, also for a tenant of the same name", async () => {
    await using other = await HostUnderTest.start();
    const stranger = await other.tenant("beta");
    expect((await stranger.api("GET", "/v1/whoami")).status).toBe(200);
    expect((await whoami(`Bearer ${stranger.token}`)).code).toBe("UNAUTHENTICATED");
    expect((await whoami(`Bearer ${other.adminToken}`)).code).toBe("UNAUTHENTICATED");
  });

  test("that was revoked ends nothing but what comes with it", async () => {
    const added = await host.admin("POST", "/v1/tenants/beta/tokens");
    const second = new TenantClient(host, String(at(added.json(), "token")));
    expect((await second.invoke("app/version", null)).json()).toBe("one");
    const id = String(at(added.json(), "tokenId"));
    expect((await host.admin("DELETE", `/v1/tenants/be/tokens/${id}`)).code).toBe(
      "TOKEN_NOT_FOUND",
    );
    expect((await second.invoke("app/version", null)).status).toBe(200);
    await host.admin("DELETE", `/v1/tenants/beta/tokens/${id}`);
    expect((await second.invoke("app/version", null)).code).toBe("UNAUTHENTICATED");
    expect((await theirs.invoke("app/version", null)).status).toBe(200);
  });
});

test.each([
  ["GET", "/v1/apps"],
  ["GET", "/v1/apps/app"],
  ["PATCH", "/v1/apps/app"],
  ["DELETE", "/v1/apps/app"],
  ["PUT", "/v1/apps/app"],
  ["POST", "/v1/apps/app/rollback"],
  ["GET", "/v1/apps/app/logs"],
  ["GET", "/v1/apps/app/logs?follow=true"],
  ["POST", "/v1/invoke/app/version"],
  ["GET", "/v1/state"],
  ["GET", "/v1/state/k"],
  ["PUT", "/v1/state/k"],
  ["DELETE", "/v1/state/k"],
  ["GET", "/v1/usage"],
  ["GET", "/v1/tenants"],
  ["POST", "/v1/tenants"],
  ["DELETE", "/v1/tenants/beta"],
  ["GET", "/metrics"],
])("%s %s wants a token before anything else", async (method, path) => {
  for (const headers of [{}, { authorization: `Bearer dp_beta_${"A".repeat(43)}` }]) {
    const answer = await host.api(method, path, { headers });
    expect(answer.status).toBe(401);
    expect(answer.code).toBe("UNAUTHENTICATED");
  }
  expect((await theirs.invoke("app/version", null)).json()).toBe("one");
});
