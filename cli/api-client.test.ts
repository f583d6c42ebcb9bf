import { once } from "node:events";
import { createServer } from "node:http";
import type { RequestListener } from "node:http";
import { expect, test } from "vitest";
import { ApiClient, pathPart } from "./api-client.ts";

async function serve(
  answer: RequestListener,
  token: string | undefined = "t",
): Promise<AsyncDisposable & { readonly client: ApiClient }> {
  const server = createServer(answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    client: new ApiClient({
      url: `http://127.0.0.1:${port}`,
      token,
      urlSource: "the test",
      tokenSource: token === undefined ? undefined : "the test",
    }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function problem(status: number, document: object): RequestListener {
  return (_request, response) => {
    response.writeHead(status, { "content-type": "application/problem+json" });
    response.end(JSON.stringify({ status, title: "a title", ...document }));
  };
}

test("a problem keeps its code and details, and gets an exit status", async () => {
  await using server = await serve(
    problem(422, { code: "FUNCTION_ERROR", detail: "no", details: { functionCode: "sold-out" } }),
  );
  await expect(server.client.json("GET", "/")).rejects.toMatchObject({
    code: "FUNCTION_ERROR",
    message: "no",
    exit: "functionFailed",
    details: { status: 422, functionCode: "sold-out" },
  });
});

test.each([
  [401, "UNAUTHENTICATED", "unauthenticated"],
  [403, "FORBIDDEN", "unauthenticated"],
  [403, "QUOTA_EXCEEDED", "failure"],
  [404, "STATE_KEY_NOT_FOUND", "notFound"],
  [504, "DEADLINE_EXCEEDED", "functionFailed"],
  [500, "INTERNAL", "failure"],
])("%i %s ends with %s", async (status, code, exit) => {
  await using server = await serve(problem(status, { code, detail: "d" }));
  await expect(server.client.json("GET", "/")).rejects.toMatchObject({ code, exit });
});

test.each([
  [{ left: 0 }, ' {"left":0}'],
  [null, " null"],
  ["sorry", ' "sorry"'],
  [undefined, ""],
])("a failure of the function's own shows its code and its details %j", async (value, shown) => {
  const details = { functionCode: "sold-out", functionDetails: value };
  await using server = await serve(problem(422, { code: "FUNCTION_ERROR", detail: "no", details }));
  await expect(server.client.json("GET", "/")).rejects.toMatchObject({
    body: `    sold-out${shown}`,
  });
});

test("a connection that closes while much is sent is no absent host", async () => {
  await using server = await serve((request) => {
    request.socket.destroy();
  });
  const send = (bytes: number): Promise<unknown> =>
    server.client.bytes("POST", "/", { body: new Uint8Array(bytes) });
  await expect(send(10)).rejects.toMatchObject({ code: "HOST_UNREACHABLE", exit: "unreachable" });
  await expect(send(4_000_000)).rejects.toMatchObject({
    code: "CONNECTION_CLOSED",
    exit: "failure",
    hint: expect.stringContaining("more than the host takes"),
    details: { sentBytes: 4_000_000 },
  });
});

test.each([
  ["GUEST_TRAPPED", {}, "downpour logs"],
  ["GUEST_TRAPPED", { reason: "stack-exhausted" }, "--engine starlingmonkey"],
  ["FORBIDDEN", { scope: "state", scopes: ["invoke"] }, "--scope state"],
  ["FORBIDDEN", {}, "admin token"],
])("%s with %j says what to do: %s", async (code, details, hint) => {
  await using server = await serve(problem(403, { code, detail: "d", details }));
  await expect(server.client.json("GET", "/")).rejects.toMatchObject({
    hint: expect.stringContaining(hint),
  });
});

test("an exception is named by its class", async () => {
  const details = { exception: "TypeError", stack: "" };
  await using server = await serve(
    problem(500, { code: "FUNCTION_THREW", detail: "x is not a function", details }),
  );
  await expect(server.client.json("GET", "/")).rejects.toMatchObject({
    message: "TypeError: x is not a function",
  });
});

test("the stack of an exception is shown without what could drive a terminal", async () => {
  const stack = "Error: x\n  at visit (src/index.ts:3:9)\n\u001B[2J";
  await using server = await serve(
    problem(500, { code: "FUNCTION_THREW", detail: "x", details: { stack } }),
  );
  await expect(server.client.json("GET", "/")).rejects.toMatchObject({
    body: "    Error: x\n    at visit (src/index.ts:3:9)\n    \\u001b[2J",
  });
});

test("a missing token is said to be missing, and where one comes from", async () => {
  await using server = await serve(problem(401, { code: "UNAUTHENTICATED", detail: "d" }), "");
  await expect(server.client.json("GET", "/")).rejects.toMatchObject({
    hint: expect.stringContaining("do they belong together"),
  });
  await using anonymous = await serveWithoutToken(problem(401, { code: "UNAUTHENTICATED" }));
  await expect(anonymous.client.json("GET", "/")).rejects.toMatchObject({
    hint: expect.stringContaining("DOWNPOUR_TOKEN"),
  });
});

test("what only the admin may do says where the admin token of the own host is", async () => {
  await using server = await serve(problem(403, { code: "FORBIDDEN", detail: "d" }));
  const client = new ApiClient({
    url: server.client.url,
    token: "t",
    urlSource: "the test",
    tokenSource: "the test",
    adminTokenPath: "/here/.downpour/admin-token",
  });
  await expect(client.json("GET", "/")).rejects.toMatchObject({
    hint: expect.stringContaining("--token-file '/here/.downpour/admin-token'"),
  });
});

test.each([
  ["a page of a proxy", 502, "<html>"],
  ["nothing", 500, ""],
  ["JSON without a code", 500, "{}"],
])("%s in place of a problem is called what it is", async (_what, status, text) => {
  await using server = await serve((_request, response) => {
    response.writeHead(status);
    response.end(text);
  });
  await expect(server.client.json("GET", "/")).rejects.toMatchObject({
    code: "RESPONSE_INVALID",
    exit: "unreachable",
  });
});

test.each(["<html>", "[]", "1", ""])("a success with the body %j is not taken", async (text) => {
  await using server = await serve((_request, response) => response.end(text));
  await expect(server.client.json("GET", "/")).rejects.toMatchObject({
    code: "RESPONSE_INVALID",
    exit: "unreachable",
  });
});

test("a host that does not answer in time is told apart from one that is not there", async () => {
  await using server = await serve(() => {});
  await expect(server.client.json("GET", "/", { timeoutMs: 50 })).rejects.toMatchObject({
    code: "HOST_TIMEOUT",
    exit: "unreachable",
  });
  const nobody = new ApiClient({
    url: "http://127.0.0.1:1",
    token: undefined,
    urlSource: "the test",
    tokenSource: undefined,
  });
  await expect(nobody.json("GET", "/")).rejects.toMatchObject({
    code: "HOST_UNREACHABLE",
    exit: "unreachable",
    hint: expect.stringContaining("downpour dev"),
  });
});

test("an answer that breaks off is a failure, and not half an answer", async () => {
  await using server = await serve((_request, response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("{");
    setTimeout(() => response.destroy(), 10);
  });
  await expect(server.client.json("GET", "/")).rejects.toMatchObject({ exit: "unreachable" });
});

test("a redirect is refused: the token is for this host alone", async () => {
  await using server = await serve((_request, response) => {
    response.writeHead(302, { location: "http://127.0.0.1:1/" });
    response.end();
  });
  await expect(server.client.json("GET", "/")).rejects.toMatchObject({ exit: "unreachable" });
});

test.each(["a/b", "ü", "%2F", "a b", "\n", "?#"])("the key %j survives the address", (key) => {
  const url = new URL(`http://h/v1/state/${pathPart(key)}`);
  expect(decodeURIComponent(url.pathname.slice("/v1/state/".length))).toBe(key);
});

test.each([".", ".."])("the key %j has no address, and is refused", (key) => {
  expect(() => pathPart(key)).toThrow(expect.objectContaining({ code: "USAGE_INVALID" }));
});

async function serveWithoutToken(
  answer: RequestListener,
): Promise<AsyncDisposable & { readonly client: ApiClient }> {
  const server = await serve(answer);
  const client = new ApiClient({
    url: server.client.url,
    token: undefined,
    urlSource: "the test",
    tokenSource: undefined,
  });
  return { client, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

test("an address that cannot be asked says why", async () => {
  // Browsers and Node ask no one at the port of an old protocol.
  const client = new ApiClient({
    url: "http://127.0.0.1:9",
    token: undefined,
    urlSource: "the test",
    tokenSource: undefined,
  });
  await expect(client.json("GET", "/")).rejects.toMatchObject({
    code: "HOST_UNREACHABLE",
    message: "no host answers at http://127.0.0.1:9 (bad port)",
  });
});
