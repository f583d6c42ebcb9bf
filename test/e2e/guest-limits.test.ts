import { parse } from "@bytecodealliance/jco";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { component, wholeSection } from "../../host/engine/testing/binary.ts";
import { buildBehaviourGuest } from "../../host/testing/behaviour-guest.ts";
import { behaviours } from "./testing/components.ts";
import { at, HostUnderTest } from "./testing/host-under-test.ts";
import type { Answer, TenantClient } from "./testing/host-under-test.ts";

let host: HostUnderTest;
let tenant: TenantClient;

beforeAll(async () => {
  host = await HostUnderTest.start();
  tenant = await host.tenant("acme");
  await tenant.deploy("sdk", await behaviours());
  await tenant.deploy("raw", new Uint8Array(await buildBehaviourGuest()));
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

function inFlight(): Promise<unknown> {
  return host.admin("GET", "/readyz").then((answer) => at(answer.json(), "inFlight"));
}

/** Passes its input as the key of a counter. */
function visit(key: string): Promise<Answer> {
  return tenant.invoke("sdk/visit", key);
}

describe("a trap", () => {
  test("is told apart from an exception, and ends its instance alone", async () => {
    const before = (await tenant.invoke("raw/calls", null)).json();
    expect(before).toBe(1);
    const answer = await tenant.invoke("raw/trap", null);
    expect(answer.status).toBe(502);
    expect(answer.code).toBe("GUEST_TRAPPED");
    expect(at(answer.json(), "retryable")).toBe(false);
    expect(answer.headers.get("downpour-invocation")).toMatch(/^[0-9a-f-]{36}$/u);
    // What the trapped instance held is gone with it.
    expect((await tenant.invoke("raw/calls", null)).json()).toBe(1);
  });

  test("is in the function's log, under the invocation", async () => {
    const answer = await tenant.invoke("raw/trap", null);
    const invocation = answer.headers.get("downpour-invocation");
    await expect
      .poll(async () => (await tenant.api("GET", "/v1/apps/raw/logs")).body.toString())
      .toContain(String(invocation));
  });
});

describe("a deadline", () => {
  test("that ends a function which waits leaves its executor and its neighbours alone", async () => {
    const neighbour = tenant.invoke("raw/sleep", 1_000);
    const answer = await tenant.invoke("raw/sleep", 60_000, {
      headers: { "downpour-deadline-ms": "200" },
    });
    expect(answer.code).toBe("DEADLINE_EXCEEDED");
    expect((await neighbour).json()).toBe("slept");
    await expect.poll(inFlight).toBe(0);
  });
});

describe("a full queue", () => {
  test("answers 429 and its code, and is served when there is room", async () => {
    await tenant.deploy("narrow", new Uint8Array(await buildBehaviourGuest()));
    const config = { concurrencyMax: 1, queueDepthMax: 1 };
    await tenant.api("PATCH", "/v1/apps/narrow", { json: config });
    const running = tenant.invoke("narrow/sleep", 1_000);
    await expect.poll(inFlight).toBe(1);
    const others = await Promise.all(
      Array.from({ length: 4 }, () => tenant.invoke("narrow/echo", "x")),
    );
    const refused = others.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(3);
    for (const answer of refused) {
      expect(answer.json()).toMatchObject({ code: "QUEUE_FULL", retryable: true });
    }
    expect((await running).json()).toBe("slept");
    expect((await tenant.invoke("narrow/echo", "x")).json()).toBe("x");
  });
});

describe("a key of state that a function passes", () => {
  test.each([
    ["a slash", "/"],
    ["dots", ".."],
    ["a NUL inside", "a\u0000b"],
    ["__proto__", "__proto__"],
    ["a character beyond 16 bits", "\u{1f600}"],
    ["a line break", "\n"],
    ["512 bytes", "x".repeat(512)],
  ])("is one as any other where it is %s", async (_, key) => {
    expect((await visit(key)).json()).toBe(1);
    expect((await visit(key)).json()).toBe(2);
  });

  test.each([
    ["no characters", ""],
    ["513 bytes", "x".repeat(513)],
    ["100 kB", "x".repeat(100_000)],
  ])("of %s is an exception by its class, which the author can catch", async (_, key) => {
    const answer = await visit(key);
    expect(answer.code).toBe("FUNCTION_THREW");
    expect(at(answer.json(), "details", "exception")).toBe("InvalidKeyError");
  });
});

describe("an upload that costs more than it should", () => {
  test.each([
    ["components inside each other, 200 deep", async () => nested(200)],
    [
      "5,000 core modules",
      () => parse(`(component ${'(core module (func (export "f"))) '.repeat(5_000)})`),
    ],
  ])("because it has %s is refused as that", async (_, make) => {
    const answer = await tenant.upload("complex", new Uint8Array(await make()));
    expect(answer.status).toBe(422);
    expect(answer.code).toBe("COMPONENT_TOO_COMPLEX");
  });
});

/** Assemblers refuse what is nested so deeply. */
function nested(depth: number): Uint8Array {
  let bytes = component();
  for (let level = 1; level < depth; level += 1) bytes = component(wholeSection(4, bytes));
  return bytes;
}
