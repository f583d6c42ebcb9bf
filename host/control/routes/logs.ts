import type { FastifyReply, FastifyRequest } from "fastify";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import type { KeptEntry } from "../../telemetry/function-logs.ts";
import { requireAccess, tenantOf } from "../authentication.ts";
import type { ControlPlane } from "../control-plane.ts";
import { AppName, LogPage, LogsQuery } from "../schemas.ts";
import type { LogNotice } from "../schemas.ts";
import { toLogEntryView } from "../views.ts";

const ENTRIES_DEFAULT = 1_000;
/** What may wait in memory for one follower before it counts as too slow. */
const FOLLOWER_BUFFER_BYTES_MAX = 1_048_576;
/** A silent stream says that it lives: proxies close connections that they take for dead. */
const HEARTBEAT_MS = 15_000;
/** How long a follower may take to read why its stream ends. */
const NOTICE_LINGER_MS = 2_000;

const NOTICES: Readonly<Record<LogNotice["reason"], string>> = {
  "entries-dropped": "entries before this point are no longer kept",
  "follower-too-slow": "entries came faster than this client read them; reconnect to go on",
  "app-deleted": "the app was deleted",
  "token-revoked": "the token that this stream was opened with is not valid any more",
  "host-draining": "the host is shutting down",
};

/** What functions wrote, newest entries of one app; with `follow=true` as server-sent events. */
export function logRoutes(plane: ControlPlane): FastifyPluginAsyncTypebox {
  const { tenants, apps, logs, rates } = plane;
  return async (app) => {
    requireAccess(app, tenants, { to: "tenant", scope: "deploy", rates });
    app.get(
      "/v1/apps/:app/logs",
      {
        schema: {
          tags: ["logs"],
          security: [{ tenantToken: [] }],
          summary: "Read the log of an app, or follow it (server-sent events)",
          params: Type.Object({ app: AppName }),
          querystring: LogsQuery,
          response: { 200: LogPage },
        },
      },
      async (request, reply) => {
        const { tenantId } = tenantOf(request);
        const { app: name } = request.params;
        const { since, limit = ENTRIES_DEFAULT, follow = false } = request.query;
        apps.get(tenantId, name);
        const range = { since: since ?? lastEventId(request) ?? 0, limit };
        if (!follow) {
          const { entries, dropped } = logs.read(tenantId, name, range);
          return { entries: entries.map(toLogEntryView), dropped };
        }
        const { authorization = "" } = request.headers;
        followLog(plane, { authorization, tenantId, app: name, range, reply });
        return reply;
      },
    );
  };
}

function followLog(
  { logs, tenants }: ControlPlane,
  stream: {
    readonly authorization: string;
    readonly tenantId: string;
    readonly app: string;
    readonly range: { readonly since: number; readonly limit: number };
    readonly reply: FastifyReply;
  },
): void {
  const { authorization, tenantId, app, range, reply } = stream;
  const { raw } = reply;
  const stop = (): void => {
    clearInterval(heartbeat);
    unwatch();
    leave();
  };
  const end = (reason: LogNotice["reason"]): void => {
    stop();
    raw.end(notice(reason));
    // Who does not read would keep the connection, and what waits for it, for good.
    const timer = setTimeout(() => raw.destroy(), NOTICE_LINGER_MS).unref();
    raw.once("finish", () => clearTimeout(timer));
  };
  // Refuses here, while the answer can still be a problem document.
  const leave = logs.follow(tenantId, app, {
    onEntries: (entries) => {
      raw.write(entries.map(event).join(""));
      if (raw.writableLength > FOLLOWER_BUFFER_BYTES_MAX) end("follower-too-slow");
    },
    onEnd: end,
  });
  const unwatch = tenants.watch(authorization, () => end("token-revoked"));
  reply.hijack();
  raw.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    // Proxies that buffer answers would hold entries back.
    "x-accel-buffering": "no",
  });
  const heartbeat = setInterval(() => raw.write(":\n\n"), HEARTBEAT_MS).unref();
  raw.on("error", () => undefined).once("close", stop);
  const { entries, dropped } = logs.read(tenantId, app, range);
  raw.write(`${dropped ? notice("entries-dropped") : ":\n\n"}${entries.map(event).join("")}`);
}

function event(kept: KeptEntry): string {
  // JSON has no line break outside of its escapes: a message cannot end its event.
  return `id: ${kept.seq}\nevent: log\ndata: ${JSON.stringify(toLogEntryView(kept))}\n\n`;
}

function notice(reason: LogNotice["reason"]): string {
  const body: LogNotice = { reason, message: NOTICES[reason] };
  return `event: notice\ndata: ${JSON.stringify(body)}\n\n`;
}

/** Where a client that lost its connection left off. */
function lastEventId(request: FastifyRequest): number | undefined {
  const header = request.headers["last-event-id"];
  const seq = typeof header === "string" && header !== "" ? Number(header) : Number.NaN;
  return Number.isSafeInteger(seq) && seq >= 0 ? seq : undefined;
}
