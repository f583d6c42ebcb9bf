import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { requireRole } from "../authentication.ts";
import type { ControlPlane } from "../control-plane.ts";
import { addJsonParser } from "../json-body.ts";
import {
  Problem,
  TenantCreate,
  TenantCreated,
  TenantList,
  TenantName,
  TenantPatch,
  TenantView,
  TokenCreated,
} from "../schemas.ts";
import { toTenantView } from "../views.ts";

const params = Type.Object({ tenant: TenantName });
const schema = { tags: ["tenants"], security: [{ adminToken: [] }] };

/** The admin's routes: who may use this host, and how much. */
export function tenantRoutes(plane: ControlPlane): FastifyPluginAsyncTypebox {
  const { tenants, removal, deployments, logger } = plane;
  return async (app) => {
    requireRole(app, tenants, "admin");
    addJsonParser(app);

    app.post(
      "/v1/tenants",
      {
        schema: {
          ...schema,
          summary: "Create a tenant; the answer holds its token, this once",
          body: TenantCreate,
          response: { 201: TenantCreated, default: Problem },
        },
      },
      async (request, reply) => {
        const { tenant: tenantId, quotas } = request.body;
        await removal.clearLeftovers(tenantId);
        const { tenant, token } = await tenants.create(tenantId, quotas);
        deployments.refreshTenant(tenant);
        const tokenIds = tenant.tokens.map(({ tokenId }) => tokenId);
        logger.info({ tenantId, quotas: tenant.quotas, tokenIds }, "tenant created");
        return reply.code(201).send({ tenant: toTenantView(tenant), token });
      },
    );

    app.get(
      "/v1/tenants",
      { schema: { ...schema, summary: "List tenants", response: { 200: TenantList } } },
      async () => ({ tenants: tenants.list().map(toTenantView) }),
    );

    app.get(
      "/v1/tenants/:tenant",
      { schema: { ...schema, summary: "Show a tenant", params, response: { 200: TenantView } } },
      async (request) => toTenantView(tenants.get(request.params.tenant)),
    );

    app.patch(
      "/v1/tenants/:tenant",
      {
        schema: {
          ...schema,
          summary: "Change quotas",
          params,
          body: TenantPatch,
          response: { 200: TenantView },
        },
      },
      async (request) => {
        const { tenant: tenantId } = request.params;
        const changed = await tenants.setQuotas(tenantId, request.body.quotas);
        deployments.refreshTenant(changed);
        logger.info({ tenantId, quotas: changed.quotas }, "tenant changed");
        return toTenantView(changed);
      },
    );

    app.delete(
      "/v1/tenants/:tenant",
      { schema: { ...schema, summary: "Delete a tenant with all its data", params } },
      async (request, reply) => {
        await removal.remove(request.params.tenant);
        return reply.code(204).send();
      },
    );

    app.post(
      "/v1/tenants/:tenant/tokens",
      {
        schema: {
          ...schema,
          summary: "Add a token; the answer holds it, this once",
          params,
          response: { 201: TokenCreated },
        },
      },
      async (request, reply) => {
        const { tenant: tenantId } = request.params;
        const added = await tenants.addToken(tenantId);
        logger.info({ tenantId, tokenId: added.tokenId }, "token added");
        return reply.code(201).send(added);
      },
    );

    app.delete(
      "/v1/tenants/:tenant/tokens/:tokenId",
      {
        schema: {
          ...schema,
          summary: "Revoke a token; the next request with it is refused",
          params: Type.Object({ ...params.properties, tokenId: Type.String() }),
        },
      },
      async (request, reply) => {
        const { tenant: tenantId, tokenId } = request.params;
        await tenants.revokeToken(tenantId, tokenId);
        logger.info({ tenantId, tokenId }, "token revoked");
        return reply.code(204).send();
      },
    );
  };
}
