import type { FastifyInstance } from "fastify";
import { Compile } from "typebox/compile";
import { Type } from "typebox";
import type { TSchema } from "typebox";
import { HostError } from "../errors.ts";

/**
 * Bodies of the control plane: JSON, of which a missing or empty one reads as `{}`. Whatever keys it
 * has are plain own properties, and the schema of the route refuses those it does not know.
 */
export function addJsonParser(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    "application/json",
    { parseAs: "buffer" },
    (_request, body: Buffer, done) => {
      try {
        done(null, parseJson(body));
      } catch (error) {
        done(HostError.from(error));
      }
    },
  );
}

export function parseJson(body: Buffer): unknown {
  if (body.byteLength === 0) return {};
  try {
    return JSON.parse(body.toString());
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.slice(0, 200) : "";
    throw new HostError("JSON_MALFORMED", `the body is not JSON: ${reason}`, { cause });
  }
}

/**
 * One validator for everything that comes in: TypeBox's. Text from paths and queries is converted to
 * the types of their schema; a body is taken as it is, so that "5" is never a number.
 */
export function compileValidator({
  schema,
  httpPart,
}: {
  readonly schema: TSchema;
  readonly httpPart?: string;
}): (data: unknown) => { readonly value: unknown } | { readonly error: HostError } {
  // Compiled when the route is first called: most of them are not in the life of most hosts.
  let compiled: ReturnType<typeof Compile<TSchema>> | undefined;
  const isBody = httpPart === "body";
  return (data) => {
    compiled ??= Compile(schema);
    const validator = compiled;
    const value = isBody ? (data ?? {}) : fromText(schema, data);
    if (validator.Check(value)) return { value };
    return { error: toError(validator.Errors(value), httpPart ?? "request") };
  };
}

/** Paths and queries are text: what reads as a number or a boolean becomes one where the schema wants it. */
function fromText(schema: TSchema, data: unknown): unknown {
  if (!Type.IsObject(schema) || typeof data !== "object" || data === null) return data;
  const converted = Object.entries(data).map(([key, value]: [string, unknown]) => {
    const wanted = schema.properties[key];
    if (typeof value !== "string") return [key, value];
    if (Type.IsInteger(wanted) && /^-?\d{1,16}$/u.test(value)) return [key, Number(value)];
    if (Type.IsBoolean(wanted) && /^(?:true|false)$/u.test(value)) return [key, value === "true"];
    return [key, value];
  });
  return Object.fromEntries(converted);
}

interface Issue {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: object;
}

function toError(issues: readonly Issue[], part: string): HostError {
  // An unknown key makes two issues, and the second one names it.
  const unknown = issues.find((issue) => issue.keyword === "additionalProperties");
  const issue = unknown ?? issues[0];
  const path = issue?.instancePath ?? "";
  const keys: unknown =
    unknown === undefined ? undefined : Reflect.get(unknown.params, "additionalProperties");
  const why = Array.isArray(keys)
    ? `has an unknown key: ${keys.map(String).join(", ").slice(0, 200)}`
    : (issue?.message ?? "is invalid");
  return new HostError("REQUEST_INVALID", `${part}${path} ${why}`, {
    details: { part, path },
  });
}
