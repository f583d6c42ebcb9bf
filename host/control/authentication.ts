import assert from "node:assert/strict";
import type { Principal, Tenant, TenantRegistry } from "@downpour/tenants";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { HostError } from "../errors.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Undefined on routes that ask for nobody. */
    principal: Principal | undefined;
  }
}

type Role = Principal["role"] | "any";

/**
 * Every route of this scope asks for a token of the role. It is looked at before the body, so that
 * a stranger cannot make the host read anything; and again when the body is there, because a body
 * may come so slowly that meanwhile the token was revoked, or its tenant's name has a new owner.
 */
export function requireRole(app: FastifyInstance, tenants: TenantRegistry, role: Role): void {
  app.addHook("onRequest", (request, _reply, done) => {
    const { authorization } = request.headers;
    if (authorization === undefined) {
      done(new HostError("UNAUTHENTICATED", "the request has no header `Authorization: Bearer …`"));
      return;
    }
    const principal = tenants.authenticate(authorization);
    if (principal === undefined) {
      done(new HostError("UNAUTHENTICATED", "the token is not one of this host"));
      return;
    }
    if (role !== "any" && principal.role !== role) {
      done(new HostError("FORBIDDEN", `this route takes ${TOKENS[role]}`));
      return;
    }
    request.principal = principal;
    done();
  });
  app.addHook("preHandler", (request, _reply, done) => {
    const principal = tenants.authenticate(request.headers.authorization ?? "");
    if (principal === undefined) {
      done(new HostError("UNAUTHENTICATED", "the token became void during the request"));
      return;
    }
    request.principal = principal;
    done();
  });
}

const TOKENS = { admin: "the admin's token", tenant: "a tenant's token" } as const;

/** The tenant that sends the request; the route must be in a scope that requires one. */
export function tenantOf(request: FastifyRequest): Tenant {
  const { principal } = request;
  assert(principal?.role === "tenant");
  return principal.tenant;
}
