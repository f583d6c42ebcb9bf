import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { requireAccess } from "../authentication.ts";
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
} from "../schemas.ts";
import { toTenantView } from "../views.ts";

const params = Type.Object({ tenant: TenantName });
const schema = { tags: ["tenants"], security: [{ adminToken: [] }] };

/** The admin's routes: who may use this host, and how much. */
export function tenantRoutes(plane: ControlPlane): FastifyPluginAsyncTypebox {
  const { tenants, removal, deployments, logger } = plane;
  return async (app) => {
    requireAccess(app, tenants, { to: "admin" });
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
          summary: "Change quotas; suspend the tenant, or let it go on",
          params,
          body: TenantPatch,
          response: { 200: TenantView },
        },
      },
      async (request) => {
        const { tenant: tenantId } = request.params;
        const { quotas = {}, suspended } = request.body;
        const changed = await tenants.setQuotas(tenantId, quotas);
        deployments.refreshTenant(changed);
        logger.info({ tenantId, quotas: changed.quotas }, "tenant changed");
        if (suspended === undefined || suspended === changed.isSuspended) {
          return toTenantView(changed);
        }
        const view = toTenantView(await tenants.setSuspended(tenantId, suspended));
        logger.info({ tenantId }, suspended ? "tenant suspended" : "tenant resumed");
        return view;
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
  };
}
