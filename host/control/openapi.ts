import type { SwaggerTransform } from "@fastify/swagger";
import Fastify from "fastify";
import type { RouteOptions } from "fastify";
import { Type } from "typebox";
import type { TSchema } from "typebox";
import { noDefaultCompilers } from "./schema-compilers.ts";
import { CounterAdd, HEADERS } from "./schemas.ts";

// The description of the API for machines. Routes give it their schemas; what they must not validate
// (bytes, the rest of a path) is described here.

const anyBytes = (mediaType: string): object => ({
  consumes: [mediaType],
  body: Type.Unsafe({ type: "string", format: "binary" }),
});

const invokeHeaders = Type.Object({
  [HEADERS.deadlineMs]: Type.Optional(
    Type.Integer({
      minimum: 1,
      description: "The caller's own limit; the app's deadline caps it.",
    }),
  ),
  [HEADERS.idempotencyKey]: Type.Optional(
    Type.String({ minLength: 1, maxLength: 255, description: "Handed to the function." }),
  ),
});

const key: TSchema = Type.Object({
  key: Type.String({ description: "UTF-8, 1 to 512 bytes, percent-encoded; slashes may stay." }),
});

/**
 * The OpenAPI document of these routes. Made by a server of its own that nobody calls, when it is first asked for:
 * what makes it takes as long to load as a quarter of the host.
 */
export async function describeApi(
  version: string,
  routes: readonly RouteOptions[],
): Promise<object> {
  const { default: fastifySwagger } = await import("@fastify/swagger");
  await using app = Fastify({ schemaController: noDefaultCompilers });
  app.setValidatorCompiler(() => () => true).setSerializerCompiler(() => () => "");
  await app.register(fastifySwagger, {
    openapi: describeDocument(version),
    hideUntagged: true,
    transform: describeRoute,
  });
  for (const { method, url, schema } of routes) {
    if (method === "HEAD" || schema === undefined) continue;
    app.route({ method, url, schema, exposeHeadRoute: false, handler: () => undefined });
  }
  await app.ready();
  return app.swagger();
}

function describeDocument(version: string): object {
  const token = { type: "http", scheme: "bearer" };
  return {
    openapi: "3.1.0",
    info: {
      title: "Downpour",
      version,
      description:
        "Failures are RFC 9457 problem documents (`application/problem+json`) with a stable `code`.",
    },
    components: {
      securitySchemes: {
        tenantToken: { ...token, description: "A tenant's token, `dp_…`." },
        adminToken: { ...token, description: "The admin's token, `dpadmin_…`." },
      },
    },
  };
}

/** Adds to a route's own schema what it takes as bytes. */
const describeRoute: SwaggerTransform = ({ url, schema, route }) => {
  const isPut = [route.method].flat().includes("PUT");
  switch (url) {
    case "/v1/invoke/:app/:function":
      return {
        url,
        schema: {
          ...schema,
          params: Type.Object({ app: Type.String(), function: Type.String() }),
          headers: invokeHeaders,
          consumes: ["application/json", "application/octet-stream"],
          body: Type.Unknown({ description: "The function's input, in any media type." }),
        },
      };
    case "/v1/apps/:app":
      return { url, schema: isPut ? { ...schema, ...anyBytes("application/wasm") } : schema };
    case "/v1/state/*":
      return {
        url: "/v1/state/:key",
        schema: {
          ...schema,
          params: key,
          ...(isPut && {
            consumes: ["application/octet-stream", "application/json"],
            body: Type.Union([Type.Unsafe({ type: "string", format: "binary" }), CounterAdd]),
          }),
        },
      };
    default:
      return { url, schema };
  }
};
