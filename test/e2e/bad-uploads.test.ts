import { parse, print } from "@bytecodealliance/jco";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { dummyComponent } from "../../host/engine/testing/assemble.ts";
import { buildGuest } from "../../host/engine/testing/build-guest.ts";
import { behaviours } from "./testing/components.ts";
import { at, HostUnderTest } from "./testing/host-under-test.ts";
import type { TenantClient } from "./testing/host-under-test.ts";

let host: HostUnderTest;
let tenant: TenantClient;

beforeAll(async () => {
  host = await HostUnderTest.start({
    flags: ["--compile-time-max-ms=3000", "--upload-bytes-max=4000000"],
  });
  tenant = await host.tenant("acme");
  await tenant.deploy("app", await behaviours());
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

async function component(text: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await parse(text));
}

async function guest(source: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await buildGuest({ source, world: "function" }));
}

/** A component that makes one instance of a module with these fields. */
function instanceOf(fields: string): Promise<Uint8Array<ArrayBuffer>> {
  return component(`(component (core module $m ${fields}) (core instance (instantiate $m)))`);
}

/** The world without WASI, its functions trap, and a start function that grows eight tables by ten million each. */
async function growingTables(): Promise<Uint8Array<ArrayBuffer>> {
  const files = ["types", "state", "log", "context", "function"];
  const interfaces = files.map((file) =>
    readFileSync(new URL(`../../wit/${file}.wit`, import.meta.url), "utf8").replace(
      /^package .*$|^ *(?:import|include) wasi:.*$/gmu,
      "",
    ),
  );
  const contract = `package downpour:faas@0.1.0;\n${interfaces.join("\n")}`;
  const text = await print(await dummyComponent(contract, "function-sync"));
  const tables = "(table 1 funcref)".repeat(8);
  const grows = Array.from(
    { length: 8 },
    (_, table) => `(drop (table.grow ${table} (ref.null func) (i32.const 9999999)))`,
  );
  const attack = `${tables} (func $grow ${grows.join(" ")}) (start $grow)`;
  const end = text.indexOf("(@producers");
  return component(`${text.slice(0, end)} ${attack} ${text.slice(end)}`);
}

/** The old revision must serve, whatever was uploaded over it. */
async function expectOldServes(): Promise<void> {
  expect((await tenant.invoke("app/version", null)).json()).toBe("one");
}

const EVIL = 'a\\"b\\\\c\\0a${d}`';

describe("an upload that is refused leaves the old revision serving:", () => {
  beforeEach(expectOldServes);

  test.each([
    ["nothing at all", async () => new Uint8Array(0), "COMPONENT_MALFORMED"],
    ["garbage", async () => new Uint8Array(1_000).fill(7), "COMPONENT_MALFORMED"],
    ["JavaScript", async () => new TextEncoder().encode("export default 1"), "COMPONENT_MALFORMED"],
    [
      "a truncated component",
      async () => (await behaviours()).slice(0, 1_500_000),
      "COMPONENT_MALFORMED",
    ],
    ["a core module", () => component('(module (func (export "f")))'), "COMPONENT_IS_CORE_MODULE"],
    ["an empty component", () => component("(component)"), "WORLD_MISMATCH"],
    [
      "a component of another world",
      () =>
        component(`(component
          (core module $m (func (export "run")))
          (core instance $i (instantiate $m))
          (func (export "run") (canon lift (core func $i "run"))))`),
      "WORLD_MISMATCH",
    ],
    [
      "an import outside the list",
      () => component('(component (import "wasi:sockets/tcp@0.2.0" (instance)))'),
      "IMPORT_NOT_ALLOWED",
    ],
    [
      "an import whose name is 100 kB long",
      () => component(`(component (import "${"a".repeat(100_000)}" (func)))`),
      "COMPONENT_",
    ],
    [
      "a core export whose name is code",
      () =>
        component(`(component
          (core module $m (func (export "${EVIL}")))
          (core instance $i (instantiate $m)))`),
      "WORLD_MISMATCH",
    ],
    [
      "a component of 64 tables that V8 could not hold",
      () => instanceOf("(table 10000000 funcref)".repeat(64)),
      "COMPONENT_TOO_COMPLEX",
    ],
    [
      "a component of 2,000 memories",
      () => instanceOf("(memory 1)".repeat(2000)),
      "COMPONENT_TOO_COMPLEX",
    ],
    // It runs until its describe, which traps.
    ["a component whose tables grow as it starts", growingTables, "MANIFEST_INVALID"],
    [
      "a manifest that is no JSON",
      () => guest('export function describe() { return "{"; } export async function handle() {}'),
      "MANIFEST_INVALID",
    ],
    [
      "a manifest without functions",
      () =>
        guest(
          `export function describe() { return '{"sdk":"1","functions":[]}'; } export async function handle() {}`,
        ),
      "MANIFEST_INVALID",
    ],
    [
      "a describe that throws",
      () => guest('export function describe() { throw "x"; } export async function handle() {}'),
      "MANIFEST_INVALID",
    ],
    [
      "a describe that uses state",
      () =>
        guest(
          `import state from "downpour:faas/state@0.1.0";
           export function describe() { return String(state.counterValue("x")); }
           export async function handle() {}`,
        ),
      "MANIFEST_INVALID",
    ],
    [
      "a describe that never returns",
      () => guest("export function describe() { for (;;); } export async function handle() {}"),
      "COMPILE_LIMIT_EXCEEDED",
    ],
  ])("%s", async (_, make, code) => {
    const answer = await tenant.upload("app", await make());
    expect(answer.status).toBe(422);
    expect(answer.code).toContain(code);
    await expectOldServes();
  });
});

test("an import that is not allowed is named", async () => {
  const bytes = await component('(component (import "wasi:sockets/tcp@0.2.0" (instance)))');
  const problem = (await tenant.upload("new", bytes)).json();
  expect(JSON.stringify(at(problem, "details", "problems"))).toContain("wasi:sockets/tcp@0.2.0");
  expect((await tenant.api("GET", "/v1/apps/new")).code).toBe("APP_NOT_FOUND");
});

test("garbage says where it stops making sense", async () => {
  const bytes = (await behaviours()).slice(0, 100_000);
  const problem = (await tenant.upload("new", bytes)).json();
  expect(at(problem, "details", "offset")).toEqual(expect.any(Number));
});

test("another media type is 415", async () => {
  const answer = await tenant.upload("new", new Uint8Array(4), {
    headers: { "content-type": "text/html" },
  });
  expect(answer.code).toBe("MEDIA_TYPE_UNSUPPORTED");
  expect(at(answer.json(), "details", "accepts")).toBe("application/wasm");
});

test("an app name that is none is refused before the body", async () => {
  expect((await tenant.upload("Not_A_Name", new Uint8Array(4))).code).toBe("REQUEST_INVALID");
});

describe("an upload above the limit", () => {
  test("that says so is refused before its body", async () => {
    const answer = await tenant.upload("new", new Uint8Array(5_000_000));
    expect(answer.status).toBe(413);
    expect(answer.json()).toMatchObject({
      code: "UPLOAD_TOO_LARGE",
      details: { uploadBytesMax: 4_000_000 },
    });
  });

  test("that does not say so is refused while it streams", async () => {
    const { promise, resolve, reject } = Promise.withResolvers<{
      readonly status: number | undefined;
      readonly sentBytes: number;
    }>();
    let sentBytes = 0;
    const upload = request(`${host.url}/v1/apps/new`, {
      method: "PUT",
      headers: { authorization: `Bearer ${tenant.token}`, "content-type": "application/wasm" },
    });
    const chunk = Buffer.alloc(100_000);
    const send = (): void => {
      while (sentBytes < 50_000_000 && !upload.destroyed) {
        sentBytes += chunk.byteLength;
        if (!upload.write(chunk)) return;
      }
    };
    upload.on("drain", send).on("error", reject);
    upload.on("response", (response) => {
      resolve({ status: response.statusCode, sentBytes });
      upload.destroy();
    });
    send();
    const { status, sentBytes: sent } = await promise;
    expect(status).toBe(413);
    // It did not read on to the end to say so.
    expect(sent).toBeLessThan(50_000_000);
  });

  test("whose client does not stop sending is cut off", async () => {
    const upload = request(`${host.url}/v1/apps/new`, {
      method: "PUT",
      headers: { authorization: `Bearer ${tenant.token}`, "content-type": "application/wasm" },
    });
    const chunk = Buffer.alloc(100_000);
    const send = (): void => {
      while (upload.write(chunk));
    };
    upload.on("drain", send).on("error", () => undefined);
    const closed = new Promise((resolve) => {
      upload.once("close", resolve);
    });
    send();
    await closed;
    expect((await host.api("GET", "/readyz")).status).toBe(200);
  });

  test("of a tenant with a smaller quota is measured by that", async () => {
    const small = await host.tenant("small", { uploadBytesMax: 1_000 });
    const answer = await small.upload("new", await behaviours());
    expect(at(answer.json(), "details", "uploadBytesMax")).toBe(1_000);
  });
});
