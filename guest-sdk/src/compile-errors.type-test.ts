// Wrong uses, each a compile error: `tsc -p guest-sdk` fails where one of them compiles.

import { context, fn, FunctionError, state } from "./index.ts";

interface Entry {
  readonly author: string;
  readonly tags?: readonly string[];
}

class Account {
  readonly cents: number;
  constructor(cents: number) {
    this.cents = cents;
  }
  isEmpty(): boolean {
    return this.cents === 0;
  }
}

export const right = [
  fn((x: number) => x + 1),
  fn(async (name: string) => ({ hello: name })),
  fn(() => undefined),
  fn(() => {}),
  fn((entry: Entry, { invocationId }) => ({ ...entry, invocationId })),
  fn((input: unknown) => typeof input),
  fn(() => new Uint8Array(1)),
  fn(() => new Date(0)),
  fn(({ a, b }: { a: number; b?: string }) => [a, b ?? null]),
  fn((x: number) => (x > 1 ? { ok: true, x } : { ok: false })),
  fn(async (x: number) => (x > 1 ? "many" : null)),
  fn((entry) => entry.author, { input: (value: unknown): Entry => ({ author: String(value) }) }),
  fn.raw(({ mediaType, body }) => ({ mediaType, body })),
];

export function rightState(): number {
  state.register<Entry>("e").put({ author: "a" });
  const entries: (Entry | undefined)[] = state.getMany<Entry>(["a"]);
  const names: string[] = [...state.list("a/")];
  return state.counter("c", { durability: "memory" }).add(1) + entries.length + names.length;
}

// @ts-expect-error -- Not a function.
fn(3);
// @ts-expect-error -- A bigint is not JSON.
fn(() => 1n);
// @ts-expect-error -- Nor is a function in an object.
fn(() => ({ later: () => 1 }));
// @ts-expect-error -- Nor is a Map, which JSON would turn into {}.
fn(() => new Map([["a", 1]]));
// @ts-expect-error -- Nor is what a Set holds.
fn(async () => ({ deep: [new Set([1])] }));
// @ts-expect-error -- A Date never comes out of JSON: it is a string there.
fn((at: Date) => at.getTime());
// @ts-expect-error -- The second parameter is the context.
fn((a: number, b: number) => a + b);
// @ts-expect-error -- Bytes come in through fn.raw.
fn((bytes: Uint8Array) => bytes.length);
// @ts-expect-error -- A raw function gives bytes, text, or both with a media type.
fn.raw(() => 3);
// @ts-expect-error -- An unknown option.
fn((x: number) => x, { descripton: "typo" });
// @ts-expect-error -- A forgotten await inside the result.
fn(() => ({ value: Promise.resolve(1) }));

// @ts-expect-error -- Keys come one at a time: [...keys] is a list.
fn(() => state.list("orders/"));
// @ts-expect-error -- A generator is no list either.
fn(function* () {
  yield 1;
});
// @ts-expect-error -- An object with methods: JSON has its fields alone.
fn(() => new Account(5));
// @ts-expect-error -- A date deep in the input is a string.
fn(({ from }: { from: { day: Date } }) => from.day.getTime());
// @ts-expect-error -- What a caller sends has no type that can be guessed.
fn((name) => name.length);
// @ts-expect-error -- The name is that of the export.
fn("greet", (name: string) => name);
// @ts-expect-error -- The description is an option.
fn((name: string) => name, "Greets");
// @ts-expect-error -- A raw function gets the media type and the body.
fn.raw((body: Uint8Array) => body);
// @ts-expect-error -- A schema gives what the handler takes.
fn((name: string) => name, { input: (value: unknown): number => Number(value) });

// @ts-expect-error -- A register holds JSON.
state.register<() => void>("key");
// @ts-expect-error -- Methods do not survive JSON.
state.register<Map<string, number>>("key");
// @ts-expect-error -- Another type than the register's.
state.register<Entry>("key").put({ name: "a" });
// @ts-expect-error -- What is read may not be there.
state.register<Entry>("key").get().author.trim();
// @ts-expect-error -- A key is a string.
state.register<Entry>(42);
// @ts-expect-error -- No such level.
state.counter("key", { durability: "sometimes" });
// @ts-expect-error -- A counter takes numbers.
state.counter("key").add("1");
// @ts-expect-error -- A counter is added to, and not set.
state.counter("key").put(3);
// @ts-expect-error -- A handle is not its value.
export const sum = state.counter("key") + 1;
// @ts-expect-error -- A counter is no bigint.
state.counter("key").add(1n);
// @ts-expect-error -- A date comes back as a string.
state.register("key").put(new Date(0));
// @ts-expect-error -- Bytes are bytes: text goes through a TextEncoder, or into a register.
state.bytes("key").put("text");
// @ts-expect-error -- Many keys are a list.
state.getMany<Entry>("key");
// @ts-expect-error -- The last writer wins: a register has no update.
state.register<number>("key").update((n) => n + 1);
// @ts-expect-error -- A failure has a code and a message.
new FunctionError("not-found").toString();
// @ts-expect-error -- The code is a word, and no status.
new FunctionError(404, "no").toString();
// @ts-expect-error -- It is a class.
FunctionError("not-found", "no");
// @ts-expect-error -- Details are JSON.
new FunctionError("not-found", "no", { details: new Map() }).toString();
// @ts-expect-error -- The context is read only.
context.tenant = "other";
// @ts-expect-error -- Nobody has to send metadata.
context.metadata.get("x-name").trim();
// @ts-expect-error -- Nor to set a variable.
context.environment.get("GREETING").trim();
// @ts-expect-error -- There is no process in a function.
process.exit(1);
// @ts-expect-error -- There are no timers yet.
setTimeout(() => {}, 1);
// @ts-expect-error -- There is no network yet.
await fetch("https://example.com");
