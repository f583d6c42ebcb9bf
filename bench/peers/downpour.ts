// The host under measurement: its own process, as an operator starts it, spoken to over HTTP.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Child } from "../child.ts";
import type { Subject } from "./subject.ts";

const START_TIMEOUT_MS = 60_000;
const REQUEST_TIMEOUT_MS = 60_000;
const READY_POLL_MS = 2;
const TENANT = "bench";

export interface HostOptions {
  /** Kept: a host that is started on it again has the same tenants, apps and state. */
  readonly dataDirectory: string;
  /** A command that the host runs under, with its arguments. */
  readonly under?: readonly string[];
  /** Further flags of the host. */
  readonly flags?: readonly string[];
  /** Where others that the bench starts want the processor at the same time. */
  readonly sharesSession?: boolean;
  /** Without the host's own code as an earlier one left it compiled: the first start of an installation. */
  readonly withoutCodeCache?: boolean;
}

export class DownpourHost implements AsyncDisposable {
  readonly child: Child;
  /** From the start of the process to the first "ready" answer. */
  readonly readyMs: number;
  readonly #origin: string;
  readonly #adminToken: string;
  #tenantToken: string | undefined;

  private constructor(child: Child, readyMs: number, origin: string, adminToken: string) {
    this.child = child;
    this.readyMs = readyMs;
    this.#origin = origin;
    this.#adminToken = adminToken;
  }

  static async start(options: HostOptions): Promise<DownpourHost> {
    // Written when the token is made, at the first start on a data directory, and kept.
    const tokenFile = `${options.dataDirectory}.admin-token`;
    const startedAtMs = performance.now();
    const [command = process.execPath, ...args] = [
      ...(options.under ?? []),
      process.execPath,
      join(import.meta.dirname, "..", "..", "host", "main.ts"),
      "--listen-port=0",
      `--data-directory=${options.dataDirectory}`,
      `--admin-token-file=${tokenFile}`,
      ...(options.flags ?? []),
    ];
    const codeCache = options.withoutCodeCache === true ? { NODE_DISABLE_COMPILE_CACHE: "1" } : {};
    const child = new Child({
      command,
      args,
      env: { NODE_ENV: "production", ...codeCache },
      sharesSession: options.sharesSession ?? false,
    });
    try {
      const [origin] = await child.waitForLine(/http:\/\/127\.0\.0\.1:\d+/, START_TIMEOUT_MS);
      await waitUntilReady(origin, startedAtMs + START_TIMEOUT_MS);
      const readyMs = performance.now() - startedAtMs;
      const adminToken = (await readFile(tokenFile, "utf8")).trim();
      return new DownpourHost(child, readyMs, origin, adminToken);
    } catch (error) {
      await child.kill();
      throw error;
    }
  }

  /** The tenant of the bench, and its token: made at the first use, on a new data directory. */
  async tenantToken(): Promise<string> {
    if (this.#tenantToken !== undefined) return this.#tenantToken;
    const created = await this.#request("POST", "/v1/tenants", {
      token: this.#adminToken,
      json: {
        tenant: TENANT,
        quotas: { appsMax: 10_000, concurrencyMax: 10_000, queueDepthMax: 100_000 },
      },
    });
    this.#tenantToken = textField(await created.json(), "token");
    return this.#tenantToken;
  }

  /** For a host that was started on the data directory of an earlier one. */
  adoptTenantToken(token: string): void {
    this.#tenantToken = token;
  }

  /** Another tenant, with the limits that a tenant has where `quotas` says nothing; answers its token. */
  async makeTenant(tenant: string, quotas: Readonly<Record<string, number>>): Promise<string> {
    const created = await this.#request("POST", "/v1/tenants", {
      token: this.#adminToken,
      json: { tenant, quotas },
    });
    return textField(await created.json(), "token");
  }

  async deploy(app: string, component: Uint8Array<ArrayBuffer>, token?: string): Promise<void> {
    const response = await this.#request("PUT", `/v1/apps/${app}`, {
      token: token ?? (await this.tenantToken()),
      wasm: component,
    });
    await response.arrayBuffer();
  }

  url(path: string): string {
    return this.#origin + path;
  }

  async invoke(app: string, functionName: string, input: unknown): Promise<unknown> {
    const response = await this.#request("POST", `/v1/invoke/${app}/${functionName}`, {
      token: await this.tenantToken(),
      json: input,
    });
    return response.json();
  }

  /** One function as something to load. The host stays the owner of the process. */
  async subject(app: string, functionName: string, name = "downpour"): Promise<Subject> {
    return {
      name,
      url: this.url(`/v1/invoke/${app}/${functionName}`),
      authorization: `Bearer ${await this.tenantToken()}`,
      child: this.child,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.stop();
  }

  async #request(
    method: string,
    path: string,
    body: {
      readonly token: string;
      readonly json?: unknown;
      readonly wasm?: Uint8Array<ArrayBuffer>;
    },
  ): Promise<Response> {
    const response = await fetch(`${this.#origin}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${body.token}`,
        "content-type": body.wasm === undefined ? "application/json" : "application/wasm",
      },
      body: body.wasm ?? JSON.stringify(body.json),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    if (!response.ok) {
      throw new Error(
        `${method} ${path} answered ${String(response.status)}: ${await response.text()}`,
      );
    }
    return response;
  }
}

async function waitUntilReady(origin: string, giveUpAtMs: number): Promise<void> {
  for (;;) {
    // Each try follows the one before: that is what polling is.
    const isReady = await fetch(`${origin}/readyz`).then(
      async (response) => {
        await response.arrayBuffer();
        return response.ok;
      },
      () => false,
    );
    if (isReady) return;
    if (performance.now() > giveUpAtMs) throw new Error(`${origin} did not become ready`);
    await delay(READY_POLL_MS);
  }
}

function textField(value: unknown, name: string): string {
  const field: unknown = Reflect.get(Object(value), name);
  if (typeof field !== "string") throw new Error(`the answer has no text field "${name}"`);
  return field;
}
