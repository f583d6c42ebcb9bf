import assert from "node:assert/strict";
import type { Principal, Tenant, TenantRegistry, TokenScope } from "@downpour/tenants";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { HostError } from "../errors.ts";
import type { ApiRates } from "./api-rates.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Undefined on routes that ask for nobody. */
    principal: Principal | undefined;
  }
}

/** Whose token the routes of a scope take. */
export type Access =
  | { readonly to: "admin" }
  /** A tenant's for itself; its requests count, where they answer on the main thread. */
  | { readonly to: "tenant"; readonly scope: TokenScope | "any"; readonly rates?: ApiRates }
  /** The admin's, or one with the scope `admin` of the tenant that the path names. */
  | { readonly to: "managers"; readonly rates: ApiRates }
  | { readonly to: "any" };

/**
 * Every route of this scope asks for a token. It is looked at before the body, so that a stranger
 * cannot make the host read anything; and again when the body is there, because a body may come so
 * slowly that meanwhile the token was revoked, its tenant suspended, or its name given to a new owner.
 */
export function requireAccess(app: FastifyInstance, tenants: TenantRegistry, access: Access): void {
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
    const refusal = refuse(principal, access, request) ?? exceed(principal, access);
    if (refusal !== undefined) {
      done(refusal);
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
    const refusal = refuse(principal, access, request);
    if (refusal !== undefined) {
      done(refusal);
      return;
    }
    request.principal = principal;
    done();
  });
}

/** Why this principal may not; from the token and the path alone, whoever else there is. */
function refuse(
  principal: Principal,
  access: Access,
  request: FastifyRequest,
): HostError | undefined {
  switch (access.to) {
    case "any":
      return undefined;
    case "admin":
      return principal.role === "admin"
        ? undefined
        : new HostError("FORBIDDEN", "this route takes the admin's token");
    case "tenant":
      return principal.role === "tenant"
        ? refuseTenant(principal, access.scope)
        : new HostError("FORBIDDEN", "this route takes a tenant's token");
    case "managers": {
      if (principal.role === "admin") return undefined;
      if (namedTenant(request) !== principal.tenant.tenantId) {
        return new HostError("FORBIDDEN", "this route takes the admin's token");
      }
      return refuseTenant(principal, "admin");
    }
    default:
      return access satisfies never;
  }
}

function refuseTenant(
  { tenant, scopes }: Extract<Principal, { readonly role: "tenant" }>,
  scope: TokenScope | "any",
): HostError | undefined {
  if (tenant.isSuspended) {
    return new HostError("TENANT_SUSPENDED", "the admin has suspended the tenant");
  }
  if (scope === "any" || scopes.includes(scope)) return undefined;
  return new HostError("FORBIDDEN", `the token has not the scope ${scope}`, {
    details: { scope, scopes },
  });
}

function exceed(principal: Principal, access: Access): HostError | undefined {
  if (principal.role === "admin" || !("rates" in access)) return undefined;
  try {
    access.rates?.take(principal.tenant);
    return undefined;
  } catch (error) {
    return HostError.from(error);
  }
}

function namedTenant({ params }: FastifyRequest): unknown {
  return typeof params === "object" && params !== null ? Reflect.get(params, "tenant") : undefined;
}

/** The tenant that sends the request; the route must be in a scope that requires one. */
export function tenantOf(request: FastifyRequest): Tenant {
  const { principal } = request;
  assert(principal?.role === "tenant");
  return principal.tenant;
}
