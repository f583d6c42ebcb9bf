import { hash, randomBytes, timingSafeEqual } from "node:crypto";

// Bearer tokens: `dp_<tenant>_<secret>` for a tenant, `dpadmin_<secret>` for the operator.
//
// T1. A secret is 256 random bits. Such a token cannot be guessed or found in a dictionary, so one
//     round of SHA-256 hides it as well as a slow password hash would, at a thousandth of the time.
// T2. Only the hash is kept. The token itself leaves this file once, to whoever asked for it.
// T3. One hash is compared for each token, in constant time, whether its owner exists or not, and however many
//     tokens that has: the time tells neither.

const SECRET_BYTES = 32;
/** Of its hash: enough to tell the tokens of one owner apart. */
const ID_BYTES = 6;
const TENANT_TOKEN = /^dp_([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)_[A-Za-z0-9_-]{43}$/u;
const ADMIN_TOKEN = /^dpadmin_[A-Za-z0-9_-]{43}$/u;

/** What a tenant's token is good for: one that lies in a program may be good for little. */
export const TOKEN_SCOPES = ["invoke", "deploy", "state", "admin"] as const;
export type TokenScope = (typeof TOKEN_SCOPES)[number];

/** What is kept of a token. */
export interface TokenRecord {
  /** Names the token where it is listed and revoked: the start of its hash, and no secret. */
  readonly tokenId: string;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  readonly createdAtMs: number;
  readonly scopes: readonly TokenScope[];
}

export interface MintedToken {
  readonly token: string;
  readonly record: TokenRecord;
}

export type TokenOwner =
  | { readonly role: "admin" }
  | { readonly role: "tenant"; readonly tenantId: string };

export function mintToken(
  owner: TokenOwner,
  nowMs: number,
  scopes: readonly TokenScope[] = TOKEN_SCOPES,
): MintedToken {
  const secret = randomBytes(SECRET_BYTES).toString("base64url");
  const token = owner.role === "admin" ? `dpadmin_${secret}` : `dp_${owner.tenantId}_${secret}`;
  const sha256 = hash("sha256", token);
  return {
    token,
    record: { tokenId: sha256.slice(0, ID_BYTES * 2), sha256, createdAtMs: nowMs, scopes },
  };
}

/** Whose token this would be, if it is genuine; undefined where it has not the form of a token. */
export function claimedOwner(token: string): TokenOwner | undefined {
  if (ADMIN_TOKEN.test(token)) return { role: "admin" };
  const tenantId = TENANT_TOKEN.exec(token)?.[1];
  return tenantId === undefined ? undefined : { role: "tenant", tenantId };
}

/** What is kept of the token, if it is one of those that were minted (T3). */
export function findGenuine(
  token: string,
  records: readonly TokenRecord[],
): TokenRecord | undefined {
  const found = hash("sha256", token, "buffer");
  const start = found.toString("hex", 0, ID_BYTES);
  const record = records.find(({ sha256 }) => sha256.startsWith(start));
  const isGenuine = timingSafeEqual(found, Buffer.from((record ?? NO_TOKEN).sha256, "hex"));
  return isGenuine ? record : undefined;
}

/** No token has this hash. */
const NO_TOKEN: Pick<TokenRecord, "sha256"> = { sha256: "0".repeat(64) };

export function isTokenScope(value: unknown): value is TokenScope {
  return TOKEN_SCOPES.some((scope) => scope === value);
}
