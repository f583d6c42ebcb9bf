import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { behaviours } from "../e2e/testing/components.ts";
import { HostUnderTest } from "../e2e/testing/host-under-test.ts";
import type { TenantClient } from "../e2e/testing/host-under-test.ts";

// Clients that hold on to what the host keeps for them.

let host: HostUnderTest;
let tenant: TenantClient;

beforeAll(async () => {
  host = await HostUnderTest.start({
    flags: [
      "--request-body-timeout-ms=500",
      "--connections-per-address-max=40",
      "--unread-bytes-max=8000000",
    ],
  });
  tenant = await host.tenant("acme");
  await tenant.deploy("app", await behaviours());
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

function dial(): Socket {
  const socket = connect(Number(new URL(host.url).port), "127.0.0.1");
  // A connection that the host closes is what these tests are about.
  socket.on("error", () => undefined);
  return socket;
}

function head(method: string, path: string, length: number): string {
  return (
    `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${tenant.token}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`
  );
}

describe("a body that does not come", () => {
  test.each([
    ["POST", "/v1/invoke/app/echo"],
    ["PUT", "/v1/state/k"],
    ["PATCH", "/v1/apps/app"],
  ])("of %s %s loses its connection, and others are served", async (method, path) => {
    const socket = dial();
    socket.write(`${head(method, path, 100)}{"a`);
    expect((await tenant.invoke("app/version", null)).json()).toBe("one");
    await once(socket, "close");
    expect((await tenant.invoke("app/version", null)).json()).toBe("one");
  });

  test("of an upload is waited for", async () => {
    const bytes = await behaviours("two");
    const body = new ReadableStream({
      async start(controller) {
        controller.enqueue(bytes.subarray(0, 1_000));
        await new Promise((resolve) => {
          setTimeout(resolve, 1_500);
        });
        controller.enqueue(bytes.subarray(1_000));
        controller.close();
      },
    });
    expect((await tenant.upload("slow", body)).status).toBe(201);
  });

  test("is no reason to close the connection of a function that takes its time", async () => {
    expect((await tenant.invoke("app/slow", 1_500)).json()).toBe("done");
  });
});

test("answers that nobody reads are given up past what may wait, and others are served", async () => {
  const sockets = Array.from({ length: 10 }, () => dial());
  const readers = sockets.map((socket) => {
    socket.pause();
    socket.write(`${head("POST", "/v1/invoke/app/big", 7)}4000000`);
    // Who does not read sees the end of a connection only when it writes.
    const timer = setInterval(() => socket.write("P"), 100);
    return new Promise<void>((resolve) => {
      socket.once("close", () => {
        clearInterval(timer);
        resolve();
      });
    });
  });
  // What is in the buffers of the system is no memory of the host's: so only some of them are closed.
  await Promise.race(readers);
  for (const socket of sockets) socket.destroy();
  await Promise.all(readers);
  expect((await tenant.invoke("app/version", null)).json()).toBe("one");
  expect((await tenant.invoke("app/big", 100)).body.byteLength).toBe(102);
});

test("one address has only so many connections", async () => {
  const sockets = Array.from({ length: 60 }, () => dial());
  const closed = sockets.map((socket) => once(socket, "close"));
  await Promise.race(closed);
  for (const socket of sockets) socket.destroy();
  await Promise.all(closed);
  await expect.poll(async () => (await tenant.invoke("app/version", null)).status).toBe(200);
});
