import type { Readable } from "node:stream";
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest, FastifySchema } from "fastify";
import { activeRevision } from "../../artifacts/app-record.ts";
import { HostError } from "../../errors.ts";
import { tenantOf } from "../authentication.ts";
import type { ControlPlane } from "../control-plane.ts";
import type { DeployResult } from "../deployments.ts";
import type { Deployment } from "../schemas.ts";

const MEDIA_TYPES = ["application/wasm", "application/octet-stream"];

interface UploadRequest {
  readonly Params: { readonly app: string };
  readonly Body: Readable;
}

/** `PUT /v1/apps/:app`: the body goes to disk while it comes in, and is never held in memory. */
export function uploadRoute(plane: ControlPlane, schema: FastifySchema): FastifyPluginAsync {
  const { deployments } = plane;
  return async (app: FastifyInstance) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(MEDIA_TYPES, (_request, body, done) => done(null, body));

    app.put<UploadRequest>(
      "/v1/apps/:app",
      {
        schema,
        // The limit depends on the tenant, and is checked below and while the body streams.
        bodyLimit: Number.MAX_SAFE_INTEGER,
        config: { accepts: MEDIA_TYPES[0] ?? "", isStreamed: true },
      },
      async (request, reply) => {
        const tenant = tenantOf(request);
        checkDeclaredLength(request, deployments.uploadBytesMax(tenant));
        // The request outlives a refusal: what the client still sends is read, and dropped.
        const body = request.body.iterator({ destroyOnReturn: false });
        const result = await deployments.deploy(tenant, request.params.app, body);
        return await reply
          .code(result.outcome === "created" ? 201 : 200)
          .send(toDeployment(result));
      },
    );
  };
}

/** Refuses before the first byte where the client says itself that it is too large. */
function checkDeclaredLength(request: FastifyRequest, bytesMax: number): void {
  const declared = request.headers["content-length"];
  if (declared === undefined || Number(declared) <= bytesMax) return;
  throw new HostError("UPLOAD_TOO_LARGE", `the component has more than ${bytesMax} bytes`, {
    details: { uploadBytesMax: bytesMax },
  });
}

function toDeployment({ outcome, record, timings }: DeployResult): Deployment {
  const active = activeRevision(record);
  return {
    app: record.app,
    revision: active.revisionId,
    outcome,
    functions: active.functions,
    imports: active.imports,
    sizes: active.sizes,
    timings,
  };
}
