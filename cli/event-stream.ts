// Follows a stream of server-sent events until it is told to stop, across hosts that go away and come back.
//
// V1. After a break it asks again with `Last-Event-ID`: what was shown is not shown twice, if the host still has it.
// V2. It waits longer after each failure in a row, and never longer than `RECONNECT_DELAY_MAX_MS`.
// V3. Only the first connection may fail for good: a wrong token or app is an error then, and not a reason to wait.

import { setTimeout as sleep } from "node:timers/promises";
import { createParser } from "eventsource-parser";
import type { EventSourceMessage } from "eventsource-parser";
import type { ApiClient, RequestOptions } from "./api-client.ts";
import { CliError } from "./cli-error.ts";

const RECONNECT_DELAY_MIN_MS = 200;
const RECONNECT_DELAY_MAX_MS = 5_000;
/** Characters of one event that may be waiting for its end. */
const EVENT_CHARACTERS_MAX = 1_048_576;

export interface EventStreamOptions {
  readonly client: ApiClient;
  readonly path: string;
  readonly query?: RequestOptions["query"];
  readonly signal: AbortSignal;
  /** Keeps trying even where the first connection fails: for a host that is about to start. */
  readonly isPatient?: boolean;
  readonly onEvent: (event: EventSourceMessage) => void;
  readonly onConnection?: (state: "connected" | "lost") => void;
}

/** Settles when the signal aborts; rejects as V3 says. */
export async function followEvents(options: EventStreamOptions): Promise<void> {
  const { client, path, query, signal } = options;
  let lastEventId: string | undefined;
  let failures = 0;
  let hasConnected = options.isPatient === true;
  while (!signal.aborted) {
    try {
      const headers: Record<string, string> =
        lastEventId === undefined ? {} : { "last-event-id": lastEventId };
      const stream = await client.stream(
        path,
        query === undefined ? { headers } : { query, headers },
        signal,
      );
      hasConnected = true;
      failures = 0;
      options.onConnection?.("connected");
      const parser = createParser({
        maxBufferSize: EVENT_CHARACTERS_MAX,
        onEvent: (event) => {
          if (event.id !== undefined && event.id !== "") lastEventId = event.id;
          options.onEvent(event);
        },
      });
      await readInto(stream, (text) => parser.feed(text));
    } catch (cause) {
      if (signal.aborted) return;
      if (!hasConnected || isFinal(cause)) throw cause;
      failures += 1;
    }
    if (signal.aborted) return;
    options.onConnection?.("lost");
    const delayMs = Math.min(RECONNECT_DELAY_MIN_MS * 2 ** failures, RECONNECT_DELAY_MAX_MS);
    await sleep(delayMs, undefined, { signal }).catch(() => {
      // The signal aborted: the loop's condition ends it.
    });
  }
}

/** Without a stream pipeline of its own: the reader is cancelled by the fetch's signal. */
async function readInto(
  stream: ReadableStream<Uint8Array>,
  feed: (text: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) feed(decoder.decode(chunk, { stream: true }));
}

/** A host that answers "no" will go on doing so; one that is away may come back. */
function isFinal(cause: unknown): boolean {
  return (
    cause instanceof CliError &&
    (cause.exit === "unauthenticated" || cause.exit === "notFound" || cause.exit === "usage")
  );
}
