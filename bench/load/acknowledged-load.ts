// A closed loop over plain sockets that counts exactly: what was sent, and what was acknowledged.
// For faults, where a lost acknowledged write must be told from a write that was in flight. It is
// no match for `wrk` in speed, and throughput is not taken from it.
//
// L1. A request counts as sent before its first byte leaves, as acknowledged after the last byte
//     of a 2xx answer has come; so `acknowledged <= the server's count <= sent` must hold.
// L2. Each connection has one request in flight. A connection that breaks stays broken.

import { connect } from "node:net";
import type { Socket } from "node:net";
import type { Subject } from "../peers/subject.ts";

const HEAD_END = "\r\n\r\n";

export interface AcknowledgedLoad {
  readonly sent: () => readonly number[];
  readonly acknowledged: () => readonly number[];
  /** Answers other than 2xx. */
  readonly refused: () => number;
  /** Sends nothing more, and settles when the last answer is there or every connection broke. */
  readonly finish: () => Promise<void>;
}

export interface LoadOptions {
  readonly connections: number;
  /** The JSON bodies, used in turn; the counts are kept for each. */
  readonly bodies: readonly string[];
}

export function startAcknowledgedLoad(
  subject: Pick<Subject, "url" | "authorization">,
  options: LoadOptions,
): AcknowledgedLoad {
  const requests = options.bodies.map((body) => requestBytes(subject, body));
  const sent = options.bodies.map(() => 0);
  const acknowledged = options.bodies.map(() => 0);
  let refused = 0;
  let turn = 0;
  let isFinishing = false;
  const { hostname, port } = new URL(subject.url);

  const runConnection = async (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    let index = 0;
    const sendNext = (): void => {
      if (isFinishing) {
        socket.end();
        return;
      }
      index = turn;
      turn = (turn + 1) % requests.length;
      sent[index] = (sent[index] ?? 0) + 1;
      socket.write(requests[index] ?? "");
    };
    socket.once("connect", sendNext);
    onAnswer(socket, (status) => {
      if (status >= 200 && status < 300) acknowledged[index] = (acknowledged[index] ?? 0) + 1;
      else refused += 1;
      sendNext();
    });
    // A broken connection is what a fault looks like from here; "close" follows and settles.
    socket.on("error", () => socket.destroy());
    socket.once("close", () => resolve());
    await promise;
  };
  const connections = Array.from({ length: options.connections }, runConnection);
  return {
    sent: () => sent,
    acknowledged: () => acknowledged,
    refused: () => refused,
    finish: async () => {
      isFinishing = true;
      await Promise.all(connections);
    },
  };
}

function requestBytes(subject: Pick<Subject, "url" | "authorization">, body: string): string {
  const { host, pathname } = new URL(subject.url);
  const lines = [
    `POST ${pathname} HTTP/1.1`,
    `Host: ${host}`,
    "Content-Type: application/json",
    `Content-Length: ${String(Buffer.byteLength(body))}`,
    ...(subject.authorization === undefined ? [] : [`Authorization: ${subject.authorization}`]),
  ];
  return lines.join("\r\n") + HEAD_END + body;
}

/** Calls back for each whole answer. Both peers and the host state the length of every answer. */
function onAnswer(socket: Socket, answered: (status: number) => void): void {
  let received = "";
  socket.setEncoding("latin1");
  socket.on("data", (chunk: string) => {
    received += chunk;
    const headEnd = received.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const length = /^content-length: *(\d+)\r?$/im.exec(received.slice(0, headEnd + 2))?.[1];
    if (length === undefined) {
      socket.destroy(new Error("an answer without content-length"));
      return;
    }
    if (received.length < headEnd + HEAD_END.length + Number(length)) return;
    const status = Number(received.slice("HTTP/1.1 ".length, "HTTP/1.1 200".length));
    received = "";
    answered(status);
  });
}
