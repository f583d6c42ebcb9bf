import type { FastifyServerOptions } from "fastify";

/**
 * For servers that set compilers of their own: Fastify then loads none of its own ones (a hundred files, of which
 * nothing would be used).
 */
export const noDefaultCompilers: NonNullable<FastifyServerOptions["schemaController"]> = {
  compilersFactory: { buildValidator: () => unused, buildSerializer: () => unused },
};

function unused(): never {
  throw new Error("the server has no compiler of its own");
}
