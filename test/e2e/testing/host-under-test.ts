import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

// A host as an operator runs it: a process of its own, on a data directory of its own, spoken to
// over HTTP.

const MAIN = fileURLToPath(new URL("../../../host/main.ts", import.meta.url));
const START_TIMEOUT_MS = 30_000;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
  /** The parsed body; throws where it is not JSON. */
  json(): unknown;
  /** The code of a problem document. */
  readonly code: unknown;
}

export interface ApiRequest {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer> | ReadableStream;
  readonly json?: unknown;
  readonly signal?: AbortSignal;
}

export interface ProcessEnd {
  readonly status: number | null;
  readonly signal: string | null;
}

/** A member of a document, as deep as the path; undefined where there is none. */
export function at(document: unknown, ...path: readonly (string | number)[]): unknown {
  let value = document;
  for (const key of path) {
    value = typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
  }
  return value;
}

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), "downpour-e2e-"));
}

/** Starts the process and waits for nothing: for hosts that must not come up. */
export function spawnHost(
  flags: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): ChildProcess {
  return spawn(process.execPath, [MAIN, ...flags], {
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Runs a host that ends by itself. */
export async function runHost(
  flags: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<ProcessEnd & { readonly stdout: string; readonly stderr: string }> {
  const child = spawnHost(flags, environment);
  const [stdout, stderr, end] = await Promise.all([
    child.stdout === null ? "" : text(child.stdout),
    child.stderr === null ? "" : text(child.stderr),
    endOf(child),
  ]);
  return { stdout, stderr, ...end };
}

export async function endOf(child: ChildProcess): Promise<ProcessEnd> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return { status: child.exitCode, signal: child.signalCode };
}

export class HostUnderTest implements AsyncDisposable {
  readonly dataDirectory: string;
  readonly url: string;
  readonly adminToken: string;
  readonly child: ChildProcess;
  readonly #output: { text: string };
  readonly #ownsDirectory: boolean;

  private constructor(
    child: ChildProcess,
    output: { text: string },
    place: {
      readonly url: string;
      readonly dataDirectory: string;
      readonly adminToken: string;
      readonly ownsDirectory: boolean;
    },
  ) {
    this.child = child;
    this.#output = output;
    this.url = place.url;
    this.dataDirectory = place.dataDirectory;
    this.adminToken = place.adminToken;
    this.#ownsDirectory = place.ownsDirectory;
  }

  static async start(
    options: { readonly dataDirectory?: string; readonly flags?: readonly string[] } = {},
  ): Promise<HostUnderTest> {
    const dataDirectory = options.dataDirectory ?? join(temporaryDirectory(), "data");
    // Beside the data, so that a second host on it finds the token of the first.
    const tokenFile = `${dataDirectory}.token`;
    const child = spawnHost([
      "--listen-port=0",
      "--executors=2",
      `--data-directory=${dataDirectory}`,
      `--admin-token-file=${tokenFile}`,
      ...(options.flags ?? []),
    ]);
    const output = { text: "" };
    const url = await waitForAddress(child, output);
    return new HostUnderTest(child, output, {
      url,
      dataDirectory,
      adminToken: readFileSync(tokenFile, "utf8").trim(),
      ownsDirectory: options.dataDirectory === undefined,
    });
  }

  /** Everything the process has written, both streams. */
  get output(): string {
    return this.#output.text;
  }

  async api(method: string, path: string, request: ApiRequest = {}): Promise<Answer> {
    const body = request.json === undefined ? request.body : JSON.stringify(request.json);
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(request.token !== undefined && { authorization: `Bearer ${request.token}` }),
        ...(request.json !== undefined && { "content-type": "application/json" }),
        ...request.headers,
      },
      ...(body !== undefined && { body }),
      ...(body instanceof ReadableStream && { duplex: "half" }),
      ...(request.signal !== undefined && { signal: request.signal }),
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    const json = (): unknown => JSON.parse(bytes.toString());
    const isProblem = response.headers.get("content-type")?.includes("problem+json") === true;
    return {
      status: response.status,
      headers: response.headers,
      body: bytes,
      json,
      code: isProblem ? at(json(), "code") : undefined,
    };
  }

  admin(method: string, path: string, json?: unknown): Promise<Answer> {
    return this.api(method, path, { token: this.adminToken, json });
  }

  /** A new tenant, as its owner uses it. */
  async tenant(name: string, quotas: Readonly<Record<string, number>> = {}): Promise<TenantClient> {
    const created = await this.admin("POST", "/v1/tenants", { tenant: name, quotas });
    const token = at(created.json(), "token");
    if (typeof token !== "string") throw new Error(`no tenant: ${created.body.toString()}`);
    return new TenantClient(this, token);
  }

  /** Ends it as an operator does. */
  async stop(): Promise<ProcessEnd> {
    this.child.kill("SIGTERM");
    return endOf(this.child);
  }

  /** Ends it as a power failure does, as far as a process can tell. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await endOf(this.child);
  }

  /** Another process on the same data. */
  restart(flags: readonly string[] = []): Promise<HostUnderTest> {
    return HostUnderTest.start({ dataDirectory: this.dataDirectory, flags });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    if (this.#ownsDirectory) {
      rmSync(join(this.dataDirectory, ".."), { recursive: true, force: true });
    }
  }
}

export class TenantClient {
  readonly host: HostUnderTest;
  readonly token: string;

  constructor(host: HostUnderTest, token: string) {
    this.host = host;
    this.token = token;
  }

  /** The same tenant at another host on the same data. */
  on(host: HostUnderTest): TenantClient {
    return new TenantClient(host, this.token);
  }

  api(method: string, path: string, request: ApiRequest = {}): Promise<Answer> {
    return this.host.api(method, path, { token: this.token, ...request });
  }

  upload(
    app: string,
    component: Uint8Array<ArrayBuffer> | ReadableStream,
    request: ApiRequest = {},
  ): Promise<Answer> {
    return this.api("PUT", `/v1/apps/${app}`, {
      headers: { "content-type": "application/wasm" },
      body: component,
      ...request,
    });
  }

  /** As `upload`, where the test is about something else. */
  async deploy(app: string, component: Uint8Array<ArrayBuffer>): Promise<void> {
    const answer = await this.upload(app, component);
    if (answer.status >= 300) throw new Error(`not deployed: ${answer.body.toString()}`);
  }

  invoke(target: string, input: unknown, request: ApiRequest = {}): Promise<Answer> {
    return this.api("POST", `/v1/invoke/${target}`, { json: input, ...request });
  }
}

async function waitForAddress(child: ChildProcess, output: { text: string }): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const read = (chunk: Buffer): void => {
    output.text += chunk.toString();
    const url = /listens on (http:\S+)/u.exec(output.text)?.[1];
    if (url !== undefined) resolve(url);
  };
  child.stdout?.on("data", read);
  child.stderr?.on("data", read);
  child.once("exit", () => reject(new Error(`the host ended: ${output.text}`)));
  const timer = setTimeout(
    () => reject(new Error(`the host does not come up: ${output.text}`)),
    START_TIMEOUT_MS,
  );
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}
