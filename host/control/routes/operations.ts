import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { addUsage, noUsage } from "@downpour/tenants";
import { HostError } from "../../errors.ts";
import { tenantPrefix } from "../../state-keys.ts";
import { requireAccess, tenantOf } from "../authentication.ts";
import type { ControlPlane } from "../control-plane.ts";
import { AppName, AppUsage, Health, Readiness, Usage, WhoAmI } from "../schemas.ts";
import { DELETED_APPS } from "../state-records.ts";
import { toFunctionUsage, toLargest, toUsageTotals } from "../views.ts";

/** What a tenant used. */
export function usageRoutes({
  tenants,
  apps,
  deployments,
  state,
  usage,
  loads,
  rates,
}: ControlPlane): FastifyPluginAsyncTypebox {
  return async (app) => {
    requireAccess(app, tenants, { to: "tenant", scope: "any", rates });
    app.get(
      "/v1/usage",
      {
        schema: {
          tags: ["usage"],
          security: [{ tenantToken: [] }],
          summary: "What the tenant used, by app, what it may use, and what it has under way",
          response: { 200: Usage },
        },
      },
      async (request) => {
        const { tenantId, quotas } = tenantOf(request);
        const used = await usage.of(tenantId);
        const stored = state.spaceUse(tenantPrefix(tenantId));
        const records = apps.list(tenantId);
        const held = loads.instances().get(tenantId);
        const byApp = [...used].toSorted(([a], [b]) => (a < b ? -1 : 1));
        const total = byApp.reduce((sum, [, counts]) => addUsage(sum, counts), noUsage());
        return {
          tenant: tenantId,
          total: toUsageTotals(total),
          apps: byApp
            .filter(([name]) => name !== DELETED_APPS)
            .map(([name, counts]) => ({ app: name, ...toUsageTotals(counts) })),
          deleted: toUsageTotals(used.get(DELETED_APPS) ?? noUsage()),
          quotas,
          load: { ...loads.loadOf(tenantId), uploads: deployments.uploadsOf(tenantId) },
          held: { instances: held?.instances ?? 0, memoryBytes: held?.memoryBytes ?? 0 },
          stored: {
            apps: records.length,
            revisions: apps.revisionCount(tenantId),
            stateKeys: stored.keys,
            stateBytes: stored.bytes,
          },
          largest: toLargest(records),
        };
      },
    );

    app.get(
      "/v1/usage/:app",
      {
        schema: {
          tags: ["usage"],
          security: [{ tenantToken: [] }],
          summary: "What an app used, by function",
          params: Type.Object({ app: AppName }),
          response: { 200: AppUsage },
        },
      },
      async (request) => {
        const { tenantId } = tenantOf(request);
        const { app: name } = request.params;
        const counts = (await usage.of(tenantId, name)).get(name);
        if (counts === undefined && apps.find(tenantId, name) === undefined) {
          throw new HostError("APP_NOT_FOUND", "nothing was counted of an app of this name", {
            details: { app: name },
          });
        }
        return {
          app: name,
          ...toUsageTotals(counts ?? noUsage()),
          functions: toFunctionUsage(await usage.functionsOf(tenantId, name)),
        };
      },
    );
  };
}

/** Who a token stands for: how a client checks that it has the right one. */
export function whoAmIRoutes({ tenants }: ControlPlane): FastifyPluginAsyncTypebox {
  return async (app) => {
    requireAccess(app, tenants, { to: "any" });
    app.get(
      "/v1/whoami",
      {
        schema: {
          tags: ["tenants"],
          security: [{ tenantToken: [] }, { adminToken: [] }],
          summary: "Who the bearer of the token is",
          response: { 200: WhoAmI },
        },
      },
      async ({ principal }) =>
        principal?.role === "tenant"
          ? { role: "tenant" as const, tenant: principal.tenant.tenantId }
          : { role: "admin" as const },
    );
  };
}

/**
 * For whoever runs the host: no token needed, and nothing about tenants in it. What is under way is
 * the admin's to know: a tenant that takes off its own would know what others do.
 */
export function healthRoutes(plane: ControlPlane): FastifyPluginAsyncTypebox {
  const { version, readiness, tenants } = plane;
  return async (app) => {
    app.get(
      "/healthz",
      { schema: { tags: ["host"], summary: "The process answers", response: { 200: Health } } },
      async () => ({
        status: "ok" as const,
        version,
        uptimeMs: Math.round(process.uptime() * 1_000),
      }),
    );

    app.get(
      "/readyz",
      {
        schema: {
          tags: ["host"],
          summary: "Invocations are taken; 503 while the host drains, or has no executor",
          response: { 200: Readiness, 503: Readiness },
        },
      },
      async ({ headers: { authorization = "" } }, reply) => {
        const { status, executors, ...load } = readiness();
        const isAdmin = tenants.authenticate(authorization)?.role === "admin";
        return reply
          .code(status === "ready" ? 200 : 503)
          .send({ status, executors, ...(isAdmin && load) });
      },
    );
  };
}

/** Prometheus' text form. It names tenants and apps: the admin's, unless the configuration opens it. */
export function metricsRoutes(plane: ControlPlane): FastifyPluginAsyncTypebox {
  const { tenants, metrics, config } = plane;
  return async (app) => {
    if (!config.metricsOpen) requireAccess(app, tenants, { to: "admin" });
    app.get(
      "/metrics",
      { schema: { tags: ["host"], summary: "Metrics", security: [{ adminToken: [] }] } },
      async (_request, reply) =>
        reply.header("content-type", metrics.contentType).send(await metrics.render()),
    );
  };
}
