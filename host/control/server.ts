import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import Fastify from "fastify";
import type { FastifyInstance, HTTPMethods, RouteOptions } from "fastify";
import type { HostConfig } from "../config.ts";
import { HostError } from "../errors.ts";
import { ClientWatch } from "./client-watch.ts";
import type { ControlPlane } from "./control-plane.ts";
import { compileValidator } from "./json-body.ts";
import { LingeringClose } from "./lingering-close.ts";
import { describeApi } from "./openapi.ts";
import { PROBLEM_MEDIA_TYPE, problemHandler, sendProblem, toProblem } from "./problem.ts";
import { appRoutes } from "./routes/apps.ts";
import { healthRoutes, metricsRoutes, usageRoutes, whoAmIRoutes } from "./routes/operations.ts";
import { invokeRoutes } from "./routes/invoke.ts";
import { logRoutes } from "./routes/logs.ts";
import { stateRoutes } from "./routes/state.ts";
import { tenantRoutes } from "./routes/tenants.ts";
import { tokenRoutes } from "./routes/tokens.ts";
import { noDefaultCompilers } from "./schema-compilers.ts";

/** Long enough for the largest upload over a slow line; a request must have come in by then. */
const REQUEST_TIMEOUT_MS = 300_000;
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
/** How long a client that sent no HTTP may take to read that. */
const CLIENT_ERROR_LINGER_MS = 2_000;
/** Node bounds the whole head of a request to 16 KiB; no part of a path needs a limit of its own. */
const PATH_PART_CHARS_MAX = 16_384;

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

/** Builds the HTTP surface without listening, so that tests drive it with `inject`. */
export async function buildServer(plane: ControlPlane): Promise<FastifyInstance> {
  const app = Fastify({
    // One line for each request would cost more than the request; failures are logged by the handler.
    logger: false,
    // Random: numbers in a row would tell a tenant how many requests of others came between two of its own.
    genReqId: () => randomUUID(),
    bodyLimit: plane.config.requestBodyBytesMax,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    forceCloseConnections: "idle",
    // A host that drains says so by its own code, where it matters.
    return503OnClosing: false,
    routerOptions: { maxParamLength: PATH_PART_CHARS_MAX },
    clientErrorHandler: (error, socket) => answerClientError(error, socket, randomUUID()),
    frameworkErrors: (error, request, reply) => {
      problemHandler(plane.logger)(error, request, reply);
    },
    schemaController: noDefaultCompilers,
  }).withTypeProvider<TypeBoxTypeProvider>();

  app.server.maxConnections = plane.config.connectionsMax;
  watchClients(app, plane.config);
  app.setErrorHandler(problemHandler(plane.logger));
  app.setNotFoundHandler((_request, reply) =>
    sendProblem(reply, new HostError("ROUTE_NOT_FOUND", "there is no such route")),
  );
  app.setValidatorCompiler(compileValidator);
  // Answers are made field by field (`views.ts`): their schemas are for types and the description of the API.
  app.setSerializerCompiler(() => JSON.stringify);
  app.decorateRequest("principal", undefined);

  const methodsOf = new Map<string, Set<string>>();
  const routes: RouteOptions[] = [];
  app.addHook("onRoute", (route) => {
    noteMethods(methodsOf, route);
    routes.push(route);
  });

  await app.register(invokeRoutes(plane));
  await app.register(stateRoutes(plane));
  await app.register(appRoutes(plane));
  await app.register(logRoutes(plane));
  await app.register(usageRoutes(plane));
  await app.register(tenantRoutes(plane));
  await app.register(tokenRoutes(plane));
  await app.register(whoAmIRoutes(plane));
  await app.register(healthRoutes(plane));
  await app.register(metricsRoutes(plane));
  let description: Promise<object> | undefined;
  app.get("/openapi.json", () => {
    description ??= describeApi(plane.version, routes);
    return description;
  });
  refuseOtherMethods(app, methodsOf);
  return app;
}

function watchClients(app: FastifyInstance, config: HostConfig): void {
  const watch = new ClientWatch(config);
  watch.attach(app.server);
  app.addHook("onRequest", (request, _reply, done) => {
    // An upload streams, and has the time of a whole request.
    if (!request.raw.complete && request.routeOptions.config.isStreamed !== true) {
      watch.beginBody(request);
    }
    done();
  });
  app.addHook("preHandler", (request, _reply, done) => {
    watch.endBody(request);
    done();
  });
  // Also of those that are refused before their handler: what is still to come is read, and dropped.
  app.addHook("onResponse", (request, _reply, done) => {
    if (request.raw.complete) {
      watch.endBody(request);
    } else {
      watch.beginBody(request);
      request.raw.once("close", () => watch.endBody(request));
    }
    done();
  });
  const lingering = new LingeringClose();
  app.addHook("onSend", (request, reply, payload, done) => {
    const answer = lingering.followed(request, reply, payload);
    // What is still to come is no body that anyone waits for.
    if (answer !== payload) watch.endBody(request);
    done(null, answer);
  });
  app.addHook("onRequestAbort", (request, done) => {
    watch.endBody(request);
    done();
  });
}

function noteMethods(methodsOf: Map<string, Set<string>>, { url, method }: RouteOptions): void {
  const methods = methodsOf.get(url) ?? new Set();
  methodsOf.set(url, methods);
  for (const one of [method].flat()) methods.add(one);
}

/** A path that exists, asked in another way, is 405 with what it allows, and not 404. */
function refuseOtherMethods(
  app: FastifyInstance,
  methodsOf: ReadonlyMap<string, ReadonlySet<string>>,
): void {
  // Copied first: registering these routes is noted as well.
  const routes = Array.from(methodsOf, ([url, methods]) => ({ url, methods: [...methods] }));
  for (const { url, methods } of routes) {
    const others: HTTPMethods[] = METHODS.filter((method) => !methods.includes(method));
    if (others.length === 0) continue;
    const allow = methods.join(", ");
    app.route({
      method: others,
      url,
      // Before any body: what it is does not matter.
      onRequest: (_request, reply, done) => {
        void reply.header("allow", allow);
        done(new HostError("METHOD_NOT_ALLOWED", `this path takes ${allow}`));
      },
      handler: () => undefined,
    });
  }
}

/** What is not even HTTP, or too large a head: there is no request to answer, only a socket. */
function answerClientError(
  error: Error & { readonly code?: string },
  socket: Socket,
  requestId: string,
): void {
  // What an answer under way is followed by would be read as a part of it, or as the answer to another request.
  if (error.code === "ECONNRESET" || !socket.writable || isAnswering(socket)) {
    socket.destroy();
    return;
  }
  const message =
    error.code === "HPE_HEADER_OVERFLOW"
      ? "the head of the request is larger than 16 KiB"
      : "the request is not HTTP/1.1, or came too slowly";
  const problem = toProblem(new HostError("REQUEST_INVALID", message), requestId);
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} Bad Request`,
    `Content-Type: ${PROBLEM_MEDIA_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
  // A client that never closes its side would keep the connection for good.
  const timer = setTimeout(() => socket.destroy(), CLIENT_ERROR_LINGER_MS).unref();
  socket.once("close", () => clearTimeout(timer));
}

/** Whether a request of this connection has no whole answer yet. Node keeps that here, and has no other name for it. */
function isAnswering(socket: Socket): boolean {
  const answer: unknown = Reflect.get(socket, "_httpMessage");
  return answer !== null && answer !== undefined;
}
