import type { Socket } from "node:net";
import { setMaxListeners } from "node:events";
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import { HostError } from "../../errors.ts";
import type { Payload } from "../../protocol.ts";
import type { InvokeResult } from "../../scheduler/deployed-app.ts";
import { requireAccess, tenantOf } from "../authentication.ts";
import type { Logger } from "../../telemetry/logger.ts";
import type { ControlPlane } from "../control-plane.ts";
import { sendProblem } from "../problem.ts";
import { HEADERS } from "../schemas.ts";

/** Request headers that a function gets to see, beside those that begin with the prefix. Never credentials. */
const PASSED_HEADERS: ReadonlySet<string> = new Set([
  "accept",
  "accept-language",
  "baggage",
  "content-language",
  "traceparent",
  "tracestate",
  "user-agent",
  "x-correlation-id",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-request-id",
]);
const PASSED_PREFIX = "downpour-meta-";

const DEADLINE_HEADER = HEADERS.deadlineMs.toLowerCase();
const IDEMPOTENCY_HEADER = HEADERS.idempotencyKey.toLowerCase();
const IDEMPOTENCY_KEY_CHARS_MAX = 255;
const MEDIA_TYPE_CHARS_MAX = 255;
const EMPTY = Buffer.alloc(0);

/** Answers up to here are sent with their head in one piece: about a tenth of the cost of an answer. */
const INLINE_BYTES_MAX = 16_384;

interface InvokeRoute {
  readonly Params: { readonly app: string; readonly function: string };
  readonly Body: Buffer | undefined;
}

// `POST /v1/invoke/:app/:function`, the data plane over HTTP.
//
// I1. The body is bytes: it is passed on with its media type and never parsed here, nor is the answer.
// I2. One abort signal for each connection, not for each request: HTTP/1.1 answers one after the
//     other, so a connection that closes ends what runs for it.
// I3. Whatever fails while an answer is sent ends in an answer or in a closed connection, and in the
//     host's log: nobody waits for what does not come.
export function invokeRoutes(
  plane: Pick<ControlPlane, "invoker" | "tenants" | "config" | "logger">,
): FastifyPluginAsync {
  const { invoker, tenants, config, logger } = plane;
  const signals = new WeakMap<Socket, AbortSignal>();

  return async (app: FastifyInstance) => {
    requireAccess(app, tenants, { to: "tenant", scope: "invoke" });
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => {
      done(null, body);
    });

    app.post<InvokeRoute>(
      "/v1/invoke/:app/:function",
      {
        bodyLimit: config.requestBodyBytesMax,
        schema: {
          tags: ["invoke"],
          summary: "Call a function and wait for its answer",
          security: [{ tenantToken: [] }],
        },
      },
      async (request, reply) => {
        const { params, headers, body } = request;
        const { tenantId, quotas } = tenantOf(request);
        checkInputBytes(body, quotas.inputBytesMax);
        const result = await invoker.invoke(
          {
            tenantId,
            app: params.app,
            functionName: params.function,
            input: toInput(headers["content-type"], body),
            deadlineMs: toDeadlineMs(headers[DEADLINE_HEADER]),
            idempotencyKey: toIdempotencyKey(headers[IDEMPOTENCY_HEADER]),
            metadata: toMetadata(headers, config.metadataBytesMax),
          },
          connectionSignal(signals, request.raw.socket),
        );
        return sendResult(reply, result, logger);
      },
    );
  };
}

function sendResult(
  reply: FastifyReply,
  { invocationId, revisionId, outcome }: InvokeResult,
  logger: Logger,
): FastifyReply {
  if (outcome.kind === "failed") {
    void reply.header(HEADERS.invocation, invocationId).header(HEADERS.revision, revisionId);
    return sendProblem(reply, HostError.fromWire(outcome.error));
  }
  const { mediaType, body } = outcome.output;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const { raw } = reply;
  try {
    // Straight to the socket: there is nothing to serialise, and no hook that would want to see it.
    raw.writeHead(200, {
      [HEADERS.invocation]: invocationId,
      [HEADERS.revision]: revisionId,
      "Content-Type": mediaType,
      "Content-Length": bytes.byteLength,
      "X-Content-Type-Options": "nosniff",
    });
    // A text joins the head in one write; each byte is one character of Latin-1, and none is changed.
    if (bytes.byteLength > INLINE_BYTES_MAX) raw.end(bytes);
    else raw.end(bytes.toString("latin1"), "latin1");
  } catch (error) {
    if (!raw.headersSent) {
      // The head was refused, and with it the word that goes with 200. The error handler answers.
      raw.statusMessage = "";
      throw error;
    }
    logger.error({ err: error, invocationId }, "an answer could not be sent");
    raw.destroy();
  }
  // Last: as long as nothing is sent, a failure is still answered by Fastify.
  reply.hijack();
  return reply;
}

function connectionSignal(signals: WeakMap<Socket, AbortSignal>, socket: Socket): AbortSignal {
  const known = signals.get(socket);
  if (known !== undefined) return known;
  const controller = new AbortController();
  // A client may pipeline: each of its requests then listens.
  setMaxListeners(0, controller.signal);
  socket.once("close", () => controller.abort());
  signals.set(socket, controller.signal);
  return controller.signal;
}

function checkInputBytes(body: Buffer | undefined, bytesMax: number): void {
  if (body === undefined || body.byteLength <= bytesMax) return;
  throw new HostError(
    "BODY_TOO_LARGE",
    `the input has ${body.byteLength} bytes; the tenant's limit is ${bytesMax}`,
    { details: { bytesMax } },
  );
}

function toInput(contentType: string | undefined, body: Buffer | undefined): Payload {
  const mediaType = contentType ?? "application/json";
  if (mediaType.length > MEDIA_TYPE_CHARS_MAX) {
    throw new HostError("REQUEST_INVALID", "the Content-Type is too long", {
      details: { charsMax: MEDIA_TYPE_CHARS_MAX },
    });
  }
  return { mediaType, body: body ?? EMPTY };
}

function toDeadlineMs(header: string | readonly string[] | undefined): number | undefined {
  if (header === undefined) return undefined;
  const deadlineMs = Number(header);
  if (Number.isSafeInteger(deadlineMs) && deadlineMs > 0) return deadlineMs;
  throw new HostError("REQUEST_INVALID", `${HEADERS.deadlineMs} is a whole number of milliseconds`);
}

function toIdempotencyKey(header: string | readonly string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === "string" && header !== "" && header.length <= IDEMPOTENCY_KEY_CHARS_MAX) {
    return header;
  }
  throw new HostError("REQUEST_INVALID", `${HEADERS.idempotencyKey} has 1 to 255 characters`);
}

function toMetadata(
  headers: FastifyRequest["headers"],
  bytesMax: number,
): readonly (readonly [name: string, value: string])[] {
  const metadata: (readonly [string, string])[] = [];
  let bytes = 0;
  for (const name in headers) {
    if (!PASSED_HEADERS.has(name) && !name.startsWith(PASSED_PREFIX)) continue;
    const value = headers[name];
    if (typeof value !== "string") continue;
    bytes += name.length + value.length;
    metadata.push([name, value]);
  }
  if (bytes > bytesMax) {
    throw new HostError("REQUEST_INVALID", `headers for the function have over ${bytesMax} bytes`, {
      details: { metadataBytesMax: bytesMax },
    });
  }
  return metadata;
}
