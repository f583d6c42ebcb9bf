// A program: calls one function at a constant rate over kept-alive connections, whatever the answers
// take, and prints one line of JSON. It has a process of its own, so that an attack's driver does not
// stand in the way of its clock.
//
// V1. An open loop: a request's latency counts from the moment at which it was due, not from the one at
//     which a connection was free. What coordinated omission hides is in these numbers.
// V2. Every request that was due is counted once: answered with a 2xx, or lost. A lost one counts as long
//     as anybody would have waited for it.

import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { Latencies } from "../latencies.ts";
import type { VictimSummary } from "./victim.ts";

const [url = "", rate = "", durationS = "", answerTimeout = ""] = process.argv.slice(2);
/** One that has no answer by then is lost. */
const answerTimeoutMs = Number(answerTimeout);
const authorization = process.env["LOAD_AUTHORIZATION"];
const intervalMs = 1000 / Number(rate);
const count = Math.round(Number(durationS) * Number(rate));

const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const latencies = new Latencies();
/** How late a request left: what of its latency is not the host's. */
const lags = new Latencies();
const losses: Record<string, number> = {};

const startedAtMs = performance.now();
const calls: Promise<void>[] = [];
for (let index = 0; index < count; index += 1) {
  const dueAtMs = startedAtMs + index * intervalMs;
  const waitMs = dueAtMs - performance.now();
  // One after the other: that is what a rate is.
  if (waitMs > 0) await delay(waitMs);
  lags.recordMs(performance.now() - dueAtMs);
  calls.push(measure(dueAtMs));
}
await Promise.all(calls);
agent.destroy();

const lost = Object.values(losses).reduce((sum, number) => sum + number, 0);
const summary: VictimSummary = {
  sent: count,
  lost,
  losses,
  ...latencies.summaryMs(),
  lagP99Ms: lags.summaryMs().p99Ms,
};
console.log(`summary ${JSON.stringify(summary)}`);

async function measure(dueAtMs: number): Promise<void> {
  const loss = await call();
  latencies.recordMs(loss === undefined ? performance.now() - dueAtMs : answerTimeoutMs);
  if (loss !== undefined) losses[loss] = (losses[loss] ?? 0) + 1;
}

/** Why the request is lost; undefined where it was answered. */
function call(): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const sent = request(url, {
    agent,
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(authorization === undefined ? {} : { authorization }),
    },
  });
  // From now on, and not from when a connection is free: a server that answers nobody has them all.
  const timer = setTimeout(() => sent.destroy(new Error("timeout")), answerTimeoutMs);
  sent.once("error", (error) => resolve(error.message));
  sent.once("response", (response) => {
    const { statusCode = 0 } = response;
    response.once("error", (error) => resolve(error.message));
    response.once("end", () => resolve(statusCode < 300 ? undefined : `status ${statusCode}`));
    response.resume();
  });
  sent.end('"home"');
  void promise.then(() => clearTimeout(timer));
  return promise;
}
