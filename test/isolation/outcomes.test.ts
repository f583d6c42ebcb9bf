import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { built } from "../e2e/testing/components.ts";
import { at, HostUnderTest } from "../e2e/testing/host-under-test.ts";
import type { Answer, TenantClient } from "../e2e/testing/host-under-test.ts";

// Two tenants with one app on one thread, at the same time: what becomes of a call is told to its own caller, and
// counted for its own tenant.

const SOURCE = `
import { fn, FunctionError, InvalidInputError } from "@downpour/sdk";

export const answer = fn((secret: string) => secret);
export const fail = fn((secret: string) => { throw new FunctionError("FAILED", secret, { details: { secret } }); });
export const refuse = fn((secret: string) => { throw new InvalidInputError(secret); });
export const explode = fn((secret: string) => { throw new TypeError(secret); });
`;

const CALLS = 25;

let host: HostUnderTest;
const tenants = new Map<string, TenantClient>();

beforeAll(async () => {
  host = await HostUnderTest.start({ flags: ["--executors=1"] });
  const component = await built(SOURCE);
  for (const name of ["be", "beta"]) {
    const tenant = await host.tenant(name);
    await tenant.deploy("app", component);
    tenants.set(name, tenant);
  }
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

/** Many calls of both tenants, in turn; each passes a secret that names whose it is. */
async function callTogether(
  name: string,
): Promise<readonly { readonly secret: string; readonly answer: Answer }[]> {
  const calls = Array.from({ length: CALLS }, (_, call) =>
    [...tenants].map(async ([owner, tenant]) => {
      const secret = `secret-of-${owner}-${call}.`;
      return { secret, answer: await tenant.invoke(`app/${name}`, secret) };
    }),
  );
  return Promise.all(calls.flat());
}

function secretsIn(text: string): readonly string[] {
  return [...new Set(text.match(/secret-of-\w+-\d+\./gu))];
}

describe("is told to its own caller alone:", () => {
  test.each([
    ["an answer", "answer", undefined],
    ["a failure of the function's own", "fail", "FUNCTION_ERROR"],
    ["what is wrong with an input", "refuse", "INPUT_INVALID"],
    ["an exception", "explode", "FUNCTION_THREW"],
  ])("%s", async (_, name, code) => {
    for (const { secret, answer } of await callTogether(name)) {
      expect(answer.code).toBe(code);
      expect(secretsIn(answer.body.toString())).toEqual([secret]);
    }
  });

  test("and stands in its own tenant's log alone", async () => {
    await callTogether("explode");
    for (const [owner, tenant] of tenants) {
      const log = (await tenant.api("GET", "/v1/apps/app/logs")).body.toString();
      const owners = secretsIn(log).map((secret) => secret.split("-")[2]);
      expect(new Set(owners)).toEqual(new Set([owner]));
    }
    expect(host.output).not.toContain("secret-of");
  });
});

/** As many as the host's metrics count for each tenant, in their order. */
async function counted(): Promise<readonly number[]> {
  const metrics = (await host.admin("GET", "/metrics")).body.toString();
  return [...tenants.keys()].map((tenant) => {
    const label = `faas_invocations_total{tenant="${tenant}",app="app"`;
    const lines = metrics.split("\n").filter((line) => line.startsWith(label));
    return lines.reduce((sum, line) => sum + Number(line.split(" ")[1]), 0);
  });
}

test("an invocation is counted for its own tenant, whatever another's app is called", async () => {
  const [others = 0, own = 0] = await counted();
  for (let call = 0; call < 3; call += 1) await tenants.get("beta")?.invoke("app/answer", "x");
  const now = [others, own + 3];
  expect(await counted()).toEqual(now);
  const usages = [...tenants.values()].map((tenant) => tenant.api("GET", "/v1/usage"));
  const told = (await Promise.all(usages)).map((usage) => at(usage.json(), "total", "invocations"));
  expect(told).toEqual(now);
});
