import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import type { AppRecord } from "../../artifacts/app-record.ts";
import { requireAccess, tenantOf } from "../authentication.ts";
import type { ControlPlane } from "../control-plane.ts";
import { addJsonParser } from "../json-body.ts";
import {
  AppConfigPatch,
  AppList,
  AppName,
  AppView,
  Deployment,
  RollbackRequest,
} from "../schemas.ts";
import { toAppSummary, toAppView } from "../views.ts";
import { uploadRoute } from "./upload.ts";

const params = Type.Object({ app: AppName });
const schema = { tags: ["apps"], security: [{ tenantToken: [] }] };

/** A tenant's own apps. */
export function appRoutes(plane: ControlPlane): FastifyPluginAsyncTypebox {
  const { tenants, apps, deployments, loads, rates } = plane;
  const view = (record: AppRecord): AppView =>
    toAppView(
      record,
      deployments.effectiveConfig(record),
      loads.loadOf(record.tenantId, record.app),
    );

  return async (app) => {
    requireAccess(app, tenants, { to: "tenant", scope: "deploy", rates });
    addJsonParser(app);

    app.get(
      "/v1/apps",
      { schema: { ...schema, summary: "List apps", response: { 200: AppList } } },
      async (request) => ({ apps: apps.list(tenantOf(request).tenantId).map(toAppSummary) }),
    );

    app.get(
      "/v1/apps/:app",
      { schema: { ...schema, summary: "Show an app", params, response: { 200: AppView } } },
      async (request) => view(apps.get(tenantOf(request).tenantId, request.params.app)),
    );

    app.patch(
      "/v1/apps/:app",
      {
        schema: {
          ...schema,
          summary: "Change limits and environment; null goes back to the default",
          params,
          body: AppConfigPatch,
          response: { 200: AppView },
        },
      },
      async (request) => {
        const { tenantId } = tenantOf(request);
        return view(await deployments.configure(tenantId, request.params.app, request.body));
      },
    );

    app.delete(
      "/v1/apps/:app",
      { schema: { ...schema, summary: "Delete an app; its state stays the tenant's", params } },
      async (request, reply) => {
        await deployments.remove(tenantOf(request).tenantId, request.params.app);
        return reply.code(204).send();
      },
    );

    app.post(
      "/v1/apps/:app/rollback",
      {
        schema: {
          ...schema,
          summary: "Make an earlier revision active: the one named, or the one before the active",
          params,
          body: RollbackRequest,
          response: { 200: AppView },
        },
      },
      async (request) => {
        const { tenantId } = tenantOf(request);
        const { revision } = request.body;
        return view(await deployments.rollback(tenantId, request.params.app, revision));
      },
    );

    await app.register(
      uploadRoute(plane, {
        ...schema,
        summary: "Upload a component and make it the active revision",
        consumes: ["application/wasm"],
        params,
        response: { 200: Deployment, 201: Deployment },
      }),
    );
  };
}
