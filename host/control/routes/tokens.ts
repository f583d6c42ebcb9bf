import { Readable } from "node:stream";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { requireAccess } from "../authentication.ts";
import type { ControlPlane } from "../control-plane.ts";
import { addJsonParser } from "../json-body.ts";
import { TenantName, TokenCreate, TokenCreated, TokenList } from "../schemas.ts";
import { exportTenant } from "../tenant-export.ts";
import { toTokenView } from "../views.ts";

const params = Type.Object({ tenant: TenantName });
const tokenParams = Type.Object({ ...params.properties, tokenId: Type.String() });
const schema = { tags: ["tenants"], security: [{ adminToken: [] }, { tenantToken: [] }] };

/** What the admin does for a tenant, and a tenant for itself with a token of the scope `admin`. */
export function tokenRoutes(plane: ControlPlane): FastifyPluginAsyncTypebox {
  const { tenants, logger, rates } = plane;
  return async (app) => {
    requireAccess(app, tenants, { to: "managers", rates });
    addJsonParser(app);

    app.get(
      "/v1/tenants/:tenant/tokens",
      {
        schema: {
          ...schema,
          summary: "List the tokens of a tenant, without their secrets",
          params,
          response: { 200: TokenList },
        },
      },
      async (request) => ({
        tokens: tenants.get(request.params.tenant).tokens.map(toTokenView),
      }),
    );

    app.post(
      "/v1/tenants/:tenant/tokens",
      {
        schema: {
          ...schema,
          summary: "Add a token; the answer holds it, this once",
          params,
          body: TokenCreate,
          response: { 201: TokenCreated },
        },
      },
      async (request, reply) => {
        const { tenant: tenantId } = request.params;
        const { tokenId, scopes, token } = await tenants.addToken(tenantId, request.body.scopes);
        logger.info({ tenantId, tokenId, scopes }, "token added");
        return reply.code(201).send({ tokenId, scopes: [...scopes], token });
      },
    );

    app.post(
      "/v1/tenants/:tenant/tokens/:tokenId/rotate",
      {
        schema: {
          ...schema,
          summary: "Put another token with the same scopes in the place of one",
          params: tokenParams,
          response: { 201: TokenCreated },
        },
      },
      async (request, reply) => {
        const { tenant: tenantId, tokenId: oldTokenId } = request.params;
        const { tokenId, scopes, token } = await tenants.rotateToken(tenantId, oldTokenId);
        logger.info({ tenantId, tokenId, oldTokenId }, "token rotated");
        return reply.code(201).send({ tokenId, scopes: [...scopes], token });
      },
    );

    app.delete(
      "/v1/tenants/:tenant/tokens/:tokenId",
      {
        schema: {
          ...schema,
          summary: "Revoke a token; the next request with it is refused",
          params: tokenParams,
        },
      },
      async (request, reply) => {
        const { tenant: tenantId, tokenId } = request.params;
        await tenants.revokeToken(tenantId, tokenId);
        logger.info({ tenantId, tokenId }, "token revoked");
        return reply.code(204).send();
      },
    );

    app.get(
      "/v1/tenants/:tenant/export",
      {
        schema: {
          ...schema,
          summary: "Everything that is the tenant's, but tokens and components: lines of JSON",
          params,
        },
      },
      async (request, reply) => {
        const lines = exportTenant(tenants.get(request.params.tenant), plane);
        return reply.type("application/x-ndjson").send(Readable.from(lines));
      },
    );
  };
}
