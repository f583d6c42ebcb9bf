import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { ClientWatch } from "./client-watch.ts";

const ANSWER_BYTES = 30_000_000;

interface Setup {
  readonly watch: ClientWatch;
  /** A client that has asked, and reads nothing. */
  readonly ask: (answerBytes?: number) => Promise<Socket>;
  /** Connections that the server still has. */
  readonly served: () => Promise<number>;
}

/** A server whose answers are larger than what the system takes off its hands. */
async function setUp(unreadBytesMax: number): Promise<Setup> {
  const watch = new ClientWatch({
    connectionsPerAddressMax: 100,
    requestBodyTimeoutMs: 1_000,
    unreadBytesMax,
  });
  const server = createServer((request, response) => {
    response.end(Buffer.alloc(Number(request.headers["x-bytes"])));
  });
  watch.attach(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const clients: Socket[] = [];
  onTestFinished(() => {
    for (const client of clients) client.destroy();
    server.closeAllConnections();
    server.close();
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It listens on a port.
  const { port } = server.address() as AddressInfo;
  return {
    watch,
    ask: async (answerBytes = ANSWER_BYTES) => {
      const client = connect(port, "127.0.0.1");
      client.on("error", () => undefined).pause();
      clients.push(client);
      const asked = once(server, "request");
      client.write(`GET / HTTP/1.1\r\nHost: x\r\nX-Bytes: ${answerBytes}\r\n\r\n`);
      await asked;
      return client;
    },
    served: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => {
          if (error === null) resolve(count);
          else reject(error);
        });
      }),
  };
}

test("a client that reads nothing for half a minute loses its connection", async () => {
  const { watch, ask, served } = await setUp(1e9);
  await ask();
  const nowMs = performance.now();
  watch.sweep(nowMs);
  watch.sweep(nowMs + 25_000);
  expect(await served()).toBe(1);
  watch.sweep(nowMs + 60_000);
  await expect.poll(served).toBe(0);
});

test("a client with nothing to read keeps its connection, however long it is silent", async () => {
  const { watch, ask, served } = await setUp(1e9);
  const client = await ask(10);
  client.resume();
  const nowMs = performance.now();
  for (let minute = 0; minute < 10; minute += 1) watch.sweep(nowMs + minute * 60_000);
  expect(await served()).toBe(1);
});

test("past the bound on unread answers those with the most to read go first", async () => {
  const { watch, ask, served } = await setUp(50_000_000);
  await ask(15_000_000);
  await ask(60_000_000);
  watch.sweep(performance.now());
  await expect.poll(served).toBe(1);
  await ask(60_000_000);
  watch.sweep(performance.now());
  await expect.poll(served).toBe(1);
});
