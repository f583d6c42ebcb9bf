import { fileURLToPath } from "node:url";
import { buildComponent } from "@downpour/sdk/build";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { at, HostUnderTest } from "./testing/host-under-test.ts";
import type { TenantClient } from "./testing/host-under-test.ts";

// The examples as a stranger meets them: built from their sources, deployed, and called by HTTP.

let host: HostUnderTest;

beforeAll(async () => {
  host = await HostUnderTest.start();
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

async function deployed(example: string, tenantName: string): Promise<TenantClient> {
  const entry = fileURLToPath(new URL(`../../examples/${example}/src/index.ts`, import.meta.url));
  const tenant = await host.tenant(tenantName);
  const { component } = await buildComponent({ entry });
  await tenant.deploy(example, new Uint8Array(component));
  return tenant;
}

async function call(tenant: TenantClient, target: string, input: unknown): Promise<unknown> {
  const answer = await tenant.invoke(target, input);
  expect(answer.status).toBe(200);
  return answer.json();
}

test("hello greets whoever is named", async () => {
  const tenant = await deployed("hello", "greeter");
  expect(await call(tenant, "hello/hello", "wörld 🌍")).toBe("Hello, wörld 🌍!");
});

test("the counter counts every visit of every page, also those at the same time", async () => {
  const tenant = await deployed("counter", "visited");
  expect(await call(tenant, "counter/peek", "home")).toEqual({ page: "home", count: 0 });
  const visits = Array.from({ length: 50 }, () => call(tenant, "counter/visit", "home"));
  const counts = (await Promise.all(visits)).map((answer) => at(answer, "count"));
  expect(new Set(counts).size).toBe(50);
  await call(tenant, "counter/visit", "about us");
  expect(await call(tenant, "counter/peek", "home")).toEqual({ page: "home", count: 50 });
  expect(await call(tenant, "counter/pages", null)).toEqual(["about us", "home"]);
});

describe("the guest book", () => {
  let tenant: TenantClient;

  beforeAll(async () => {
    tenant = await deployed("guest-book", "guests");
  });

  test("keeps what is signed, in order and in pages, and lets its moderator remove an entry", async () => {
    const ids: unknown[] = [];
    for (const author of ["Ada", "Grace", "Barbara"]) {
      const signed = await call(tenant, "guest-book/sign", { author, message: `by ${author}` });
      expect(at(signed, "count")).toBe(ids.length + 1);
      ids.push(at(signed, "entry", "id"));
    }
    const first = await call(tenant, "guest-book/entries", { limit: 2 });
    const rest = await call(tenant, "guest-book/entries", { limit: 2, after: at(first, "next") });
    const authors = [first, rest].flatMap((page) => at(page, "entries"));
    // Entries of one millisecond are in the order of their random part.
    expect(new Set(authors.map((entry) => at(entry, "author")))).toEqual(
      new Set(["Ada", "Grace", "Barbara"]),
    );
    expect(authors).toHaveLength(3);
    expect(at(rest, "next")).toBeNull();

    await call(tenant, "guest-book/moderate", "mod");
    const removed = await call(tenant, "guest-book/remove", { id: ids[0], by: "mod" });
    expect(at(removed, "removed", "author")).toBe("Ada");
    expect(await call(tenant, "guest-book/summary", null)).toEqual({ signed: 3, moderated: true });
  });

  test.each([
    ["sign", { author: "", message: "x" }, 400, "INPUT_INVALID", undefined],
    ["sign", null, 400, "INPUT_INVALID", undefined],
    ["entries", { limit: 51 }, 400, "INPUT_INVALID", undefined],
    ["moderate", "another", 422, "FUNCTION_ERROR", "moderator-exists"],
    ["remove", { id: "x", by: "nobody" }, 422, "FUNCTION_ERROR", "not-moderator"],
    ["remove", { id: "x", by: "mod" }, 422, "FUNCTION_ERROR", "entry-not-found"],
  ])("refuses %s(%j) as a typed failure", async (name, input, status, code, functionCode) => {
    const answer = await tenant.invoke(`guest-book/${name}`, input);
    expect(answer.status).toBe(status);
    expect(answer.code).toBe(code);
    expect(at(answer.json(), "details", "functionCode")).toBe(functionCode);
  });
});
