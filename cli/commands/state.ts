import type { Command } from "commander";
import { API_HEADERS } from "../api-headers.ts";
import type { CounterValue, StateList } from "@downpour/host/schemas";
import { pathPart } from "../api-client.ts";
import { usageError } from "../cli-error.ts";
import { examples } from "../command-context.ts";
import type { CommandContext, OpenContext } from "../command-context.ts";
import { decodeText } from "../decode-text.ts";
import { requireJson } from "../json-value.ts";
import { wholeNumber } from "../parse-option.ts";
import { readInput } from "../read-input.ts";
import { printable, printableLine, table } from "../terminal.ts";

const PAGE_KEYS = 1_000;

interface PutFlags {
  readonly data?: string;
  readonly raw?: boolean;
}

interface ListFlags {
  readonly limit?: number;
  readonly after?: string;
}

export function registerState(program: Command, open: OpenContext): void {
  const state = program
    .command("state")
    .description("read and write the tenant's state from outside")
    .addHelpText(
      "after",
      examples(
        ["downpour state ls visits/", "keys with a prefix"],
        ["downpour state get visits/home", "a register's bytes, or a counter's value"],
        ["downpour state put greeting '\"hello\"'", "write a register"],
        ["downpour state put logo --raw --data @logo.png", "bytes of a file, as they are"],
        ["downpour state add visits/home 1", "add to a counter"],
        ["downpour state rm greeting", "remove a key"],
      ),
    );

  state
    .command("get")
    .description("print a key's value: a register's bytes as they are, or a counter's number")
    .argument("<key>")
    .addHelpText(
      "after",
      examples(
        ["downpour state get visits/home", "a counter prints its number"],
        ["downpour state get logo > logo.png", "bytes as they are"],
        ["downpour state get greeting --json", "the kind as well"],
      ),
    )
    .action(async (key: string, _flags: object, command: Command) => {
      await get(open(command), key);
    });

  state
    .command("put")
    .description("write a register; the answer comes after the write is on disk")
    .argument("<key>")
    .argument("[value]", "the value, as JSON (a string needs its quotes)")
    .option("-d, --data <data>", "the value as text, `@file`, or `-` for stdin")
    .option(
      "--raw",
      "any bytes: the SDK reads them with `state.bytes`, and JSON with `state.register`",
    )
    .addHelpText(
      "after",
      examples(
        ["downpour state put greeting '\"hello\"'", "what the SDK reads as a string"],
        ["downpour state put settings --data @settings.json", "JSON from a file"],
        ["downpour state put logo --raw --data @logo.png", "bytes of a file, as they are"],
      ),
    )
    .action(async (key: string, value: string | undefined, flags: PutFlags, command: Command) => {
      await put(open(command), key, value, flags);
    });

  state
    .command("add")
    .description("add to a counter and print its value")
    .argument("<key>")
    .argument(
      "[amount]",
      "may be negative",
      wholeNumber(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
      1,
    )
    .addHelpText(
      "after",
      examples(
        ["downpour state add visits/home", "one more"],
        ["downpour state add stock -- -3", "three fewer"],
      ),
    )
    .action(async (key: string, amount: number, _flags: object, command: Command) => {
      const context = open(command);
      const answer = await context.client.json<CounterValue>("PUT", keyPath(key), {
        query: { kind: "counter" },
        json: { add: amount },
      });
      context.terminal.result({ key, kind: "counter", value: answer.value }, String(answer.value));
    });

  state
    .command("ls")
    .description("list keys in byte order")
    .argument("[prefix]", "only keys that start with it", "")
    .option("-n, --limit <count>", "at most so many", wholeNumber(1, 10_000_000))
    .option("--after <key>", "only keys after this one")
    .addHelpText(
      "after",
      examples(
        ["downpour state ls", "every key"],
        ["downpour state ls visits/ -n 10", "the first ten with a prefix"],
      ),
    )
    .action(async (prefix: string, flags: ListFlags, command: Command) => {
      await list(open(command), prefix, flags);
    });

  state
    .command("rm")
    .description("remove a key of any kind; removing what is not there succeeds")
    .argument("<key>")
    .addHelpText("after", examples(["downpour state rm greeting", ""]))
    .action(async (key: string, _flags: object, command: Command) => {
      const context = open(command);
      await context.client.bytes("DELETE", keyPath(key));
      context.terminal.result({ key, removed: true }, "");
    });
}

async function get(context: CommandContext, key: string): Promise<void> {
  const { client, terminal, io } = context;
  const answer = await client.bytes("GET", keyPath(key), { headers: { accept: "*/*" } });
  const kind = answer.headers.get(API_HEADERS.stateKind) ?? "register";
  const text = decodeText(answer.body);
  if (kind === "counter") {
    const value = counterOf(text ?? "");
    terminal.result({ key, kind, value }, String(value));
    return;
  }
  if (terminal.isJson) {
    const value =
      text === undefined
        ? { valueBase64: Buffer.from(answer.body).toString("base64") }
        : { value: text };
    terminal.result({ key, kind, ...value }, "");
    return;
  }
  if (io.stdout.isTTY !== true) {
    terminal.raw(answer.body);
    return;
  }
  if (text === undefined) {
    terminal.note(`${answer.body.byteLength} bytes, not text: redirect stdout to keep them`);
    return;
  }
  terminal.result(undefined, printable(text));
}

async function put(
  { client, terminal, io }: CommandContext,
  key: string,
  value: string | undefined,
  flags: PutFlags,
): Promise<void> {
  if ((value === undefined) === (flags.data === undefined)) {
    throw usageError("give one value", "Give it as an argument, or with --data.");
  }
  const body =
    flags.data === undefined ? new TextEncoder().encode(value) : await readInput(io, flags.data);
  // What is not JSON would fail much later, where a function reads it.
  if (flags.raw !== true) requireJson(decodeText(body), "value", "Bytes as they are: --raw.");
  await client.bytes("PUT", keyPath(key), {
    body,
    headers: { "content-type": "application/octet-stream" },
  });
  terminal.result({ key, kind: "register", bytes: body.byteLength }, "");
}

async function list(
  { client, terminal }: CommandContext,
  prefix: string,
  flags: ListFlags,
): Promise<void> {
  const keysMax = flags.limit ?? Number.POSITIVE_INFINITY;
  const entries: StateList["entries"][number][] = [];
  let after = flags.after;
  const progress = terminal.progress("listing keys");
  try {
    do {
      const page: StateList = await client.json<StateList>("GET", "/v1/state", {
        query: {
          prefix: prefix === "" ? undefined : prefix,
          after,
          limit: Math.min(PAGE_KEYS, keysMax - entries.length),
        },
      });
      entries.push(...page.entries);
      after = page.next;
      progress.update(`listing keys: ${entries.length}`);
    } while (after !== undefined && entries.length < keysMax);
  } finally {
    progress.clear();
  }
  if (entries.length === 0) terminal.note(terminal.err("dim", "no such keys"));
  terminal.result(
    { entries, ...(after === undefined ? {} : { next: after }) },
    entries.length === 0
      ? ""
      : table(
          ["KIND", "KEY"],
          entries.map((entry) => [entry.kind, printableLine(entry.key)]),
          (heading) => terminal.out("dim", heading),
        ),
  );
}

function keyPath(key: string): string {
  if (key === "") throw usageError("a state key is not empty");
  return `/v1/state/${pathPart(key)}`;
}

function counterOf(text: string): number {
  const value: unknown = JSON.parse(text);
  return typeof value === "object" && value !== null && "value" in value
    ? Number(value.value)
    : Number(value);
}
