import type { FastifyReply, FastifyRequest } from "fastify";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Static } from "typebox";
import { Check } from "typebox/value";
import { HostError } from "../../errors.ts";
import { STATE_KEY_BYTES_MAX, tenantPrefix } from "../../state-keys.ts";
import { requireAccess, tenantOf } from "../authentication.ts";
import type { ControlPlane } from "../control-plane.ts";
import { parseJson } from "../json-body.ts";
import { CounterAdd, HEADERS, StateList, StateListQuery, StatePutQuery } from "../schemas.ts";
import type { CounterValue } from "../schemas.ts";

/** A page of so many counts as one more request; a longer one as several. */
const KEYS_DEFAULT = 100;
const COUNTER_BODY_BYTES_MAX = 1_024;

const schema = { tags: ["state"], security: [{ tenantToken: [] }] };
/** The key is the rest of the path, percent-decoded: any characters, slashes too. */
interface KeyParams {
  readonly Params: { readonly "*": string };
}

/** A tenant's own state from outside. Writes are durable when they are answered. */
export function stateRoutes(plane: ControlPlane): FastifyPluginAsyncTypebox {
  const { tenants, state, config, rates, writes } = plane;
  return async (app) => {
    requireAccess(app, tenants, { to: "tenant", scope: "state", rates });
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => {
      done(null, body);
    });

    app.get(
      "/v1/state",
      {
        schema: {
          ...schema,
          summary: "List keys by prefix, in byte order",
          querystring: StateListQuery,
          response: { 200: StateList },
        },
      },
      async (request) => {
        const tenant = tenantOf(request);
        const own = tenantPrefix(tenant.tenantId);
        const { prefix = "", after, limit = KEYS_DEFAULT } = request.query;
        rates.take(tenant, Math.floor(limit / KEYS_DEFAULT));
        checkKeyBytes(prefix);
        const page = state.list(own + prefix, after === undefined ? undefined : own + after, limit);
        return {
          entries: page.entries.map(({ key, kind }) => ({ key: key.slice(own.length), kind })),
          ...(page.next !== undefined && { next: page.next.slice(own.length) }),
        };
      },
    );

    app.get<KeyParams>(
      "/v1/state/*",
      { schema: { ...schema, summary: "Read a register (its bytes) or a counter (JSON)" } },
      async (request, reply) => {
        const value = state.read(storeKey(request));
        if (value === undefined) throw new HostError("STATE_KEY_NOT_FOUND", "there is no such key");
        void reply.header(HEADERS.stateKind, value.kind);
        if (value.kind === "counter") return sendCounter(reply, value.value);
        return reply.type("application/octet-stream").send(Buffer.from(value.value));
      },
    );

    app.put<KeyParams & { Querystring: Static<typeof StatePutQuery> }>(
      "/v1/state/*",
      {
        bodyLimit: Math.max(config.stateValueBytesMax, COUNTER_BODY_BYTES_MAX),
        config: { tooLarge: "STATE_VALUE_TOO_LARGE" },
        schema: {
          ...schema,
          summary: 'Write a register (its bytes), or with `kind=counter` add: `{"add": 1}`',
          querystring: StatePutQuery,
        },
      },
      async (request, reply) => {
        const key = storeKey(request);
        const { tenantId, quotas } = tenantOf(request);
        const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
        if (request.query.kind === "counter") {
          const mutation = { kind: "add", delta: toDelta(body) } as const;
          const { counter = 0n } = await writes.run(tenantId, body.byteLength, () =>
            state.write(key, mutation, "durable"),
          );
          void reply.header(HEADERS.stateKind, "counter");
          return sendCounter(reply, counter);
        }
        checkValueBytes(body, quotas.stateValueBytesMax);
        await writes.run(tenantId, body.byteLength, () =>
          state.write(key, { kind: "put", value: body }, "durable"),
        );
        return reply.code(204).send();
      },
    );

    app.delete<KeyParams>(
      "/v1/state/*",
      { schema: { ...schema, summary: "Remove a key; also where there is none" } },
      async (request, reply) => {
        const key = storeKey(request);
        await writes.run(tenantOf(request).tenantId, 0, () =>
          state.write(key, { kind: "delete" }, "durable"),
        );
        return reply.code(204).send();
      },
    );
  };
}

/** The tenant's prefix is added here, to every key that a request names. */
function storeKey(request: FastifyRequest<KeyParams>): string {
  const key = request.params["*"];
  if (key === "") throw new HostError("STATE_KEY_INVALID", "a key must not be empty");
  checkKeyBytes(key);
  return tenantPrefix(tenantOf(request).tenantId) + key;
}

function checkKeyBytes(key: string): void {
  const bytes = Buffer.byteLength(key);
  if (bytes <= STATE_KEY_BYTES_MAX) return;
  throw new HostError(
    "STATE_KEY_INVALID",
    `the key has ${bytes} bytes; the limit is ${STATE_KEY_BYTES_MAX}`,
    { details: { keyBytesMax: STATE_KEY_BYTES_MAX } },
  );
}

function checkValueBytes(value: Buffer, bytesMax: number): void {
  if (value.byteLength <= bytesMax) return;
  throw new HostError(
    "STATE_VALUE_TOO_LARGE",
    `the value has ${value.byteLength} bytes; the limit is ${bytesMax}`,
    { details: { bytesMax } },
  );
}

function toDelta(body: Buffer): bigint {
  if (body.byteLength <= COUNTER_BODY_BYTES_MAX) {
    const parsed = parseJson(body);
    if (Check(CounterAdd, parsed)) return BigInt(parsed.add);
  }
  throw new HostError("REQUEST_INVALID", 'the body is `{"add": n}`, with a whole number');
}

/** Counters stay within the integers that a JSON number carries exactly. */
function sendCounter(reply: FastifyReply, value: bigint): FastifyReply {
  const body: CounterValue = { value: Number(value) };
  return reply.type("application/json").send(JSON.stringify(body));
}
