import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { HostError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Problem } from "./schemas.ts";
import { translateError } from "./translate-error.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The code for a body over the limit of this route. */
    readonly tooLarge?: ErrorCode;
    /** Its body is taken while it comes, and may take as long as any request. */
    readonly isStreamed?: boolean;
    /** The media types that this route takes, for people. */
    readonly accepts?: string;
  }
}

export const PROBLEM_MEDIA_TYPE = "application/problem+json";

/** RFC 9457 for one failure. */
export function toProblem(error: HostError, requestId: string): Problem {
  return {
    type: `urn:downpour:error:${error.code}`,
    title: error.code.toLowerCase().replaceAll("_", " "),
    status: error.status,
    detail: error.message,
    code: error.code,
    retryable: error.retryable,
    details: error.details,
    requestId,
  };
}

export function sendProblem(reply: FastifyReply, error: HostError): FastifyReply {
  if (error.status === 401) void reply.header("www-authenticate", 'Bearer realm="downpour"');
  const { retryAfterMs } = error.details;
  if (typeof retryAfterMs === "number") {
    void reply.header("retry-after", Math.max(1, Math.ceil(retryAfterMs / 1_000)));
  }
  return reply
    .code(error.status)
    .header("content-type", PROBLEM_MEDIA_TYPE)
    .send(toText(toProblem(error, reply.request.id)));
}

/** A function's own details that are JSON become a part of the document as they are: whoever marked them as JSON has parsed them. */
function toText(problem: Problem): string {
  const { functionDetails, ...details } = problem.details;
  if (
    typeof functionDetails !== "string" ||
    details["functionDetailsMediaType"] !== "application/json"
  ) {
    return JSON.stringify(problem);
  }
  const head = JSON.stringify({ ...problem, details: undefined });
  const others = JSON.stringify(details);
  return `${head.slice(0, -1)},"details":${others.slice(0, -1)},"functionDetails":${functionDetails}}}`;
}

/**
 * The one error handler. An unknown error is answered as `INTERNAL` without its text, and logged
 * with it.
 */
export function problemHandler(logger: Logger) {
  return (cause: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const error =
      fromFastify(cause, request) ?? fromClient(cause, request) ?? translateError(cause);
    if (error.status >= 500 && (error.code === "INTERNAL" || error.cause !== undefined)) {
      logger.error(
        { err: error.cause ?? cause, code: error.code, requestId: request.id },
        "request failed",
      );
    }
    return sendProblem(reply, error);
  };
}

/** Fastify's own refusals. Its codes are its API; its messages are not. */
function fromFastify(cause: unknown, request: FastifyRequest): HostError | undefined {
  if (!isFastifyError(cause)) return undefined;
  switch (cause.code) {
    case "FST_ERR_VALIDATION":
      return new HostError("REQUEST_INVALID", cause.message, { cause });
    case "FST_ERR_CTP_BODY_TOO_LARGE": {
      const { bodyLimit, config } = request.routeOptions;
      const code = config.tooLarge ?? "BODY_TOO_LARGE";
      const details = { bytesMax: bodyLimit };
      return new HostError(code, `the body has more than ${bodyLimit} bytes`, { details });
    }
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE": {
      const accepts = request.routeOptions.config.accepts ?? "application/json";
      return new HostError("MEDIA_TYPE_UNSUPPORTED", `this route takes ${accepts}`, {
        details: { accepts },
      });
    }
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return new HostError("REQUEST_INVALID", "the body is not as long as Content-Length says");
    case "FST_ERR_BAD_URL":
    case "FST_ERR_ASYNC_CONSTRAINT":
      return new HostError("REQUEST_INVALID", "the path is not validly percent-encoded");
    case "FST_ERR_MAX_PARAM_LENGTH":
      return new HostError("REQUEST_INVALID", "a part of the path is too long");
    default:
      return undefined;
  }
}

/** A body that broke off is no bug of ours. The answer goes nowhere; what matters is that nothing is logged. */
function fromClient(cause: unknown, { raw }: FastifyRequest): HostError | undefined {
  if (raw.errored === null || cause !== raw.errored) return undefined;
  return new HostError("CANCELLED", "the client went away in the middle of its request");
}

function isFastifyError(cause: unknown): cause is FastifyError {
  return cause instanceof Error && "code" in cause && String(cause.code).startsWith("FST_");
}
