import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { behaviours } from "../e2e/testing/components.ts";
import { at, HostUnderTest } from "../e2e/testing/host-under-test.ts";
import type { TenantClient } from "../e2e/testing/host-under-test.ts";
import { buildGuest } from "../../host/engine/testing/build-guest.ts";
import { buildBehaviourGuest } from "../../host/testing/behaviour-guest.ts";
import { beside } from "./testing/beside.ts";

// Functions that do without an end what each may do once: log, write keys, read, wait, answer. Their own
// tenant gets what its limits say, and a neighbour is served beside them.

const DEADLINE_MS = 1_500;

let host: HostUnderTest;
let attacker: TenantClient;
let neighbour: TenantClient;

beforeAll(async () => {
  host = await HostUnderTest.start({
    flags: ["--log-entries-per-app-max=200", "--log-entries-per-invocation-max=100"],
  });
  attacker = await host.tenant("be");
  neighbour = await host.tenant("beta");
  await neighbour.deploy("app", await behaviours());
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

/** Each does one thing again and again, until something ends it. */
async function floods(): Promise<Uint8Array<ArrayBuffer>> {
  const component = await buildGuest({
    source: `
      import state from "downpour:faas/state@0.1.0";
      import log from "downpour:faas/log@0.1.0";

      const empty = () => new Uint8Array();
      const big = (bytes) => new Uint8Array(bytes);
      const functions = {
        log: () => { for (let n = 0; n < 5000; n += 1) log.write("info", "flood " + n); return empty(); },
        logForever: () => { for (;;) log.write("error", "flood without end"); },
        longLog: () => { log.write("info", "x".repeat(4000000)); return empty(); },
        keys: () => { for (let n = 0; n < 20000; n += 1) state.put("flood/" + n, empty(), "memory"); return empty(); },
        keysForever: () => { for (let n = 0; ; n += 1) state.put("endless/" + n, big(1000), "memory"); },
        read: () => { for (;;) state.get("nothing"); },
        list: () => { for (;;) state.listKeys("flood/", undefined, 1000); },
        wait: () => { for (;;) state.counterAdd("waiting", 1, "durable"); },
        big: () => big(10 * 1024 * 1024),
        fits: () => big(4 * 1024 * 1024),
        throws: () => {
          const text = "x".repeat(100000);
          throw { tag: "uncaught-exception", val: { name: text, message: text, stack: text } };
        },
      };

      export function describe() {
        return JSON.stringify({ sdk: "0.1.0", functions: Object.keys(functions).map((name) => ({ name })) });
      }
      export async function handle(name) {
        return { mediaType: "application/octet-stream", body: functions[name]() };
      }`,
    world: "function",
  });
  return new Uint8Array(component);
}

function appFor(name: string): string {
  return `flood-${name.toLowerCase()}`;
}

/** Those that something has to end; the others have all the time that a call has. */
const ENDLESS: readonly string[] = ["logForever", "keysForever", "read", "list", "wait"];

async function deployFlood(name: string): Promise<void> {
  await attacker.deploy(appFor(name), await floods());
  if (!ENDLESS.includes(name)) return;
  await attacker.api("PATCH", `/v1/apps/${appFor(name)}`, { json: { deadlineMs: DEADLINE_MS } });
}

/** As many at once as take every executor. */
const AT_ONCE = 6;

/** Calls a function of an app of its own, because an app that burns threads is refused for a while. */
async function codesOf(name: string): Promise<readonly unknown[]> {
  await deployFlood(name);
  const calls = Array.from({ length: AT_ONCE }, () =>
    attacker.invoke(`${appFor(name)}/${name}`, null),
  );
  const answers = await Promise.all(calls);
  return answers.map(({ status, code }) => (status === 200 ? 200 : code));
}

/** How a call without an end may end: by what it uses, by its deadline, or because another one beside it took the thread along. */
const ENDED = [
  "DEADLINE_EXCEEDED",
  "CPU_LIMIT_EXCEEDED",
  "EXECUTOR_LOST",
  "QUEUE_FULL",
  "QUOTA_EXCEEDED",
  "STATE_OPERATIONS_EXCEEDED",
  "BACKED_OFF",
];

describe("a neighbour is served beside a function that", () => {
  test.each(ENDLESS)("does nothing but %s, and each of its calls is ended", async (name) => {
    for (const code of await beside(neighbour, codesOf(name))) expect(ENDED).toContain(code);
  });
});

test("calls that wait for hours hold no thread: the neighbour is served, and each ends at its deadline", async () => {
  await attacker.deploy("sleeper", new Uint8Array(await buildBehaviourGuest()));
  await attacker.api("PATCH", "/v1/apps/sleeper", { json: { deadlineMs: DEADLINE_MS } });
  const sleepers = Array.from({ length: 50 }, () => attacker.invoke("sleeper/sleep", 3_600_000));
  const codes = (await beside(neighbour, Promise.all(sleepers))).map(({ code }) => code);
  expect(new Set(codes)).toEqual(new Set(["DEADLINE_EXCEEDED"]));
});

describe("a flood of log entries", () => {
  test("is cut for each invocation, and is in no other app's log", async () => {
    await neighbour.invoke("app/log", "of the neighbour");
    expect(await beside(neighbour, codesOf("log"))).toEqual(
      Array.from({ length: AT_ONCE }, () => 200),
    );
    const own = [
      at((await attacker.api("GET", "/v1/apps/flood-log/logs?limit=1000")).json(), "entries"),
    ].flat();
    expect(own.length).toBeLessThanOrEqual(200);
    expect(own.at(-1)).toMatchObject({
      message: expect.stringContaining("4900 log entries dropped: an invocation may write 100"),
    });
    const others = (await neighbour.api("GET", "/v1/apps/app/logs")).body.toString();
    expect(others).toContain("of the neighbour");
    expect(others).not.toContain("flood");
  });

  test("is cut for the tenant too, by a rate that is changed live, and is said and counted", async () => {
    const tenant = await host.tenant("logger", { logBytesPerSecondMax: 1 });
    await tenant.deploy("app", await floods());
    await tenant.invoke("app/log", null);
    const log = async (): Promise<unknown> =>
      at((await tenant.api("GET", "/v1/apps/app/logs")).json(), "entries");
    const missing =
      "[4999 log entries dropped: the tenant may log 1 bytes a second, and an invocation may write 100]";
    expect(await log()).toMatchObject([
      { message: "flood 0" },
      { level: "warn", message: missing },
    ]);
    const usage = at((await tenant.api("GET", "/v1/usage")).json(), "total");
    expect(usage).toMatchObject({ logBytes: `flood 0${missing}`.length, logEntriesDropped: 4_999 });
    const metrics = (await host.admin("GET", "/metrics")).body.toString();
    expect(metrics).toContain('downpour_log_entries_dropped_total{tenant="logger",app="app"} 4999');
    // The first entry is paid for over minutes at the old rate, and not at the new one.
    const quotas = { logBytesPerSecondMax: 1_000_000 };
    expect((await host.admin("PATCH", "/v1/tenants/logger", { quotas })).status).toBe(200);
    await tenant.invoke("app/log", null);
    expect([await log()].flat()).toHaveLength(2 + 100 + 1);
  });

  test("and a message of megabytes is cut", async () => {
    expect(await codesOf("longLog")).toContain(200);
    const page = (await attacker.api("GET", "/v1/apps/flood-longlog/logs?limit=1")).json();
    expect(String(at(page, "entries", 0, "message")).length).toBeLessThan(10_000);
  });

  test("is no line of the host's own log", () => {
    expect(host.output).not.toContain("flood ");
    expect(host.output.length).toBeLessThan(100_000);
  });
});

test("a flood of keys is the tenant's own, and its neighbour lists and writes as before", async () => {
  await beside(neighbour, codesOf("keys"));
  await neighbour.api("PUT", "/v1/state/mine", { body: "1" });
  const listed = (await neighbour.api("GET", "/v1/state")).json();
  expect(at(listed, "entries")).toEqual([{ key: "mine", kind: "register" }]);
  expect(
    at((await attacker.api("GET", "/v1/state?prefix=flood/&limit=10")).json(), "entries"),
  ).toHaveLength(10);
});

describe("answers", () => {
  test("of 10 MB are refused by name", async () => {
    const codes = await beside(neighbour, codesOf("big"));
    expect(new Set(codes)).toEqual(new Set(["RESULT_TOO_LARGE"]));
  });

  test("of exceptions of 100 kB are each their own caller's, and cut in the log", async () => {
    const codes = await beside(neighbour, codesOf("throws"));
    expect(new Set(codes)).toEqual(new Set(["FUNCTION_THREW"]));
    const page = (await attacker.api("GET", "/v1/apps/flood-throws/logs?limit=1")).json();
    expect(String(at(page, "entries", 0, "message")).length).toBeLessThan(10_000);
    expect(host.output).not.toContain("xxxx");
  });

  test("as large as allowed are sent whole", async () => {
    await deployFlood("fits");
    const answer = await attacker.invoke("flood-fits/fits", null);
    expect([answer.status, answer.body.byteLength]).toEqual([200, 4 * 1_024 * 1_024]);
  });
});

test("afterwards everything is as before: the attacker's other functions run, and nothing of the host broke", async () => {
  await expect
    .poll(async () => (await attacker.invoke("flood-fits/fits", null)).status, { timeout: 30_000 })
    .toBe(200);
  expect((await host.api("GET", "/readyz")).status).toBe(200);
  expect(host.output).not.toMatch(/"level":"fatal"/u);
});
