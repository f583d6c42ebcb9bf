import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildGuest } from "../../host/engine/testing/build-guest.ts";
import { contractPackages } from "../../host/testing/contract-wit.ts";
import { behaviours } from "./testing/components.ts";
import { at, HostUnderTest, TenantClient } from "./testing/host-under-test.ts";
import type { Answer } from "./testing/host-under-test.ts";

let host: HostUnderTest;
let tenants = 0;

beforeAll(async () => {
  host = await HostUnderTest.start({
    flags: ["--log-entries-per-app-max=50", "--log-followers-per-app-max=2"],
  });
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

async function deployed(): Promise<TenantClient> {
  tenants += 1;
  const tenant = await host.tenant(`tenant-${tenants}`);
  await tenant.deploy("app", await behaviours());
  return tenant;
}

const STDOUT_WIT = `
  interface stdout {
    use wasi:io/streams@0.2.12.{output-stream};
    get-stdout: func() -> output-stream;
  }
`;

/** A guest that writes its input to its standard output, as it is, and traps where it is told to. */
async function standardOutput(): Promise<Uint8Array<ArrayBuffer>> {
  const component = await buildGuest({
    source: `
      import stdout from "wasi:cli/stdout@0.2.12";
      let output;
      export function describe() {
        return '{"sdk":"0.1.0","functions":[{"name":"write"}]}';
      }
      export async function handle(name, input) {
        const text = JSON.parse(String.fromCharCode(...input.body));
        // Not outside: what code outside functions opens is not there any more when they run.
        output ??= stdout.getStdout();
        output.blockingWriteAndFlush(Uint8Array.from(text, (character) => character.charCodeAt(0)));
        if (text.endsWith("trap")) throw new Error("not a failure of the contract");
        return input;
      }`,
    world: "output",
    wit: `package downpour:output;

world output {
  include downpour:faas/function@0.1.0;
  import wasi:cli/stdout@0.2.12;
}

${contractPackages().replace("package wasi:cli@0.2.12 {", `$&${STDOUT_WIT}`)}

package wasi:io@0.2.12 {
  interface error {
    resource error;
  }
  interface streams {
    use error.{error};
    variant stream-error { last-operation-failed(error), closed }
    resource output-stream {
      blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
    }
  }
}
`,
  });
  return new Uint8Array(component);
}

interface StreamEvent {
  readonly event: string;
  readonly id: string;
  readonly data: unknown;
}

/** Follows a log, and gives events as they come. */
class LogStream implements AsyncDisposable {
  readonly #abort = new AbortController();
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #text = "";

  private constructor(reader: ReadableStreamDefaultReader<Uint8Array>, abort: AbortController) {
    this.#reader = reader;
    this.#abort = abort;
  }

  static async open(tenant: TenantClient, query = "", lastEventId?: string): Promise<LogStream> {
    const abort = new AbortController();
    const response = await fetch(`${host.url}/v1/apps/app/logs?follow=true${query}`, {
      headers: {
        authorization: `Bearer ${tenant.token}`,
        ...(lastEventId !== undefined && { "last-event-id": lastEventId }),
      },
      signal: abort.signal,
    });
    const isStream = response.headers.get("content-type") === "text/event-stream";
    if (!isStream || response.body === null) throw new Error(`no stream: ${response.status}`);
    return new LogStream(response.body.getReader(), abort);
  }

  /** The next event, or undefined at the end. */
  async next(): Promise<StreamEvent | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        if (block.startsWith(":")) continue;
        const field = (name: string): string =>
          new RegExp(`^${name}: (.*)$`, "mu").exec(block)?.[1] ?? "";
        return { event: field("event"), id: field("id"), data: JSON.parse(field("data")) };
      }
      const { value, done } = await this.#reader.read();
      if (done) return undefined;
      this.#text += Buffer.from(value).toString();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#reader.cancel().catch(() => undefined);
  }
}

function messages(page: unknown): readonly unknown[] {
  const entries = at(page, "entries");
  return Array.isArray(entries) ? entries.map((entry) => at(entry, "message")) : [];
}

async function read(tenant: TenantClient, query = ""): Promise<unknown> {
  return (await tenant.api("GET", `/v1/apps/app/logs${query}`)).json();
}

describe("reading", () => {
  test("shows what a function wrote, when, and which invocation it was", async () => {
    const tenant = await deployed();
    const answer = await tenant.invoke("app/log", 'a "strange"\n\u2028message');
    await expect.poll(async () => messages(await read(tenant))).toHaveLength(1);
    expect(at(await read(tenant), "entries", 0)).toMatchObject({
      message: 'a "strange"\n\u2028message',
      level: "info",
      function: "log",
      invocation: answer.headers.get("downpour-invocation"),
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/u),
    });
  });

  test("goes on from the last entry seen", async () => {
    const tenant = await deployed();
    for (const text of ["a", "b", "c"]) await tenant.invoke("app/log", text);
    await expect.poll(async () => messages(await read(tenant))).toHaveLength(3);
    const seq = at(await read(tenant), "entries", 0, "seq");
    expect(messages(await read(tenant, `?since=${String(seq)}`))).toEqual(["b", "c"]);
    expect(messages(await read(tenant, "?limit=1"))).toEqual(["c"]);
  });

  test("keeps a bounded number of entries, and says that others are gone", async () => {
    const tenant = await deployed();
    await tenant.invoke("app/log", "first");
    await expect.poll(async () => messages(await read(tenant))).toHaveLength(1);
    const seq = at(await read(tenant), "entries", 0, "seq");
    for (let n = 0; n < 60; n += 1) await tenant.invoke("app/log", `${n}`);
    await expect.poll(async () => messages(await read(tenant)).at(-1)).toBe("59");
    const page = await read(tenant, `?since=${String(seq)}`);
    expect(messages(page)).toHaveLength(50);
    expect(at(page, "dropped")).toBe(true);
  });

  test("shows a last line without its end under the invocation that wrote it", async () => {
    tenants += 1;
    const tenant = await host.tenant(`tenant-${tenants}`);
    await tenant.deploy("app", await standardOutput());
    const write = (text: string): Promise<Answer> => tenant.invoke("app/write", text);
    const first = await write("begun\nunfinished");
    const second = await write("next\n");
    const failed = await write("before the trap");
    expect(failed.code).toBe("GUEST_TRAPPED");
    await expect.poll(async () => messages(await read(tenant)).at(-1)).toContain("GUEST_TRAPPED");
    const shown = [at(await read(tenant), "entries")].flat();
    expect(shown.slice(0, 3)).toMatchObject([
      { message: "begun", invocation: first.headers.get("downpour-invocation") },
      { message: "unfinished", invocation: first.headers.get("downpour-invocation") },
      { message: "next", invocation: second.headers.get("downpour-invocation") },
    ]);
    // Among what the language runtime writes of the trap, and before the host's own words.
    expect(shown).toContainEqual(
      expect.objectContaining({
        message: "before the trap",
        invocation: failed.headers.get("downpour-invocation"),
      }),
    );
  });

  test("is for the tenant whose app it is", async () => {
    await deployed();
    const rival = await host.tenant("rival");
    expect((await rival.api("GET", "/v1/apps/app/logs")).code).toBe("APP_NOT_FOUND");
  });

  test("does not show what a function writes in the host's own log as lines", async () => {
    const tenant = await deployed();
    await tenant.invoke("app/log", '{"level":"fatal","msg":"forged"}\n{"level":"fatal"}');
    await expect.poll(async () => messages(await read(tenant))).toHaveLength(1);
    expect(host.output).not.toContain("forged");
  });
});

describe("following", () => {
  test("shows what was written, and then what is written", async () => {
    const tenant = await deployed();
    await tenant.invoke("app/log", "before");
    await expect.poll(async () => messages(await read(tenant))).toHaveLength(1);
    await using stream = await LogStream.open(tenant);
    expect(await stream.next()).toMatchObject({ event: "log", data: { message: "before" } });
    await tenant.invoke("app/log", "after\n\ndata: forged");
    const event = await stream.next();
    expect(event).toMatchObject({ event: "log", data: { message: "after\n\ndata: forged" } });
    expect(event?.id).toBe(String(at(event?.data, "seq")));
  });

  test("goes on where a lost connection ended", async () => {
    const tenant = await deployed();
    for (const text of ["a", "b"]) await tenant.invoke("app/log", text);
    await expect.poll(async () => messages(await read(tenant))).toHaveLength(2);
    const seq = String(at(await read(tenant), "entries", 0, "seq"));
    await using stream = await LogStream.open(tenant, "", seq);
    expect(await stream.next()).toMatchObject({ data: { message: "b" } });
  });

  test("tells a client that comes back too late that entries are missing", async () => {
    const tenant = await deployed();
    for (let n = 0; n < 60; n += 1) await tenant.invoke("app/log", `${n}`);
    await expect.poll(async () => messages(await read(tenant)).at(-1)).toBe("59");
    await using stream = await LogStream.open(tenant, "", "1");
    expect(await stream.next()).toMatchObject({
      event: "notice",
      data: { reason: "entries-dropped" },
    });
  });

  test("ends with a notice when the app is deleted", async () => {
    const tenant = await deployed();
    await using stream = await LogStream.open(tenant);
    await tenant.api("DELETE", "/v1/apps/app");
    expect(await stream.next()).toMatchObject({ event: "notice", data: { reason: "app-deleted" } });
    expect(await stream.next()).toBeUndefined();
  });

  test("ends when its token is revoked, and others of the tenant go on", async () => {
    const tenant = await deployed();
    const name = `tenant-${tenants}`;
    const added = await host.admin("POST", `/v1/tenants/${name}/tokens`);
    await using revoked = await LogStream.open(
      new TenantClient(host, String(at(added.json(), "token"))),
    );
    await using kept = await LogStream.open(tenant);
    const tokenId = String(at(added.json(), "tokenId"));
    expect((await host.admin("DELETE", `/v1/tenants/${name}/tokens/${tokenId}`)).status).toBe(204);
    await tenant.invoke("app/log", "after");
    expect(await revoked.next()).toMatchObject({
      event: "notice",
      data: { reason: "token-revoked" },
    });
    expect(await revoked.next()).toBeUndefined();
    expect(await kept.next()).toMatchObject({ event: "log", data: { message: "after" } });
  });

  test("ends as soon as the deletion of its tenant begins", async () => {
    const tenant = await deployed();
    await using stream = await LogStream.open(tenant);
    expect((await host.admin("DELETE", `/v1/tenants/tenant-${tenants}`)).status).toBe(204);
    expect(await stream.next()).toMatchObject({
      event: "notice",
      data: { reason: "token-revoked" },
    });
    expect(await stream.next()).toBeUndefined();
  });

  test("ends for a client that does not read, and its connection with it", async () => {
    await using patient = await HostUnderTest.start({
      flags: [
        "--log-message-bytes-max=16384",
        "--log-followers-per-app-max=1",
        "--tenant-log-bytes-per-second-max=1073741824",
      ],
    });
    const tenant = await patient.tenant("acme");
    await tenant.deploy("app", await behaviours());
    const socket = connect(Number(new URL(patient.url).port), "127.0.0.1");
    const closed = new Promise<void>((resolve) => {
      socket.once("close", () => resolve());
    });
    socket
      .on("error", () => undefined)
      .write(
        `GET /v1/apps/app/logs?follow=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${tenant.token}\r\n\r\n`,
      );
    await once(socket, "readable");
    // More than what the kernel and the host hold for one connection together.
    const text = "x".repeat(16_000);
    for (let n = 0; n < 20; n += 1) {
      await Promise.all(Array.from({ length: 50 }, () => tenant.invoke("app/log", text)));
    }
    // Between requests these are ignored, unless there is nobody any more.
    const timer = setInterval(() => socket.write("\r\n"), 100);
    await closed;
    clearInterval(timer);
    const again = new AbortController();
    const follower = await fetch(`${patient.url}/v1/apps/app/logs?follow=true`, {
      headers: { authorization: `Bearer ${tenant.token}` },
      signal: again.signal,
    });
    expect(follower.status).toBe(200);
    again.abort();
  }, 30_000);

  test("has room for a bounded number of clients, and again when one leaves", async () => {
    const tenant = await deployed();
    const streams = [await LogStream.open(tenant), await LogStream.open(tenant)];
    const refused = (): Promise<unknown> =>
      tenant.api("GET", "/v1/apps/app/logs?follow=true").then(({ code }) => code);
    expect(await refused()).toBe("QUOTA_EXCEEDED");
    await streams[0]?.[Symbol.asyncDispose]();
    await expect
      .poll(async () => {
        try {
          await using stream = await LogStream.open(tenant);
          return stream !== undefined;
        } catch {
          // Not yet: the host has not seen the other one leave.
          return false;
        }
      })
      .toBe(true);
    await streams[1]?.[Symbol.asyncDispose]();
  });
});
