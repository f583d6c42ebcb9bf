import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { behaviours } from "../e2e/testing/components.ts";
import { at, HostUnderTest } from "../e2e/testing/host-under-test.ts";
import type { Answer, TenantClient } from "../e2e/testing/host-under-test.ts";
import { beside } from "./testing/beside.ts";
import { coreGuest } from "./testing/core-guest.ts";

// Uploads that are many, or never end. Each is good: what is refused is their number.

const UPLOADS_MAX = 3;

let host: HostUnderTest;
let attacker: TenantClient;
let neighbour: TenantClient;

beforeAll(async () => {
  host = await HostUnderTest.start();
  attacker = await host.tenant("be", { uploadsMax: UPLOADS_MAX });
  neighbour = await host.tenant("beta");
  await neighbour.deploy("app", await behaviours());
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

test("a flood of uploads is taken as far as its tenant may, and the neighbour is served and uploads too", async () => {
  const components = await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      coreGuest({ fields: `(global i32 (i32.const ${index}))` }),
    ),
  );
  const flood = Promise.all(
    components.map((component, index) => attacker.upload(`flood-${index}`, component)),
  );
  const [answers, own] = await beside(
    neighbour,
    Promise.all([flood, neighbour.upload("second", await behaviours("two"))]),
  );
  expect(own.status).toBe(201);
  const refused = answers.filter(({ status }) => status !== 201);
  expect(answers.length - refused.length).toBeGreaterThanOrEqual(UPLOADS_MAX);
  expect(refused.length).toBeGreaterThan(0);
  for (const answer of refused) {
    expect([answer.status, answer.code]).toEqual([429, "QUEUE_FULL"]);
    expect(at(answer.json(), "details", "uploadsMax")).toBe(UPLOADS_MAX);
  }
});

describe("uploads that do not go on", () => {
  test("take the places of their own tenant and no other's, and give them back when they end", async () => {
    const component = await behaviours("slow");
    const ends: (() => void)[] = [];
    const slow = Array.from({ length: UPLOADS_MAX }, (_, index): Promise<Answer> => {
      const body = new ReadableStream({
        start(controller) {
          controller.enqueue(component.subarray(0, 100_000));
          ends.push(() => {
            controller.enqueue(component.subarray(100_000));
            controller.close();
          });
        },
      });
      return attacker.upload(`slow-${index}`, body);
    });
    const another = (): Promise<Answer> => attacker.upload("another", component);
    await expect.poll(async () => (await another()).code).toBe("QUEUE_FULL");
    expect((await neighbour.upload("third", component)).status).toBe(201);
    expect((await neighbour.invoke("third/version", null)).json()).toBe("slow");
    for (const end of ends) end();
    for (const answer of await Promise.all(slow)) expect(answer.status).toBe(201);
    expect([200, 201]).toContain((await another()).status);
  });
});
