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

const LARGE_BYTES = 50_000_000;

/** What the host answers to a client that sends all that it has, as fast as it is taken, before it reads anything. */
async function answerAfterAll(requestHead: string): Promise<string> {
  const socket = dial().pause();
  const failed = new Promise<never>((_, reject) => {
    socket.once("error", reject);
  });
  const sent = new Promise<void>((resolve) => {
    socket.write(requestHead);
    socket.write(Buffer.alloc(LARGE_BYTES), () => resolve());
  });
  await Promise.race([sent, failed]);
  let answer = "";
  socket
    .setEncoding("utf8")
    .on("data", (text: string) => (answer += text))
    .resume();
  await Promise.race([once(socket, "close"), failed]);
  return answer;
}

describe("an answer before the end of the body", () => {
  test.each([
    ["a body above the limit", "POST", "/v1/invoke/app/echo", "application/json", 413],
    ["an upload above the limit", "PUT", "/v1/apps/large", "application/wasm", 413],
  ])("to %s reaches who sends 50 MB first", async (_what, method, path, mediaType, status) => {
    const requestHead = head(method, path, LARGE_BYTES).replace("application/json", mediaType);
    const answer = await answerAfterAll(requestHead);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `, "u"));
    expect(answer.toLowerCase()).toContain("connection: close");
    expect(answer).toMatch(/"code":"[A-Z_]+".*\}$/su);
  });

  test("without a token, too", async () => {
    const answer = await answerAfterAll(
      head("PUT", "/v1/apps/large", LARGE_BYTES).replace(tenant.token, "nobody"),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 401 /u);
  });

  test("reaches a client that sends in pieces and reads meanwhile, of a length that it does not say", async () => {
    const chunk = new Uint8Array(1_000_000);
    let chunks = LARGE_BYTES / chunk.byteLength;
    const body = new ReadableStream({
      pull(controller) {
        chunks -= 1;
        if (chunks < 0) controller.close();
        else controller.enqueue(chunk);
      },
    });
    const answer = await tenant.upload("large", body);
    expect([answer.status, answer.code]).toEqual([413, "UPLOAD_TOO_LARGE"]);
  });

  test("leaves the connection as it is where little is to come, and waits only so long for that", async () => {
    const socket = dial();
    const refused = head("POST", "/v1/invoke/app/echo", 100).replace(tenant.token, "nobody");
    for (let request = 0; request < 2; request += 1) {
      socket.write(`${refused}${"x".repeat(100)}`);
      const [answer] = await once(socket, "data");
      expect(String(answer)).toMatch(/^HTTP\/1\.1 401 /u);
      expect(String(answer).toLowerCase()).not.toContain("connection: close");
    }
    socket.write(`${refused}x`);
    await once(socket, "close");
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
