// Speaks the host's HTTP API. Every failure leaves here as a `CliError` that says what to do.
//
// A1. A problem document keeps its code: the command adds words, never another code.
// A2. Every request has a time limit, unless it follows a stream until the caller ends it.
// A3. An answer that no host gives is told from one: it ends as where no host answers at all.
// A4. The token goes into the `authorization` header, and nowhere else.

import { API_HEADERS } from "./api-headers.ts";
import { CliError } from "./cli-error.ts";
import type { ExitName } from "./exit-codes.ts";
import { isRecord, parseDocument, parseRecord } from "./json-value.ts";
import type { Settings } from "./settings.ts";
import { formatBytes, printable } from "./terminal.ts";

const REQUEST_TIMEOUT_MS = 30_000;

export interface RequestOptions {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly body?: Uint8Array<ArrayBuffer> | Blob;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Statuses that carry the answer although they are no success. */
  readonly alsoAnswers?: readonly number[];
}

const PROBLEM_MEDIA_TYPE = "application/problem+json";

type Method = "GET" | "PUT" | "POST" | "PATCH" | "DELETE";

/** RFC 9457, with the members that the host adds. Everything but the code may be absent behind a proxy. */
interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;
  readonly requestId: string | undefined;
}

type ClientSettings = Pick<Settings, "url" | "token" | "urlSource" | "tokenSource"> &
  Partial<Pick<Settings, "adminTokenPath">>;

export class ApiClient {
  readonly #settings: ClientSettings;

  constructor(settings: ClientSettings) {
    this.#settings = settings;
  }

  get url(): string {
    return this.#settings.url;
  }

  /** Asks for a JSON document. */
  async json<T extends object>(
    method: Method,
    path: string,
    options: RequestOptions = {},
  ): Promise<T> {
    const response = await this.send(method, path, options);
    const answer = parseDocument<T>(await this.#readText(response));
    if (answer !== undefined) return answer;
    throw this.noHost(`it answered ${method} ${path} with something that is not a JSON object`);
  }

  /** Asks for the result of an invocation; every answer of a host to one names it. */
  async invoke(
    app: string,
    functionName: string,
    options: RequestOptions,
  ): Promise<{ readonly body: Uint8Array; readonly headers: Headers }> {
    const path = `/v1/invoke/${pathPart(app)}/${pathPart(functionName)}`;
    const answer = await this.bytes("POST", path, options);
    if (answer.headers.has(API_HEADERS.invocation)) return answer;
    throw this.noHost(`it answered POST ${path} with a success that names no invocation`);
  }

  /** Something is at the address, and what it does is not what a host does (A3). */
  noHost(evidence: string): CliError {
    const { url, urlSource } = this.#settings;
    return new CliError("RESPONSE_INVALID", `${url} is not a Downpour host: ${evidence}`, {
      exit: "unreachable",
      hint: `The URL comes from ${urlSource}. A proxy before a host may also answer in its place.`,
      details: { url },
    });
  }

  /** Asks for bytes; the answer is known to be a success. */
  async bytes(
    method: Method,
    path: string,
    options: RequestOptions = {},
  ): Promise<{ readonly body: Uint8Array; readonly headers: Headers; readonly status: number }> {
    const response = await this.send(method, path, options);
    try {
      const body = new Uint8Array(await response.arrayBuffer());
      return { body, headers: response.headers, status: response.status };
    } catch (cause) {
      throw this.#networkError(cause);
    }
  }

  /** Sends a request, and gives the answer if it is a success. */
  async send(method: Method, path: string, options: RequestOptions = {}): Promise<Response> {
    const { url, token } = this.#settings;
    const headers: Record<string, string> = { accept: "application/json", ...options.headers };
    if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
    if (options.json !== undefined) headers["content-type"] = "application/json";
    const body = options.json === undefined ? options.body : JSON.stringify(options.json);
    const timeout = AbortSignal.timeout(options.timeoutMs ?? REQUEST_TIMEOUT_MS);
    const signal =
      options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
    let response: Response;
    try {
      response = await fetch(`${url}${path}${toQuery(options.query)}`, {
        method,
        headers,
        signal,
        redirect: "error",
        ...(body === undefined ? {} : { body }),
      });
    } catch (cause) {
      throw this.#networkError(cause, bytesOf(body));
    }
    if (!response.ok && options.alsoAnswers?.includes(response.status) !== true) {
      throw await this.#problemError(response);
    }
    return response;
  }

  /** Opens a stream that lasts until the signal aborts: no time limit but for the first byte of the answer. */
  async stream(
    path: string,
    options: {
      readonly query?: RequestOptions["query"];
      readonly headers?: Record<string, string>;
    },
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>> {
    const { url, token } = this.#settings;
    const headers: Record<string, string> = { accept: "text/event-stream", ...options.headers };
    if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
    const opening = new AbortController();
    const timer = setTimeout(
      () => opening.abort(new DOMException("timed out", "TimeoutError")),
      REQUEST_TIMEOUT_MS,
    );
    let response: Response;
    try {
      response = await fetch(`${url}${path}${toQuery(options.query)}`, {
        headers,
        signal: AbortSignal.any([signal, opening.signal]),
        redirect: "error",
      });
    } catch (cause) {
      throw this.#networkError(cause);
    } finally {
      clearTimeout(timer);
    }
    if (!response.ok) throw await this.#problemError(response);
    if (response.body === null) {
      throw new CliError("RESPONSE_INVALID", "the host answered a stream without a body", {
        exit: "failure",
      });
    }
    return response.body;
  }

  async #readText(response: Response): Promise<string> {
    try {
      return await response.text();
    } catch (cause) {
      throw this.#networkError(cause);
    }
  }

  #networkError(cause: unknown, sentBytes = 0): CliError {
    const { url, urlSource } = this.#settings;
    if (cause instanceof DOMException && cause.name === "AbortError") {
      return new CliError("INTERRUPTED", "interrupted", { exit: "interrupted", cause });
    }
    if (cause instanceof DOMException && cause.name === "TimeoutError") {
      return new CliError("HOST_TIMEOUT", `${url} did not answer in time`, {
        exit: "unreachable",
        hint: "Is the host under load, or stopped? `downpour status` asks for little.",
        cause,
      });
    }
    const code = networkCode(cause);
    if (CLOSED_CODES.has(code) && sentBytes > SENT_BYTES_UNSUSPICIOUS) {
      return new CliError(
        "CONNECTION_CLOSED",
        `${url} closed the connection while ${formatBytes(sentBytes)} were sent to it (${code})`,
        {
          exit: "failure",
          hint: "Most likely that is more than the host takes. `downpour status` tells whether it is well.",
          details: { url, networkCode: code, sentBytes },
          cause,
        },
      );
    }
    return new CliError("HOST_UNREACHABLE", `no host answers at ${url} (${code})`, {
      exit: "unreachable",
      hint: [
        `The URL comes from ${urlSource}.`,
        "Start a host here with `downpour dev` (for a project) or `downpour host`,",
        "or name another one with --url or DOWNPOUR_URL.",
      ].join("\n"),
      details: { url, networkCode: code },
      cause,
    });
  }

  async #problemError(response: Response): Promise<CliError> {
    const text = await response.text().catch(() => "");
    const mediaType = response.headers.get("content-type") ?? "";
    const problem = mediaType.startsWith(PROBLEM_MEDIA_TYPE)
      ? parseProblem(text, response.status)
      : undefined;
    if (problem === undefined) {
      throw this.noHost(`it answered with status ${response.status} and no problem document`);
    }
    const body = bodyOf(problem);
    return new CliError(problem.code, messageOf(problem), {
      exit: exitOf(response.status, problem.code),
      hint: this.#hintFor(problem),
      body,
      details: {
        status: response.status,
        retryable: problem.retryable,
        requestId: problem.requestId,
        ...problem.details,
      },
    });
  }

  #hintFor(problem: Problem): string | undefined {
    const { token, tokenSource, urlSource, adminTokenPath } = this.#settings;
    switch (problem.code) {
      case "UNAUTHENTICATED":
        return token === undefined
          ? [
              "No token was sent. It comes from --token-file, DOWNPOUR_TOKEN, or .downpour/token,",
              "which `downpour dev` writes: from another folder, name the project's with -C <folder>.",
              "An operator makes one with `downpour tenants create`.",
            ].join("\n")
          : `The token comes from ${tokenSource}, the URL from ${urlSource}: do they belong together?`;
      case "FORBIDDEN":
        if (typeof problem.details["scope"] === "string") {
          return [
            `The token from ${tokenSource ?? "nowhere"} is for less. One for this, from an operator:`,
            `\`downpour tenants token create <tenant> --scope ${printable(problem.details["scope"])}\`.`,
          ].join("\n");
        }
        return [
          `The token from ${tokenSource ?? "nowhere"} may not do this; tenants are managed with the admin token.`,
          ...(adminTokenPath === undefined
            ? []
            : [`The one of the host that was started here: --token-file '${adminTokenPath}'`]),
        ].join("\n");
      case "APP_NOT_FOUND":
        return "`downpour apps` lists what is deployed; `downpour deploy` deploys this project.";
      case "GUEST_TRAPPED":
        return problem.details["reason"] === "stack-exhausted"
          ? "Built with `--engine starlingmonkey`, the same function shows the stack."
          : problem.details["reason"] === undefined
            ? "The function's log may say more: `downpour logs`."
            : undefined;
      case "UPLOAD_SUPERSEDED":
        return "A later deploy of the same app won. Deploy again if this one should serve.";
      case "QUEUE_FULL":
      case "HOST_DRAINING":
      case "EXECUTOR_LOST":
      case "OUT_OF_MEMORY":
        return "The same command may work in a moment.";
      case "IMPORT_NOT_ALLOWED":
        return "Build it with `downpour build`: it reports what a function may not use, and where.";
      default:
        return undefined;
    }
  }
}

/** A host says first why it takes no more, and a proxy in between may not: its answer is lost with the connection. */
const CLOSED_CODES: ReadonlySet<string> = new Set(["EPIPE", "ECONNRESET", "UND_ERR_SOCKET"]);
/** What the kernels' buffers take: a host can only close on more before its answer is read. */
const SENT_BYTES_UNSUSPICIOUS = 65_536;

function bytesOf(body: RequestOptions["body"] | string): number {
  if (body === undefined || typeof body === "string") return 0;
  return body instanceof Blob ? body.size : body.byteLength;
}

/** Encodes one part of a path, whatever characters it holds. */
export function pathPart(text: string): string {
  // A part of dots alone would be resolved away by URL parsers, also in its percent-encoded form.
  if (/^\.{1,2}$/u.test(text)) {
    throw new CliError("USAGE_INVALID", `"${text}" cannot be a part of an address`, {
      exit: "usage",
    });
  }
  return encodeURIComponent(text);
}

function toQuery(query: RequestOptions["query"]): string {
  if (query === undefined) return "";
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}

function parseProblem(text: string, status: number): Problem | undefined {
  const { code, detail, title, retryable, details, requestId } = parseRecord(text) ?? {};
  // A proxy's page, or nothing at all: the caller reports the status.
  if (typeof code !== "string") return undefined;
  return {
    code,
    detail:
      typeof detail === "string" ? detail : typeof title === "string" ? title : `status ${status}`,
    retryable: retryable === true,
    details: isRecord(details) ? details : {},
    requestId: typeof requestId === "string" ? requestId : undefined,
  };
}

/** The host's words; of an exception with its class, as JavaScript itself would say it. */
function messageOf({ code, detail, details }: Problem): string {
  const { exception } = details;
  return code === "FUNCTION_THREW" && typeof exception === "string"
    ? `${printable(exception)}: ${printable(detail)}`
    : printable(detail);
}

/** What an author needs to see in full: a failure's own code and details, a stack, every problem of an upload. */
function bodyOf(problem: Problem): string | undefined {
  const { functionCode, functionDetails, stack, problems } = problem.details;
  if (typeof functionCode === "string") {
    const details = functionDetails === undefined ? "" : ` ${JSON.stringify(functionDetails)}`;
    return `    ${printable(functionCode + details)}`;
  }
  if (typeof stack === "string" && stack !== "") {
    return printable(stack)
      .split("\n")
      .map((line) => `    ${line.trim()}`)
      .join("\n");
  }
  if (Array.isArray(problems) && problems.length > 1) {
    return problems.map((line) => `    - ${printable(String(line))}`).join("\n");
  }
  return undefined;
}

const FUNCTION_FAILURES = new Set([
  "FUNCTION_ERROR",
  "FUNCTION_THREW",
  "INPUT_INVALID",
  "RESULT_UNSERIALIZABLE",
  "RESULT_TOO_LARGE",
  "GUEST_TRAPPED",
  "DEADLINE_EXCEEDED",
]);

function exitOf(status: number, code: string): ExitName {
  if (FUNCTION_FAILURES.has(code)) return "functionFailed";
  if (status === 401 || code === "FORBIDDEN") return "unauthenticated";
  if (status === 404) return "notFound";
  return "failure";
}

function networkCode(cause: unknown): string {
  let innermost = "unknown failure";
  for (let error = cause; error instanceof Error; error = error.cause) {
    innermost = printable(error.message);
    if ("code" in error && typeof error.code === "string") return error.code;
    if (error instanceof AggregateError) {
      const inner: unknown = error.errors[0];
      if (inner instanceof Error && "code" in inner && typeof inner.code === "string") {
        return inner.code;
      }
    }
  }
  return innermost;
}
