import type { TenantCreated, TokenCreated, WhoAmI } from "@downpour/host/schemas";
import { ApiClient, pathPart } from "./api-client.ts";
import { CliError } from "./cli-error.ts";
import { readOwnToken, writePrivateFile } from "./local-directory.ts";
import type { LocalDirectory } from "./local-directory.ts";

/**
 * Makes sure that a host started from `.downpour/` has the tenant, and that the token is in its file.
 * The token of an earlier run is used again; where it is lost, the tenant gets a new one.
 */
export async function ensureLocalTenant(
  local: LocalDirectory,
  url: string,
  tenant: string,
): Promise<ApiClient> {
  const kept = readOwnToken(local.tokenPath);
  if (kept !== undefined) {
    const client = clientWith(url, kept, local.tokenPath);
    if ((await tenantOf(client)) === tenant) return client;
  }
  const adminToken = readOwnToken(local.adminTokenPath);
  if (adminToken === undefined) {
    throw new CliError(
      "TOKEN_MISSING",
      `the admin token of this host is not in ${local.adminTokenPath}`,
      {
        exit: "unauthenticated",
        hint: `It is written when the data directory is made. To start anew, without the state: remove ${local.path}`,
      },
    );
  }
  const token = await tokenFor(clientWith(url, adminToken, local.adminTokenPath), tenant);
  await writePrivateFile(local.tokenPath, `${token}\n`);
  return clientWith(url, token, local.tokenPath);
}

async function tokenFor(admin: ApiClient, tenant: string): Promise<string> {
  try {
    return (await admin.json<TenantCreated>("POST", "/v1/tenants", { json: { tenant } })).token;
  } catch (cause) {
    if (!(cause instanceof CliError) || cause.code !== "TENANT_EXISTS") throw cause;
    return (await admin.json<TokenCreated>("POST", `/v1/tenants/${pathPart(tenant)}/tokens`)).token;
  }
}

async function tenantOf(client: ApiClient): Promise<string | undefined> {
  try {
    return (await client.json<WhoAmI>("GET", "/v1/whoami")).tenant;
  } catch (cause) {
    // The token of a data directory that is gone: a new one is made.
    if (cause instanceof CliError && cause.exit === "unauthenticated") return undefined;
    throw cause;
  }
}

function clientWith(url: string, token: string, tokenSource: string): ApiClient {
  return new ApiClient({ url, token, urlSource: "this host", tokenSource });
}
