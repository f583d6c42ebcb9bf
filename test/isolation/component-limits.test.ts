import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  component as nestedComponent,
  repeat,
  wholeSection,
} from "../../host/engine/testing/binary.ts";
import { behaviours } from "../e2e/testing/components.ts";
import { at, HostUnderTest } from "../e2e/testing/host-under-test.ts";
import type { Answer, TenantClient } from "../e2e/testing/host-under-test.ts";
import { beside } from "./testing/beside.ts";
import { coreGuest, EMPTY_ANSWER } from "./testing/core-guest.ts";

// Components that are more than their tenant may upload, and that others may. What is deployed already goes
// on, whatever its tenant may upload by now.

const QUOTAS = {
  componentFunctionsMax: 3_000,
  componentSectionsMax: 600,
  componentNestingMax: 4,
  tableElementsMax: 5_000,
  compileMsMax: 30_000,
};

let host: HostUnderTest;
let attacker: TenantClient;
let neighbour: TenantClient;

beforeAll(async () => {
  host = await HostUnderTest.start({ flags: ["--component-nesting-max=20"] });
  attacker = await host.tenant("attacker", QUOTAS);
  neighbour = await host.tenant("neighbour");
  for (const tenant of [attacker, neighbour]) await tenant.deploy("app", await behaviours());
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

function set(quotas: Readonly<Record<string, number>>): Promise<Answer> {
  return host.admin("PATCH", "/v1/tenants/attacker", { quotas });
}

function joined(...parts: readonly Iterable<number>[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function nested(depth: number): Uint8Array {
  return depth === 1 ? nestedComponent() : nestedComponent(wholeSection(4, nested(depth - 1)));
}

const EMPTY_SECTION = [0, 1, 0];

describe("above the quota of its tenant is refused by the name of the quota, and is the neighbour's to upload:", () => {
  test.each([
    [
      "many functions",
      "componentFunctionsMax",
      () => coreGuest({ fields: "(func)".repeat(3_000) }),
    ],
    [
      "many sections",
      "componentSectionsMax",
      async () => joined(await coreGuest({}), ...repeat(600, EMPTY_SECTION)),
    ],
    [
      "components inside each other",
      "componentNestingMax",
      async () => joined(await coreGuest({}), wholeSection(4, nested(4))),
    ],
    ["a large table", "tableElementsMax", () => coreGuest({ fields: "(table 5001 funcref)" })],
    [
      "tables that may become large together",
      "tableElementsMax",
      () => coreGuest({ fields: "(table 0 funcref)".repeat(11) }),
    ],
  ] as const)("%s", async (_, quota, make) => {
    const component = await make();
    const answer = await beside(neighbour, attacker.upload("large", component));
    expect(answer.status).toBe(422);
    expect(answer.json()).toMatchObject({
      code: "COMPONENT_TOO_COMPLEX",
      retryable: false,
      details: { [quota]: QUOTAS[quota] },
    });
    if (quota === "tableElementsMax") return;
    expect((await neighbour.upload(quota.toLowerCase(), component)).status).toBe(201);
  });

  test("an upload that takes long, which ends as it may and not as the host may", async () => {
    await set({ compileMsMax: 500 });
    const endless = await coreGuest({ describe: "(loop (br 0)) unreachable" });
    expect((await beside(neighbour, attacker.upload("endless", endless))).json()).toMatchObject({
      code: "COMPILE_LIMIT_EXCEEDED",
      details: { compileMsMax: 500 },
    });
    await set({ compileMsMax: QUOTAS.compileMsMax });
  });
});

/** Grows a table until that fails, and traps where it then has not so many elements. */
function growsTo(elements: number): Promise<Uint8Array<ArrayBuffer>> {
  return coreGuest({
    fields: "(table $t 0 funcref)",
    handle: () => `
      (loop (br_if 0 (i32.ne (table.grow $t (ref.null func) (i32.const 1)) (i32.const -1))))
      (if (i32.ne (table.size $t) (i32.const ${elements})) (then unreachable))
      i32.const ${EMPTY_ANSWER}`,
  });
}

/** Answers the revision. */
async function upload(
  tenant: TenantClient,
  app: string,
  component: Uint8Array<ArrayBuffer>,
): Promise<unknown> {
  const answer = await tenant.upload(app, component);
  expect(answer.status).toBeLessThan(300);
  return at(answer.json(), "revision");
}

async function run(tenant: TenantClient, app: string): Promise<number> {
  return (await tenant.invoke(`${app}/run`, null)).status;
}

test("a table that grows without end ends at a tenth of what its tenant may have, and stays there for what is deployed", async () => {
  await attacker.deploy("bomb", await growsTo(500));
  await neighbour.deploy("bomb", await growsTo(2_000));
  expect(await run(attacker, "bomb")).toBe(200);
  expect(await run(neighbour, "bomb")).toBe(200);
  await set({ tableElementsMax: 1_000 });
  expect(await run(attacker, "bomb")).toBe(200);
  await attacker.deploy("smaller", await growsTo(100));
  expect(await run(attacker, "smaller")).toBe(200);
  await set({ tableElementsMax: QUOTAS.tableElementsMax });
});

test("equal components of two apps are what each was uploaded with, in whatever order they are loaded", async () => {
  // One component at most waits for its first call: what is rolled back to is loaded again.
  await using small = await HostUnderTest.start({ flags: ["--prewarm-apps-max=1"] });
  const tenant = await small.tenant("twins", { tableElementsMax: 5_000 });
  const [grows, other] = [await growsTo(500), await coreGuest({})];
  const growing = await upload(tenant, "one", grows);
  await small.admin("PATCH", "/v1/tenants/twins", { quotas: { tableElementsMax: 1_000 } });
  await upload(tenant, "two", grows);
  const resting = await upload(tenant, "two", other);
  await upload(tenant, "one", other);
  const goBack = (app: string, revision: unknown): Promise<Answer> =>
    tenant.api("POST", `/v1/apps/${app}/rollback`, { json: { revision } });
  for (const [app, status] of [
    ["one", 200],
    ["two", 502],
    ["one", 200],
  ] as const) {
    await goBack(app, resting);
    await goBack(app, growing);
    expect(await run(tenant, app)).toBe(status);
  }
});

test("the same bytes again are checked and compiled with what their tenant may have by now", async () => {
  const component = await growsTo(500);
  const again = async (): Promise<unknown> => {
    const answer = await attacker.upload("again", component);
    return at(answer.json(), answer.status < 300 ? "outcome" : "code");
  };
  expect([await again(), await run(attacker, "again")]).toEqual(["created", 200]);
  await set({ tableElementsMax: 1_000 });
  expect([await again(), await run(attacker, "again")]).toEqual(["updated", 502]);
  await set({ componentFunctionsMax: 1 });
  expect([await again(), await run(attacker, "again")]).toEqual(["COMPONENT_TOO_COMPLEX", 502]);
  await set(QUOTAS);
  expect([await again(), await run(attacker, "again")]).toEqual(["updated", 200]);
  expect([await again(), await run(attacker, "again")]).toEqual(["unchanged", 200]);
});

test("a smaller quota is one for the next upload: what is deployed goes on", async () => {
  const smaller = {
    componentFunctionsMax: 10,
    componentSectionsMax: 10,
    componentNestingMax: 1,
    tableElementsMax: 10,
  };
  await set(smaller);
  expect((await attacker.invoke("app/version", null)).json()).toBe("one");
  const refused = await attacker.upload("app", await behaviours("two"));
  expect(refused.code).toBe("COMPONENT_TOO_COMPLEX");
  expect((await attacker.invoke("app/version", null)).json()).toBe("one");
  await set(QUOTAS);
  await attacker.deploy("app", await behaviours("two"));
  expect((await attacker.invoke("app/version", null)).json()).toBe("two");
});

test("no tenant may be given more than the host takes", async () => {
  const refused = await set({ componentNestingMax: 21 });
  expect(refused.code).toBe("REQUEST_INVALID");
  expect(refused.body.toString()).toContain("componentNestingMax may be at most 20 on this host");
  expect((await set({ compileHeapMibMax: 63 })).status).toBe(400);
});
