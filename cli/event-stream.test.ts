import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { ApiClient } from "./api-client.ts";
import { followEvents } from "./event-stream.ts";

/** A real server on a free port: how a stream breaks is what these tests are about. */
async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<AsyncDisposable & { readonly client: ApiClient }> {
  const server = createServer(answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    client: new ApiClient({
      url: `http://127.0.0.1:${port}`,
      token: "t",
      urlSource: "the test",
      tokenSource: "the test",
    }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const STREAM_HEADERS = { "content-type": "text/event-stream" };

test("a broken stream goes on after the last event that came", async () => {
  const lastEventIds: (string | string[] | undefined)[] = [];
  await using server = await serve((request, response) => {
    lastEventIds.push(request.headers["last-event-id"]);
    response.writeHead(200, STREAM_HEADERS);
    const id = lastEventIds.length;
    // The connection breaks in the middle of the second event, which therefore did not come.
    response.write(`id: ${id}\nevent: log\ndata: ${id}\n\nid: 99\nevent: log\nda`);
    setTimeout(() => response.destroy(), 20);
  });
  const stopped = new AbortController();
  const seen: string[] = [];
  await followEvents({
    client: server.client,
    path: "/logs",
    signal: stopped.signal,
    onEvent: (event) => {
      seen.push(event.data);
      if (seen.length === 2) stopped.abort();
    },
  });
  expect(seen).toEqual(["1", "2"]);
  expect(lastEventIds).toEqual([undefined, "1"]);
});

test("a character that is cut between two chunks arrives whole", async () => {
  const bytes = new TextEncoder().encode("event: log\ndata: ü\n\n");
  const cut = bytes.indexOf(0xc3) + 1;
  await using server = await serve((_request, response) => {
    response.writeHead(200, STREAM_HEADERS);
    response.write(bytes.subarray(0, cut));
    setTimeout(() => response.write(bytes.subarray(cut)), 20);
  });
  const stopped = new AbortController();
  const seen: string[] = [];
  await followEvents({
    client: server.client,
    path: "/logs",
    signal: stopped.signal,
    onEvent: (event) => {
      seen.push(event.data);
      stopped.abort();
    },
  });
  expect(seen).toEqual(["ü"]);
});

test("a refusal ends the following with the host's code", async () => {
  await using server = await serve((_request, response) => {
    response.writeHead(404, { "content-type": "application/problem+json" });
    response.end(JSON.stringify({ code: "APP_NOT_FOUND", status: 404, detail: "there is none" }));
  });
  await expect(
    followEvents({
      client: server.client,
      path: "/logs",
      signal: new AbortController().signal,
      onEvent: () => {},
      isPatient: true,
    }),
  ).rejects.toMatchObject({ code: "APP_NOT_FOUND", exit: "notFound" });
});

test("an abort ends the following of a silent stream", async () => {
  await using server = await serve((_request, response) => {
    response.writeHead(200, STREAM_HEADERS);
    response.flushHeaders();
  });
  const stopped = new AbortController();
  await followEvents({
    client: server.client,
    path: "/logs",
    signal: stopped.signal,
    onEvent: () => {},
    onConnection: (state) => {
      if (state === "connected") stopped.abort();
    },
  });
  expect(stopped.signal.aborted).toBe(true);
});
