import { once } from "node:events";
import { connect } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import Fastify from "fastify";
import { expect, onTestFinished, test } from "vitest";
import { LingeringClose } from "./lingering-close.ts";

const LARGE_BYTES = 50_000_000;
const BODY_BYTES_MAX = 1_000;

/** A server that takes small bodies only, and at one path none; answers its port. */
async function listen(lingerMs = 60_000): Promise<number> {
  const app = Fastify({ bodyLimit: BODY_BYTES_MAX });
  const lingering = new LingeringClose(lingerMs);
  app.addHook("onSend", (request, reply, payload, done) => {
    done(null, lingering.followed(request, reply, payload));
  });
  app.post("/", async () => "taken");
  app.route({
    method: ["GET", "POST"],
    url: "/refused",
    // At once: the parser still has the head of the request in its hands.
    onRequest: (_request, reply) => {
      void reply.code(401).send({ code: "UNAUTHENTICATED" });
    },
    handler: async () => "never",
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  onTestFinished(async () => {
    app.server.closeAllConnections();
    await app.close();
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It listens on a port.
  return (app.server.address() as AddressInfo).port;
}

function dial(port: number): Socket {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => {
    socket.destroy();
  });
  return socket;
}

function head(path: string, length: number | "chunked"): string {
  const framing = length === "chunked" ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`;
  return `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${framing}\r\n\r\n`;
}

/** What comes back to a client that sends all that it has before it reads anything. */
async function answerAfterAll(
  port: number,
  requestHead: string,
  body: Uint8Array,
): Promise<string> {
  const socket = dial(port).pause();
  const failed = new Promise<never>((_, reject) => {
    socket.once("error", reject);
  });
  socket.write(requestHead);
  const sent = new Promise((resolve) => {
    socket.write(body, resolve);
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

test.each([
  ["a body above the limit", "/", 413],
  ["what is refused before its body", "/refused", 401],
])("the answer to %s reaches who sends 50 MB first", async (_what, path, status) => {
  const port = await listen();
  const body = Buffer.alloc(LARGE_BYTES, "x");
  const answer = await answerAfterAll(port, head(path, LARGE_BYTES), body);
  expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `, "u"));
  expect(answer.toLowerCase()).toContain("connection: close");
  expect(answer.endsWith("}")).toBe(true);
});

test("also where it does not say how much that is", async () => {
  const port = await listen();
  const size = LARGE_BYTES.toString(16);
  const body = Buffer.from(`${size}\r\n${"x".repeat(LARGE_BYTES)}\r\n0\r\n\r\n`);
  const answer = await answerAfterAll(port, head("/", "chunked"), body);
  expect(answer).toMatch(/^HTTP\/1\.1 413 /u);
});

test("and who uses fetch", async () => {
  const port = await listen();
  const answer = await fetch(`http://127.0.0.1:${port}/`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: Buffer.alloc(LARGE_BYTES, "x"),
  });
  expect(answer.status).toBe(413);
  expect(await answer.json()).toMatchObject({ statusCode: 413 });
});

test("the answer comes at once, and who goes on sending little by little is cut off", async () => {
  const socket = dial(await listen(300));
  socket.on("error", () => undefined).write(head("/", LARGE_BYTES));
  const [answer] = await once(socket, "data");
  expect(String(answer)).toMatch(/^HTTP\/1\.1 413 /u);
  const timer = setInterval(() => socket.write("x"), 50);
  await once(socket, "close");
  clearInterval(timer);
});

test("of many that go on sending, those that began first are cut off for others", async () => {
  const port = await listen();
  const sockets = Array.from({ length: 300 }, () => dial(port));
  let closed = 0;
  const answers = sockets.map(async (socket) => {
    socket.on("error", () => undefined).once("close", () => (closed += 1));
    socket.write(head("/", LARGE_BYTES));
    await once(socket, "data");
  });
  await Promise.all(answers);
  await expect.poll(() => closed).toBeGreaterThanOrEqual(300 - 256);
});

test.each([
  ["little is to come", `${head("/refused", 100)}${"x".repeat(100)}`],
  ["the body is empty", head("/refused", 0)],
  ["there is no body", "GET /refused HTTP/1.1\r\nHost: x\r\n\r\n"],
])("a connection on which %s is used again", async (_what, refused) => {
  const socket = dial(await listen());
  for (let request = 0; request < 2; request += 1) {
    socket.write(refused);
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1\.1 401 /u);
    expect(String(answer).toLowerCase()).not.toContain("connection: close");
  }
});
