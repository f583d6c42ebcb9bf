import { randomUUID } from "node:crypto";
import { TenantError } from "./errors.ts";
import { QUOTA_NAMES, toQuotas } from "./quotas.ts";
import type { Quotas } from "./quotas.ts";
import { parseTenant } from "./tenant.ts";
import type { Tenant, TenantRecords } from "./tenant.ts";
import { claimedOwner, findGenuine, mintToken } from "./token.ts";
import type { TokenRecord, TokenScope } from "./token.ts";

/** Who sent a request. */
export type Principal =
  | { readonly role: "admin" }
  | {
      readonly role: "tenant";
      readonly tenant: Tenant;
      readonly scopes: readonly TokenScope[];
    };

/** The token is in here and nowhere else. */
export interface NewToken {
  readonly tokenId: string;
  readonly scopes: readonly TokenScope[];
  readonly token: string;
}

interface Watcher {
  readonly header: string;
  readonly onVoid: () => void;
}

export interface TenantRegistryOptions {
  readonly records: TenantRecords;
  readonly adminToken: TokenRecord;
  /** What a new tenant gets. */
  readonly quotasDefault: Quotas;
  /** What the operator lets no tenant go beyond, whatever is stored or asked for. */
  readonly quotasMax: Quotas;
  readonly now?: () => number;
}

const TOKENS_PER_TENANT_MAX = 16;

/** Recognised headers: a hit takes 0.06 µs, hashing and comparing 1 µs. A full cache starts anew. */
const RECOGNISED_MAX = 10_000;

const BEARER = /^Bearer +(\S{1,200}) *$/iu;
const ADMIN: Principal = { role: "admin" };

// Owns who the tenants are and which tokens are theirs. It does not own what they store or run.
//
// R1. A change is durable before anyone sees it, and changes are made one after the other.
// R2. A recognised header is forgotten with every change of a tenant: a revoked token is refused by
//     the next request. A header that was refused is never remembered.
// R3. A tenant that is being deleted has no valid token, and its name is taken until all is gone.
// R4. What goes on after its request, a stream, is told of the change that makes its token void: before
//     whoever made the change has its answer.
// R5. A name says who a tenant is only while nothing is awaited. Afterwards `current` does: the name may
//     have gone to somebody else meanwhile.
export class TenantRegistry {
  readonly #records: TenantRecords;
  readonly #adminTokens: readonly TokenRecord[];
  readonly #quotasDefault: Quotas;
  readonly #quotasMax: Quotas;
  readonly #now: () => number;
  readonly #tenants = new Map<string, Tenant>();
  readonly #recognised = new Map<string, Principal>();
  readonly #watchers = new Set<Watcher>();
  #lastChange: Promise<unknown> = Promise.resolve();

  private constructor(options: TenantRegistryOptions) {
    this.#records = options.records;
    this.#adminTokens = [options.adminToken];
    this.#quotasDefault = options.quotasDefault;
    this.#quotasMax = options.quotasMax;
    this.#now = options.now ?? Date.now;
  }

  static async open(options: TenantRegistryOptions): Promise<TenantRegistry> {
    const registry = new TenantRegistry(options);
    for (const record of await options.records.loadAll()) {
      const tenant = parseTenant(record, options.quotasDefault);
      const quotas = lower(tenant.quotas, options.quotasMax);
      registry.#tenants.set(tenant.tenantId, { ...tenant, quotas });
    }
    return registry;
  }

  /** Who the value of an `Authorization` header stands for; undefined for nobody. */
  authenticate(header: string): Principal | undefined {
    const known = this.#recognised.get(header);
    if (known !== undefined) return known;
    const token = BEARER.exec(header)?.[1];
    const principal = token === undefined ? undefined : this.#verify(token);
    // In one spelling only: of the others there are as many as a client likes, each as long as a header may be.
    if (principal !== undefined && header === `Bearer ${token}`) {
      if (this.#recognised.size >= RECOGNISED_MAX) this.#recognised.clear();
      this.#recognised.set(header, principal);
    }
    return principal;
  }

  /**
   * Calls back once, when the value of an `Authorization` header that stands for somebody now stands
   * for nobody any more, or for a tenant that is suspended (R4). Answers how to stop that.
   */
  watch(header: string, onVoid: () => void): () => void {
    const watcher = { header, onVoid };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Undefined for a name that no tenant has. */
  find(tenantId: string): Tenant | undefined {
    return this.#tenants.get(tenantId);
  }

  get(tenantId: string): Tenant {
    const tenant = this.#tenants.get(tenantId);
    if (tenant === undefined) throw new TenantError("tenant-not-found", "there is no such tenant");
    return tenant;
  }

  /**
   * The tenant as it is now; undefined where it was deleted, or is being deleted, since it was looked
   * up: also where its name has a new owner (R5).
   */
  current({ tenantId, incarnationId }: Tenant): Tenant | undefined {
    const tenant = this.#tenants.get(tenantId);
    const isSame = tenant?.incarnationId === incarnationId && !tenant.isDeleting;
    return isSame ? tenant : undefined;
  }

  /** In the order of their names. */
  list(): readonly Tenant[] {
    return [...this.#tenants.values()].toSorted((a, b) => (a.tenantId < b.tenantId ? -1 : 1));
  }

  /** The token is in the answer and nowhere else. */
  create(
    tenantId: string,
    quotas: Partial<Quotas> = {},
  ): Promise<{ readonly tenant: Tenant; readonly token: string }> {
    return this.#change(async () => {
      const existing = this.#tenants.get(tenantId);
      if (existing?.isDeleting === true) {
        throw new TenantError("tenant-deleting", "a tenant of this name is still being deleted");
      }
      if (existing !== undefined) {
        throw new TenantError("tenant-exists", "there is a tenant of this name");
      }
      const { token, record } = mintToken({ role: "tenant", tenantId }, this.#now());
      const tenant = parseTenant(
        {
          tenantId,
          incarnationId: randomUUID(),
          quotas: this.#checked({ ...this.#quotasDefault, ...quotas }),
          tokens: [record],
          createdAtMs: this.#now(),
          isDeleting: false,
          isSuspended: false,
        },
        this.#quotasDefault,
      );
      await this.#store(tenant);
      return { tenant, token };
    });
  }

  setQuotas(tenantId: string, quotas: Partial<Quotas>): Promise<Tenant> {
    return this.#change(async () => {
      const tenant = this.#live(tenantId);
      return this.#store({ ...tenant, quotas: this.#checked({ ...tenant.quotas, ...quotas }) });
    });
  }

  /** A suspended tenant keeps everything, and its tokens are refused; streams that it opened end (R4). */
  setSuspended(tenantId: string, isSuspended: boolean): Promise<Tenant> {
    return this.#change(async () => this.#store({ ...this.#live(tenantId), isSuspended }));
  }

  addToken(tenantId: string, scopes?: readonly TokenScope[]): Promise<NewToken> {
    return this.#change(async () => {
      const tenant = this.#live(tenantId);
      if (tenant.tokens.length >= TOKENS_PER_TENANT_MAX) {
        throw new TenantError(
          "too-many-tokens",
          `a tenant has at most ${TOKENS_PER_TENANT_MAX} tokens: revoke one first`,
        );
      }
      return this.#mint(tenant, tenant.tokens, scopes);
    });
  }

  /** Another token in the place of one, with its scopes; the one is void from now on. */
  rotateToken(tenantId: string, tokenId: string): Promise<NewToken> {
    return this.#change(async () => {
      const tenant = this.#live(tenantId);
      const old = tenant.tokens.find((token) => token.tokenId === tokenId);
      if (old === undefined) throw noSuchToken();
      const others = tenant.tokens.filter((token) => token !== old);
      return this.#mint(tenant, others, old.scopes);
    });
  }

  revokeToken(tenantId: string, tokenId: string): Promise<void> {
    return this.#change(async () => {
      const tenant = this.#live(tenantId);
      const tokens = tenant.tokens.filter((token) => token.tokenId !== tokenId);
      if (tokens.length === tenant.tokens.length) {
        throw noSuchToken();
      }
      await this.#store({ ...tenant, tokens });
    });
  }

  /** From now on its tokens are refused (R3). Whoever owns data of the tenant removes it, then calls `remove`. */
  beginRemoval(tenantId: string): Promise<void> {
    return this.#change(async () => {
      await this.#store({ ...this.get(tenantId), tokens: [], isDeleting: true });
    });
  }

  remove(tenantId: string): Promise<void> {
    return this.#change(async () => {
      await this.#records.remove(tenantId);
      this.#tenants.delete(tenantId);
      this.#forgetRecognised();
    });
  }

  async #mint(
    tenant: Tenant,
    others: readonly TokenRecord[],
    scopes: readonly TokenScope[] | undefined,
  ): Promise<NewToken> {
    const { tenantId } = tenant;
    const { token, record } = mintToken({ role: "tenant", tenantId }, this.#now(), scopes);
    await this.#store({ ...tenant, tokens: [...others, record] });
    return { tokenId: record.tokenId, scopes: record.scopes, token };
  }

  #checked(quotas: Quotas): Quotas {
    for (const name of QUOTA_NAMES) {
      const maximum = this.#quotasMax[name];
      if (quotas[name] <= maximum) continue;
      throw new TenantError("quota-too-high", `${name} may be at most ${maximum} on this host`);
    }
    return quotas;
  }

  #live(tenantId: string): Tenant {
    const tenant = this.get(tenantId);
    if (tenant.isDeleting) {
      throw new TenantError("tenant-deleting", "the tenant is being deleted");
    }
    return tenant;
  }

  #verify(token: string): Principal | undefined {
    const owner = claimedOwner(token);
    if (owner === undefined) return undefined;
    if (owner.role === "admin") {
      return findGenuine(token, this.#adminTokens) === undefined ? undefined : ADMIN;
    }
    const tenant = this.#tenants.get(owner.tenantId);
    // An unknown tenant takes the same path, so that the time does not tell which names exist.
    const genuine = findGenuine(token, tenant?.tokens ?? []);
    if (genuine === undefined || tenant === undefined) return undefined;
    return { role: "tenant", tenant, scopes: genuine.scopes };
  }

  async #store(tenant: Tenant): Promise<Tenant> {
    await this.#records.save(tenant);
    this.#tenants.set(tenant.tenantId, tenant);
    this.#forgetRecognised();
    return tenant;
  }

  #forgetRecognised(): void {
    this.#recognised.clear();
    for (const watcher of this.#watchers) {
      const principal = this.authenticate(watcher.header);
      if (principal?.role === "admin") continue;
      if (principal !== undefined && !principal.tenant.isSuspended) continue;
      this.#watchers.delete(watcher);
      watcher.onVoid();
    }
  }

  /** One after the other (R1); a failed change does not stop the next. */
  #change<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#lastChange.then(change);
    this.#lastChange = result.catch(() => undefined);
    return result;
  }
}

function lower(a: Quotas, b: Quotas): Quotas {
  return toQuotas((name) => Math.min(a[name], b[name]));
}

function noSuchToken(): TenantError {
  return new TenantError("token-not-found", "the tenant has no such token");
}
