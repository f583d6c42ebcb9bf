import type { Command } from "commander";
import { API_HEADERS } from "../api-headers.ts";
import { CliError, usageError } from "../cli-error.ts";
import { examples } from "../command-context.ts";
import type { CommandContext, OpenContext } from "../command-context.ts";
import { decodeText } from "../decode-text.ts";
import { requireJson } from "../json-value.ts";
import { header, wholeNumber } from "../parse-option.ts";
import { readInput } from "../read-input.ts";
import { resolveApp } from "../settings.ts";
import { printable } from "../terminal.ts";

const JSON_MEDIA_TYPE = "application/json";
/** Above the function's own deadline, so that the host's answer about it is what arrives. */
const DEADLINE_MARGIN_MS = 5_000;
const INVOKE_TIMEOUT_MS = 15 * 60_000;

interface InvokeFlags {
  readonly data?: string;
  readonly mediaType?: string;
  readonly deadlineMs?: number;
  readonly idempotencyKey?: string;
  readonly header?: Readonly<Record<string, string>>;
  readonly verbose?: boolean;
}

export function registerInvoke(program: Command, open: OpenContext): void {
  program
    .command("invoke")
    .description("call a function and print its result")
    .argument("<app/function>", "the function; without `app/`, one of this project's app")
    .argument("[input]", "the input, as JSON (a string needs its quotes)")
    .option("-d, --data <data>", "the input as text, `@file`, or `-` for stdin")
    .option("-t, --media-type <type>", "media type of --data", JSON_MEDIA_TYPE)
    .option("--deadline-ms <ms>", "end the invocation after this long", wholeNumber(1, 86_400_000))
    .option("--idempotency-key <key>", "the same for each retry; the function can read it")
    .option("-H, --header <header>", 'a request header "Name: value"; may be repeated', header)
    .option("-v, --verbose", "also tell the invocation, the revision and the time it took")
    .addHelpText(
      "after",
      examples(
        ["downpour invoke counter/visit '\"home\"'", "a JSON string as the input"],
        ["downpour invoke guest-book/sign --data @entry.json", "the input from a file"],
        ["echo '[1,2]' | downpour invoke sum --data -", "from stdin; this project's app"],
        ["downpour invoke hello/hello '\"you\"' --json | jq .result", "for programs"],
      ),
    )
    .action(
      async (target: string, input: string | undefined, flags: InvokeFlags, command: Command) => {
        await invoke(open(command), target, input, flags);
      },
    );
}

async function invoke(
  context: CommandContext,
  target: string,
  input: string | undefined,
  flags: InvokeFlags,
): Promise<void> {
  const { app, functionName } = parseTarget(context, target);
  const body = await inputBytes(context, input, flags);
  const headers: Record<string, string> = { ...flags.header, accept: "*/*" };
  headers["content-type"] = flags.mediaType ?? JSON_MEDIA_TYPE;
  if (flags.deadlineMs !== undefined) headers[API_HEADERS.deadlineMs] = String(flags.deadlineMs);
  if (flags.idempotencyKey !== undefined)
    headers[API_HEADERS.idempotencyKey] = flags.idempotencyKey;

  const progress = context.terminal.progress(`invoking ${app}/${functionName}`);
  const startedAt = performance.now();
  let answer;
  try {
    answer = await context.client.invoke(app, functionName, {
      body,
      headers,
      timeoutMs:
        flags.deadlineMs === undefined ? INVOKE_TIMEOUT_MS : flags.deadlineMs + DEADLINE_MARGIN_MS,
    });
  } catch (cause) {
    throw cause instanceof CliError ? withNames(cause, app, functionName) : cause;
  } finally {
    progress.clear();
  }
  const durationMs = performance.now() - startedAt;
  const mediaType = answer.headers.get("content-type") ?? "application/octet-stream";
  const invocation = answer.headers.get(API_HEADERS.invocation);
  const revision = answer.headers.get(API_HEADERS.revision);

  if (flags.verbose === true) {
    const facts = [
      `invocation ${invocation ?? "?"}`,
      `revision ${revision?.slice(0, 12) ?? "?"}`,
      `${durationMs.toFixed(1)} ms`,
    ];
    context.terminal.note(context.terminal.err("dim", facts.join(" · ")));
  }
  printResult(context, answer.body, mediaType, { invocation, revision, durationMs });
}

/** The host says what is not there; here it is known how it was named. */
function withNames(error: CliError, app: string, functionName: string): CliError {
  const { code, exit, details, hint } = error;
  switch (code) {
    case "APP_NOT_FOUND":
      return new CliError(code, `there is no app ${app}`, { exit, details, hint, cause: error });
    case "FUNCTION_NOT_FOUND":
      return new CliError(code, `the app ${app} has no function ${functionName}`, {
        exit,
        details,
        hint: `\`downpour apps show ${app}\` lists its functions.`,
        cause: error,
      });
    default:
      return error;
  }
}

function parseTarget(
  context: CommandContext,
  target: string,
): { readonly app: string; readonly functionName: string } {
  const parts = target.split("/");
  const [first, second] = parts;
  if (parts.length > 2 || first === undefined || first === "" || second === "") {
    throw usageError(
      `"${target}" does not name a function`,
      "Write app/function, for example counter/visit.",
    );
  }
  const { project } = context.settings;
  return second === undefined
    ? { app: resolveApp(project, undefined), functionName: first }
    : { app: resolveApp(project, first), functionName: second };
}

async function inputBytes(
  context: CommandContext,
  input: string | undefined,
  flags: InvokeFlags,
): Promise<Uint8Array<ArrayBuffer>> {
  if (input !== undefined && flags.data !== undefined) {
    throw usageError(
      "the input is given twice",
      "Give it as an argument or with --data, not both.",
    );
  }
  if (flags.data !== undefined) return readInput(context.io, flags.data);
  // No bytes at all: the function's parameter is undefined, and its default applies.
  if (input === undefined) return new Uint8Array();
  requireJson(
    input,
    "input",
    input === "-" ? "From stdin: --data -" : "Anything else goes with --data and --media-type.",
  );
  return new TextEncoder().encode(input);
}

function printResult(
  { terminal, io }: CommandContext,
  body: Uint8Array,
  mediaType: string,
  facts: {
    readonly invocation: string | null;
    readonly revision: string | null;
    readonly durationMs: number;
  },
): void {
  const { invocation, revision, durationMs } = facts;
  const isJson = /^application\/(?:[a-z0-9.+-]+\+)?json\b/iu.test(mediaType);
  const text = isJson || /^text\//iu.test(mediaType) ? decodeText(body) : undefined;
  if (terminal.isJson) {
    const result = isJson
      ? { result: parseResult(text) }
      : text === undefined
        ? { resultBase64: Buffer.from(body).toString("base64") }
        : { resultText: text };
    terminal.result({ ...result, mediaType, invocation, revision, durationMs }, "");
    return;
  }
  if (text !== undefined) {
    terminal.result(undefined, io.stdout.isTTY === true ? printable(text) : text);
    return;
  }
  if (io.stdout.isTTY === true) {
    terminal.note(
      `${body.byteLength} bytes of ${printable(mediaType)}: redirect stdout to keep them`,
    );
    return;
  }
  terminal.raw(body);
}

function parseResult(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch (cause) {
    throw new CliError(
      "RESPONSE_INVALID",
      "the function's result is declared as JSON, but is not",
      {
        exit: "functionFailed",
        cause,
      },
    );
  }
}
