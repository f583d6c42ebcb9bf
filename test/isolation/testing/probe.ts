import { buildGuest } from "../../../host/engine/testing/build-guest.ts";
import { at } from "../../e2e/testing/host-under-test.ts";
import type { Answer, TenantClient } from "../../e2e/testing/host-under-test.ts";

// What a hostile author would deploy: no SDK stands between it and the host's interfaces, and every
// key, prefix and position goes to the host as it was sent.

const SOURCE = `
import state from "downpour:faas/state@0.1.0";
import log from "downpour:faas/log@0.1.0";
import context from "downpour:faas/context@0.1.0";
import environment from "wasi:cli/environment@0.2.12";

const text = (bytes) => bytes.reduce((string, byte) => string + String.fromCharCode(byte), "");
const bytes = (string) => Uint8Array.from(string, (character) => character.charCodeAt(0));

let calls = 0;

const functions = {
  get: ({ key }) => {
    const value = state.get(key);
    return value ? text(value) : null;
  },
  getMany: ({ keys }) => state.getMany(keys).map((value) => (value ? text(value) : null)),
  put: ({ key, value }) => { state.put(key, bytes(value), "durable"); return null; },
  getText: ({ key }) => state.getText(key),
  putText: ({ key, value }) => { state.putText(key, value, "durable"); return null; },
  remove: ({ key }) => { state.delete(key, "durable"); return null; },
  list: ({ prefix, after }) => state.listKeys(prefix, after, 1000).keys,
  add: ({ key }) => Number(state.counterAdd(key, 1, "durable")),
  count: ({ key }) => Number(state.counterValue(key)),
  addAndPut: ({ key, value }) => {
    const outcome = (write) => {
      try { write(); return "written"; } catch (error) { return (error.payload ?? error).tag; }
    };
    return [
      outcome(() => state.counterAdd(key, 1, "durable")),
      outcome(() => state.put(key, bytes(value), "durable")),
    ];
  },
  flood: ({ level, count }) => {
    for (let n = 0; n < count; n += 1) state.put("flood/" + level + n, new Uint8Array(1), level);
    return null;
  },
  whoami: () => { const { tenant, app } = context.current(); return { tenant, app }; },
  environment: () => environment.getEnvironment(),
  log: (message) => { log.write("info", message); return null; },
  calls: () => (calls += 1),
  pollute: () => { Object.prototype.polluted = "yes"; return null; },
  polluted: () => ({}).polluted ?? null,
  constructor: () => "the function named constructor",
};

export function describe() {
  return JSON.stringify({ sdk: "0.1.0", functions: Object.keys(functions).map((name) => ({ name })) });
}

export async function handle(name, input) {
  let answer;
  try {
    answer = { value: functions[name](JSON.parse(text(input.body))) };
  } catch (error) {
    answer = { refused: (error.payload ?? error).tag ?? String(error) };
  }
  const body = JSON.stringify(answer).replace(/[^ -~]/g, (c) => "\\\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
  return { mediaType: "application/json", body: bytes(body) };
}
`;

export async function probe(): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await buildGuest({ source: SOURCE, world: "function" }));
}

/** What a function of the probe answers: its value, or how the host refused what it tried. */
export async function ask(tenant: TenantClient, name: string, input: unknown): Promise<unknown> {
  const answer = await tenant.api("POST", `/v1/invoke/probe/${name}`, {
    headers: { "content-type": "application/json" },
    // The guest has no decoder: it reads ASCII.
    body: toAscii(JSON.stringify(input)),
  });
  if (answer.status !== 200) throw new Error(`not answered: ${answer.body.toString()}`);
  const refused = at(answer.json(), "refused");
  return refused === undefined ? at(answer.json(), "value") : { refused };
}

function toAscii(json: string): string {
  return json.replaceAll(/[^ -~]/gu, (character) =>
    Array.from(
      { length: character.length },
      (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`,
    ).join(""),
  );
}

/** An answer without what differs between any two requests, to compare one with another. */
export function comparable(answer: Answer): unknown {
  const text = answer.body.toString();
  const body: unknown = text === "" ? undefined : { ...Object(JSON.parse(text)) };
  if (typeof body === "object" && body !== null) Reflect.deleteProperty(body, "requestId");
  const headers = Object.fromEntries(answer.headers);
  for (const name of ["date", "content-length"]) delete headers[name];
  return { status: answer.status, headers, body };
}
