import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { behaviours } from "../e2e/testing/components.ts";
import { at, HostUnderTest } from "../e2e/testing/host-under-test.ts";
import type { TenantClient } from "../e2e/testing/host-under-test.ts";

// Clients that begin and do not go on: with a request, a body, an upload, or with reading an answer.

const CLIENTS = 50;

let host: HostUnderTest;
let attacker: TenantClient;
let neighbour: TenantClient;

beforeAll(async () => {
  host = await HostUnderTest.start();
  attacker = await host.tenant("be");
  neighbour = await host.tenant("beta");
  for (const tenant of [attacker, neighbour]) await tenant.deploy("app", await behaviours());
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

function head(request: string, ...lines: readonly string[]): string {
  return [request, "host: a", `authorization: Bearer ${attacker.token}`, ...lines, "", ""].join(
    "\r\n",
  );
}

const PATIENT: readonly (readonly [what: string, begin: () => string])[] = [
  ["half a head", () => head("GET /v1/apps HTTP/1.1").slice(0, 30)],
  [
    "a head without its body",
    () => head("POST /v1/invoke/app/greet HTTP/1.1", "content-length: 1000"),
  ],
  [
    "a part of a body",
    () => `${head("POST /v1/invoke/app/greet HTTP/1.1", "content-length: 1000")}"x`,
  ],
  [
    "a chunk that never ends",
    () => `${head("POST /v1/invoke/app/greet HTTP/1.1", "transfer-encoding: chunked")}ffff\r\nx`,
  ],
  [
    "the beginning of an upload",
    () =>
      `${head("PUT /v1/apps/slow HTTP/1.1", "content-type: application/wasm", "content-length: 1000000")}\0asm`,
  ],
  [
    "a part of a state value",
    () => `${head("PUT /v1/state/slow HTTP/1.1", "content-length: 1000")}x`,
  ],
];

async function openAll(text: string): Promise<readonly Socket[]> {
  const sockets = Array.from({ length: CLIENTS }, () => {
    const socket = connect(Number(new URL(host.url).port), "127.0.0.1");
    socket.on("error", () => undefined);
    return socket;
  });
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  for (const socket of sockets) socket.write(text, "latin1");
  return sockets;
}

async function expectNeighbourServed(): Promise<void> {
  expect((await neighbour.invoke("app/greet", "you")).json()).toBe("Hello, you!");
  expect((await neighbour.api("PUT", "/v1/state/k", { body: "1" })).status).toBe(204);
  expect((await neighbour.upload("app", await behaviours())).status).toBe(200);
}

function files(): readonly string[] {
  return readdirSync(host.dataDirectory, { recursive: true, encoding: "utf8" }).toSorted();
}

describe("clients that send", () => {
  test.each(PATIENT)(
    "%s, and no more, keep nobody waiting, and leave nothing",
    async (_, begin) => {
      const before = files();
      const sockets = await openAll(begin());
      await expectNeighbourServed();
      for (const socket of sockets) socket.destroy();
      await expect.poll(files).toEqual(before);
      expect((await attacker.api("GET", "/v1/apps/slow")).code).toBe("APP_NOT_FOUND");
      expect((await attacker.api("GET", "/v1/state/slow")).code).toBe("STATE_KEY_NOT_FOUND");
    },
  );
});

describe("clients that do not read", () => {
  test("what they asked for keep nobody waiting, and the attacker's own calls run when they are gone", async () => {
    const body = "1000000";
    const call = `${head("POST /v1/invoke/app/big HTTP/1.1", "content-type: application/json", `content-length: ${body.length}`)}${body}`;
    // Each asks several times on its connection, and takes no byte.
    const sockets = await openAll(call.repeat(4));
    for (const socket of sockets) socket.pause();
    await expectNeighbourServed();
    for (const socket of sockets) socket.destroy();
    await expect
      .poll(async () => (await attacker.invoke("app/greet", "me")).status, { timeout: 30_000 })
      .toBe(200);
  });

  test("a list of keys, again and again, keep nobody waiting", async () => {
    for (let key = 0; key < 50; key += 1) {
      await attacker.api("PUT", `/v1/state/${"k".repeat(400)}${key}`, { body: "1" });
    }
    const sockets = await openAll(head("GET /v1/state?limit=1000 HTTP/1.1").repeat(40));
    for (const socket of sockets) socket.pause();
    await expectNeighbourServed();
    for (const socket of sockets) socket.destroy();
    const listed = await attacker.api("GET", "/v1/state?limit=1000");
    expect(at(listed.json(), "entries")).toHaveLength(50);
  });
});

test("nothing of it was an error to the host", () => {
  expect(host.output).not.toMatch(/"level":"(?:error|fatal)"/u);
});
