import { buildGuest } from "../engine/testing/build-guest.ts";
import { contractPackages } from "./contract-wit.ts";

// One real component whose functions behave in every way a function can: what the tests of the
// scheduler, the executors and the host call.

const SOURCE = `
import state from "downpour:faas/state@0.1.0";
import log from "downpour:faas/log@0.1.0";
import context from "downpour:faas/context@0.1.0";
import clock from "wasi:clocks/monotonic-clock@0.2.12";

const text = (bytes) => String.fromCharCode(...bytes);
const bytes = (string) => Uint8Array.from(string, (character) => character.charCodeAt(0));
const json = (value) => ({ mediaType: "application/json", body: bytes(JSON.stringify(value)) });

let calls = 0;

const functions = {
  echo: (input) => input,
  calls: () => json((calls += 1)),
  context: () => json(context.current()),
  add: (input) => json(Number(state.counterAdd(text(input.body), 1, "durable"))),
  addForever: (input) => {
    for (;;) state.counterAdd(text(input.body), 1, "durable");
  },
  readOften: (input) => {
    for (let read = 0; read < Number(text(input.body)); read += 1) state.counterValue("none");
    return json("read");
  },
  read: (input) => json(Number(state.counterValue(text(input.body)))),
  sleep: (input) => {
    clock.subscribeDuration(Number(text(input.body)) * 1000000).block();
    return json("slept");
  },
  burn: (input) => {
    let sum = 0;
    for (let step = 0; step < Number(text(input.body)); step += 1) sum += step;
    return json(sum);
  },
  loop: () => {
    log.write("info", "before the loop");
    for (;;);
  },
  sleepThenLoop: (input) => {
    clock.subscribeDuration(Number(text(input.body)) * 1000000).block();
    for (;;);
  },
  addThenLoop: (input) => {
    state.counterAdd(text(input.body), 1, "durable");
    for (;;);
  },
  recurse: () => {
    const down = (n) => down(n + 1) + 1;
    return json(down(0));
  },
  trap: () => {
    throw new Error("not a failure of the contract");
  },
  throw: () => {
    throw { tag: "uncaught-exception", val: { name: "TypeError", message: "x is not y", stack: "at src/index.ts:1:2" } };
  },
  fail: () => {
    throw { tag: "function-error", val: { code: "NO_FUNDS", message: "poor", details: json({ missing: 3 }) } };
  },
  unserializable: () => {
    throw { tag: "unserializable-result", val: "$.a is a function" };
  },
  log: (input) => {
    for (let entry = 0; entry < Number(text(input.body)); entry += 1) log.write("info", "entry " + entry);
    return json(null);
  },
  big: (input) => ({ mediaType: "application/octet-stream", body: new Uint8Array(Number(text(input.body))) }),
  typed: (input) => ({ mediaType: text(input.body), body: new Uint8Array(1) }),
};

export function describe() {
  return JSON.stringify({ sdk: "0.1.0", functions: Object.keys(functions).map((name) => ({ name })) });
}

export async function handle(name, input) {
  const chosen = functions[name];
  if (chosen === undefined) throw { tag: "unknown-function", val: name };
  return chosen(input);
}
`;

/** The names of its functions. */
export const BEHAVIOUR_FUNCTIONS: ReadonlySet<string> = new Set(
  [...SOURCE.matchAll(/^ {2}(\w+): \(/gmu)].map((match) => match[1] ?? ""),
);

/** Our contract, and WASI's clock beside it: with that a function can wait for as long as a test needs. */
function behaviourWit(): string {
  return `package downpour:behaviour;

world behaviour {
  include downpour:faas/function@0.1.0;
  import wasi:clocks/monotonic-clock@0.2.12;
}

${contractPackages()}

package wasi:io@0.2.12 {
  interface poll {
    resource pollable {
      block: func();
    }
  }
}

package wasi:clocks@0.2.12 {
  interface monotonic-clock {
    use wasi:io/poll@0.2.12.{pollable};
    type duration = u64;
    subscribe-duration: func(when: duration) -> pollable;
  }
}
`;
}

export async function buildBehaviourGuest(): Promise<Uint8Array> {
  return await buildGuest({ source: SOURCE, world: "behaviour", wit: behaviourWit() });
}
