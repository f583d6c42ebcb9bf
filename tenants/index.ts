export { TenantError } from "./errors.ts";
export type { TenantErrorKind } from "./errors.ts";
export { QUOTA_NAMES, toQuotas } from "./quotas.ts";
export type { Quotas } from "./quotas.ts";
export { TenantRegistry } from "./registry.ts";
export type { NewToken, Principal } from "./registry.ts";
export type { Tenant, TenantRecords } from "./tenant.ts";
export { isTokenScope, mintToken, TOKEN_SCOPES } from "./token.ts";
export type { MintedToken, TokenRecord, TokenScope } from "./token.ts";
export {
  addFunctionUsage,
  addUsage,
  noUsage,
  subtractUsage,
  USAGE_NAMES,
  UsageLedger,
} from "./usage.ts";
export type { AppUsage, FunctionCounts, UsageCounts, UsageSample } from "./usage.ts";
