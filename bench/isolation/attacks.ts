// What a hostile tenant does to the host, one attack at a time. Each goes on until it is stopped, and
// says what it achieved.

import { connect } from "node:net";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { helloVariant } from "../example.ts";
import { startAcknowledgedLoad } from "../load/acknowledged-load.ts";

/** The app of the attacker, made of `guests/attacker.ts`. */
export const ATTACKER_APP = "attacker";

export interface Attacker {
  /** Of the host, without a slash at its end. */
  readonly origin: string;
  readonly authorization: string;
  /** The component of `examples/hello`, to make others from. */
  readonly hello: Uint8Array;
}

export interface Achieved {
  /** Requests that were answered with a 2xx, or connections that were held open to the end. */
  readonly done: number;
  /** Requests that were answered otherwise, or connections that the host has closed. */
  readonly refused: number;
}

export interface Attack {
  readonly name: string;
  /** Begins it; the result ends it. */
  readonly start: (attacker: Attacker) => () => Promise<Achieved>;
}

const CONNECTIONS = 64;
const SLOW_CONNECTIONS = 200;
const UPLOADS_AT_ONCE = 4;
const TRICKLE_MS = 500;

export const ATTACKS: readonly Attack[] = [
  calls("endless loop", "loop"),
  calls("endless recursion", "recurse"),
  calls("recursion without loops", "fib"),
  calls("memory bomb", "hoard"),
  calls("hot loop of reads", "read"),
  calls("hot loop of adds", "add"),
  calls("key flood", "store"),
  calls("log flood", "chatter"),
  calls("answers of 10 MB", "large"),
  calls("exceptions of 100 kB", "fail"),
  calls("invoke flood", "hello"),
  {
    name: "forged tokens",
    start: (attacker) =>
      flood(
        { ...attacker, authorization: "Bearer dp_forged_0000000000000000000000000000" },
        "hello",
      ),
  },
  { name: "upload flood", start: uploadFlood },
  { name: "slow body", start: (attacker) => hang(attacker, slowBody) },
  { name: "slow upload", start: (attacker) => hang(attacker, slowUpload) },
  { name: "slow reader", start: (attacker) => hang(attacker, slowReader) },
];

function calls(name: string, functionName: string): Attack {
  return { name, start: (attacker) => flood(attacker, functionName) };
}

/** As many calls at once as there are connections, each followed by the next. */
function flood(attacker: Attacker, functionName: string): () => Promise<Achieved> {
  const { origin, authorization } = attacker;
  const url = `${origin}/v1/invoke/${ATTACKER_APP}/${functionName}`;
  const load = startAcknowledgedLoad(
    { url, authorization },
    { connections: CONNECTIONS, bodies: ['"x"'] },
  );
  return async () => {
    await load.finish();
    return { done: load.acknowledged().reduce((sum, n) => sum + n, 0), refused: load.refused() };
  };
}

/** Components that are new to the host, one after the other: each is checked and compiled. */
function uploadFlood({ origin, authorization, hello }: Attacker): () => Promise<Achieved> {
  const stopping = new AbortController();
  let done = 0;
  let refused = 0;
  let index = 0;
  const upload = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      index += 1;
      const response = await fetch(`${origin}/v1/apps/flood-${String(index % UPLOADS_AT_ONCE)}`, {
        method: "PUT",
        headers: { authorization, "content-type": "application/wasm" },
        body: Uint8Array.from(helloVariant(hello, index).component),
      });
      await response.arrayBuffer();
      if (response.ok) done += 1;
      else refused += 1;
    }
  };
  const uploads = Array.from({ length: UPLOADS_AT_ONCE }, upload);
  return async () => {
    stopping.abort();
    await Promise.all(uploads);
    return { done, refused };
  };
}

/** Connections that the host has to end, since the attacker never does. */
function hang(
  attacker: Attacker,
  behave: (socket: Socket, attacker: Attacker, isOver: () => boolean) => Promise<void>,
): () => Promise<Achieved> {
  const stopping = new AbortController();
  let done = 0;
  let refused = 0;
  const { hostname, port } = new URL(attacker.origin);
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const socket = connect({ host: hostname, port: Number(port) });
      let isClosed = false;
      const closed = new Promise<void>((resolve) => {
        socket.once("close", () => {
          isClosed = true;
          resolve();
        });
      });
      // What the host does with the connection is what is counted.
      socket.on("error", () => socket.destroy());
      const over = (): boolean => stopping.signal.aborted || isClosed;
      await behave(socket, attacker, over);
      if (isClosed) refused += 1;
      else done += 1;
      socket.destroy();
      await closed;
    }
  };
  const connections = Array.from({ length: SLOW_CONNECTIONS }, run);
  return async () => {
    stopping.abort();
    await Promise.all(connections);
    return { done, refused };
  };
}

async function slowBody(socket: Socket, attacker: Attacker, isOver: () => boolean): Promise<void> {
  socket.write(
    head(attacker, "POST", `/v1/invoke/${ATTACKER_APP}/hello`, "application/json", 100_000),
  );
  await trickle(socket, isOver);
}

async function slowUpload(
  socket: Socket,
  attacker: Attacker,
  isOver: () => boolean,
): Promise<void> {
  socket.write(head(attacker, "PUT", "/v1/apps/slow", "application/wasm", 1_000_000));
  await trickle(socket, isOver);
}

/** Asks for large answers and never reads one. */
async function slowReader(
  socket: Socket,
  attacker: Attacker,
  isOver: () => boolean,
): Promise<void> {
  socket.pause();
  socket.write(head(attacker, "POST", `/v1/invoke/${ATTACKER_APP}/large`, "application/json", 4));
  socket.write("null");
  while (!isOver()) await delay(TRICKLE_MS);
}

async function trickle(socket: Socket, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    socket.write("x");
    await delay(TRICKLE_MS);
  }
}

function head(
  { origin, authorization }: Attacker,
  method: string,
  path: string,
  mediaType: string,
  bytes: number,
): string {
  return [
    `${method} ${path} HTTP/1.1`,
    `Host: ${new URL(origin).host}`,
    `Authorization: ${authorization}`,
    `Content-Type: ${mediaType}`,
    `Content-Length: ${String(bytes)}`,
    "\r\n",
  ].join("\r\n");
}
