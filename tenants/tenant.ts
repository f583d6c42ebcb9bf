import { randomUUID } from "node:crypto";
import { TenantError } from "./errors.ts";
import { toQuotas } from "./quotas.ts";
import type { Quotas } from "./quotas.ts";
import { isTokenScope, TOKEN_SCOPES } from "./token.ts";
import type { TokenRecord } from "./token.ts";

/** One tenant, immutable: a change makes a new one. This is also the form in which it is stored. */
export interface Tenant {
  readonly tenantId: string;
  /** Another one for each tenant that ever has the name: a later owner of a name is somebody else. */
  readonly incarnationId: string;
  readonly quotas: Quotas;
  readonly tokens: readonly TokenRecord[];
  readonly createdAtMs: number;
  /** Its tokens are refused and its data is being removed; survives a crash in between. */
  readonly isDeleting: boolean;
  /** Its tokens are genuine, and refused for as long as the admin wants; nothing of it is removed. */
  readonly isSuspended: boolean;
}

/** Where tenants are kept. Each call settles when it is durable. */
export interface TenantRecords {
  loadAll(): Promise<readonly unknown[]>;
  save(tenant: Tenant): Promise<void>;
  remove(tenantId: string): Promise<void>;
}

const TENANT_ID = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/u;
const SHA256 = /^[0-9a-f]{64}$/u;

/**
 * Checks what the store gave back: a record that is not one stops the start, and is not guessed at.
 * Quotas that an earlier host did not know are those of a new tenant.
 */
export function parseTenant(record: unknown, quotasDefault: Quotas): Tenant {
  const {
    tenantId,
    incarnationId,
    quotas,
    tokens,
    createdAtMs,
    isDeleting,
    isSuspended = false,
  } = fields(record);
  if (typeof tenantId !== "string" || !TENANT_ID.test(tenantId)) throw invalid("tenantId");
  // Records of earlier hosts have none. It is compared within one process only, so that a new one will do.
  const incarnation = incarnationId ?? randomUUID();
  if (typeof incarnation !== "string") throw invalid("incarnationId");
  if (typeof createdAtMs !== "number") throw invalid("createdAtMs");
  if (typeof isDeleting !== "boolean") throw invalid("isDeleting");
  if (typeof isSuspended !== "boolean") throw invalid("isSuspended");
  if (!Array.isArray(tokens)) throw invalid("tokens");
  return {
    tenantId,
    incarnationId: incarnation,
    quotas: parseQuotas(quotas, quotasDefault),
    tokens: tokens.map(parseToken),
    createdAtMs,
    isDeleting,
    isSuspended,
  };
}

function parseQuotas(record: unknown, quotasDefault: Quotas): Quotas {
  const found = fields(record);
  return toQuotas((name) => {
    const value = found[name] ?? quotasDefault[name];
    if (typeof value !== "number" || !Number.isSafeInteger(value)) throw invalid(`quotas.${name}`);
    return value;
  });
}

function parseToken(token: unknown): TokenRecord {
  // Tokens of earlier hosts are good for everything.
  const { tokenId, sha256, createdAtMs, scopes = TOKEN_SCOPES } = fields(token);
  if (typeof tokenId !== "string") throw invalid("tokens.tokenId");
  if (typeof sha256 !== "string" || !SHA256.test(sha256)) throw invalid("tokens.sha256");
  if (typeof createdAtMs !== "number") throw invalid("tokens.createdAtMs");
  if (!Array.isArray(scopes) || !scopes.every(isTokenScope)) throw invalid("tokens.scopes");
  return { tokenId, sha256, createdAtMs, scopes };
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw invalid("the record");
  return Object.fromEntries(Object.entries(value));
}

function invalid(what: string): TenantError {
  return new TenantError("record-invalid", `a stored tenant is damaged: ${what}`);
}
