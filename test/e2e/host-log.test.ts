import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { behaviours } from "./testing/components.ts";
import {
  at,
  endOf,
  HostUnderTest,
  spawnHost,
  temporaryDirectory,
} from "./testing/host-under-test.ts";

/** What a host writes to its log from its start to its end by SIGTERM. */
async function logOf(flags: readonly string[]): Promise<readonly string[]> {
  const directory = temporaryDirectory();
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const child = spawnHost([
    "--listen-port=0",
    "--executors=1",
    `--data-directory=${join(directory, "data")}`,
    `--admin-token-file=${join(directory, "token")}`,
    ...flags,
  ]);
  child.stdout?.on("data", (chunk: Buffer) => {
    if (chunk.includes("listens on")) child.kill("SIGTERM");
  });
  if (child.stderr === null) throw new Error("the log is not piped");
  const [written] = await Promise.all([text(child.stderr), endOf(child)]);
  return written.split("\n").filter((line) => line !== "");
}

test("the host's log is one JSON object to a line, with level, time and message", async () => {
  const lines = await logOf([]);
  const entries = lines.map((line): unknown => JSON.parse(line));
  for (const entry of entries) {
    expect(entry).toMatchObject({
      level: expect.stringMatching(/^(?:info|warn)$/u),
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/u),
      msg: expect.any(String),
    });
  }
  const said = entries.map((entry) => Reflect.get(Object(entry), "msg"));
  expect(said).toEqual(expect.arrayContaining(["host ready", "host draining", "host stopped"]));
});

test("a host that is told to log errors alone logs nothing of an orderly life", async () => {
  expect(await logOf(["--log-level=error"])).toEqual([]);
});

test("each change of tenants, tokens and apps is one line, with names and without secrets", async () => {
  await using host = await HostUnderTest.start();
  const acme = await host.tenant("acme");
  await host.admin("PATCH", "/v1/tenants/acme", { quotas: { appsMax: 3 } });
  const added = await host.admin("POST", "/v1/tenants/acme/tokens");
  const tokenId = at(added.json(), "tokenId");
  await host.admin("DELETE", `/v1/tenants/acme/tokens/${String(tokenId)}`);
  const [one, two] = [await behaviours("one"), await behaviours("two")];
  const revisionId = at((await acme.upload("app", one)).json(), "revision");
  await acme.deploy("app", two);
  await acme.deploy("app", two);
  await acme.api("POST", "/v1/apps/app/rollback");
  const environment = { KEY: 'hunter2"}\n{"level":"fatal","msg":"forged"}' };
  await acme.api("PATCH", "/v1/apps/app", { json: { deadlineMs: 500, environment } });
  await acme.api("DELETE", "/v1/apps/app");
  // What is refused changes nothing, and is no line.
  await acme.api("DELETE", "/v1/apps/app");
  await acme.upload("app", new Uint8Array(10));
  await host.admin("POST", "/v1/tenants", { tenant: "acme" });
  await host.admin("DELETE", "/v1/tenants/acme/tokens/nothing%0Aforged");
  await host.admin("DELETE", "/v1/tenants/acme");
  await host.stop();

  const entries = host.output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line): unknown => JSON.parse(line));
  const app = { level: "info", tenantId: "acme", app: "app" };
  const tenant = { level: "info", tenantId: "acme" };
  expect(entries).toMatchObject([
    { level: "info", msg: "host ready" },
    { ...tenant, msg: "tenant created", tokenIds: [expect.stringMatching(/^[0-9a-f]{12}$/u)] },
    { ...tenant, msg: "tenant changed", quotas: { appsMax: 3 } },
    { ...tenant, msg: "token added", tokenId },
    { ...tenant, msg: "token revoked", tokenId },
    { ...app, msg: "app deployed", outcome: "created", revisionId, componentBytes: one.length },
    { ...app, msg: "app deployed", outcome: "updated" },
    { ...app, msg: "app rolled back", revisionId },
    { ...app, msg: "app configured", settings: ["deadlineMs", "environment"] },
    { ...app, msg: "app deleted" },
    { ...tenant, msg: "tenant deleted" },
    { level: "info", msg: "host draining" },
    { level: "info", msg: "host stopped" },
  ]);
  for (const secret of [acme.token, String(at(added.json(), "token")), "hunter2", "forged"]) {
    expect(host.output).not.toContain(secret);
  }
});
