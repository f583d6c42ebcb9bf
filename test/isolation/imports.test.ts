import { parse } from "@bytecodealliance/jco";
import { contractPackages } from "../../host/testing/contract-wit.ts";
import { buildGuest } from "../../host/engine/testing/build-guest.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { at, HostUnderTest } from "../e2e/testing/host-under-test.ts";
import type { Answer, TenantClient } from "../e2e/testing/host-under-test.ts";

// What a component was not granted it cannot even name: it is refused at upload, and so it is never
// linked. There is no second place that would have to refuse it at run time.

let host: HostUnderTest;
let tenant: TenantClient;

beforeAll(async () => {
  host = await HostUnderTest.start();
  tenant = await host.tenant("acme");
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

async function upload(text: string): Promise<Answer> {
  return tenant.upload("app", new Uint8Array(await parse(text)));
}

/** Nothing of it may be left, whatever was wrong with it. */
async function expectNothingDeployed(): Promise<void> {
  expect((await tenant.api("GET", "/v1/apps/app")).code).toBe("APP_NOT_FOUND");
  expect((await tenant.invoke("app/anything", null)).code).toBe("APP_NOT_FOUND");
}

function problems(answer: Answer): string {
  return JSON.stringify(at(answer.json(), "details", "problems") ?? null);
}

describe("an interface that the host does not offer", () => {
  test.each([
    "wasi:sockets/tcp@0.2.12",
    "wasi:sockets/instance-network@0.2.12",
    "wasi:http/outgoing-handler@0.2.12",
    "wasi:http/types@0.2.12",
    "wasi:keyvalue/store@0.2.0",
    "wasi:config/store@0.2.0",
    "wasi:nn/graph@0.2.0",
    "wasi:threads/spawn@0.1.0",
    "downpour:faas/admin@0.1.0",
    "downpour:faas/tenants@0.1.0",
    "downpour:faas/invoke@0.1.0",
    "downpour:faas/state@0.2.0",
    "downpour:faas/state@1.0.0",
    "downpour:faas/state",
    "downpour:other/state@0.1.0",
    "other:faas/state@0.1.0",
    "wasi:cli/environment@0.3.0",
  ])("%s is named, and nothing is deployed", async (name) => {
    const answer = await upload(
      `(component (import "${name}" (instance (export "f" (func (result u32))))))`,
    );
    expect(answer.status).toBe(422);
    expect(answer.code).toBe("IMPORT_NOT_ALLOWED");
    expect(problems(answer)).toContain(name);
    await expectNothingDeployed();
  });

  test.each(["env", "fs", "process", "constructor", "memory", "state", "get"])(
    "is not one because it is a plain name: %s",
    async (name) => {
      const answer = await upload(`(component (import "${name}" (func (result u32))))`);
      expect(answer.code).toBe("IMPORT_NOT_ALLOWED");
      expect(problems(answer)).toContain(name);
      await expectNothingDeployed();
    },
  );

  test.each([
    ["a component", '(component (import "dep" (component)))'],
    ["a core module", '(component (import "dep" (core module)))'],
  ])("is not one because it is %s", async (_, text) => {
    const answer = await upload(text);
    expect(answer.status).toBe(422);
    expect(["IMPORT_NOT_ALLOWED", "COMPONENT_UNSUPPORTED"]).toContain(answer.code);
    await expectNothingDeployed();
  });

  test("is refused beside many that are offered", async () => {
    const answer = await upload(`(component
      (import "downpour:faas/log@0.1.0" (instance))
      (import "wasi:cli/environment@0.2.12" (instance))
      (import "wasi:sockets/udp@0.2.12" (instance)))`);
    expect(answer.code).toBe("IMPORT_NOT_ALLOWED");
    expect(problems(answer)).toContain("wasi:sockets/udp@0.2.12");
    expect(problems(answer)).not.toContain("wasi:cli/environment");
  });
});

test("a good component is refused for one import too many, and deployed without it", async () => {
  const build = async (extra: { readonly wit: string; readonly source: string }): Promise<Answer> =>
    tenant.upload(
      "granted",
      new Uint8Array(
        await buildGuest({
          world: "greedy",
          wit: `package downpour:greedy;
            interface tenants { names: func() -> list<string>; }
            world greedy { include downpour:faas/function@0.1.0; ${extra.wit} }
            ${contractPackages()}`,
          source: `${extra.source}
            export function describe() {
              return JSON.stringify({ sdk: "0.1.0", functions: [{ name: "f" }] });
            }
            export async function handle() {
              return { mediaType: "application/json", body: new Uint8Array([49]) };
            }`,
        }),
      ),
    );
  const refused = await build({
    wit: "import tenants;",
    source:
      'import tenants from "downpour:greedy/tenants"; globalThis.names = () => tenants.names();',
  });
  expect(refused.code).toBe("IMPORT_NOT_ALLOWED");
  expect(at(refused.json(), "details", "problems")).toEqual([
    expect.stringContaining("downpour:greedy/tenants"),
  ]);
  expect((await tenant.api("GET", "/v1/apps/granted")).code).toBe("APP_NOT_FOUND");
  expect((await build({ wit: "", source: "" })).status).toBe(201);
  expect((await tenant.invoke("granted/f", null)).json()).toBe(1);
});

describe("in an interface that is offered", () => {
  test.each([
    ["downpour:faas/state@0.1.0", "get-of-tenant", '(func (param "tenant" string) (result u32))'],
    ["downpour:faas/state@0.1.0", "constructor", "(func (result u32))"],
    ["downpour:faas/context@0.1.0", "set-tenant", '(func (param "tenant" string))'],
    ["downpour:faas/log@0.1.0", "read", "(func (result string))"],
    ["wasi:cli/environment@0.2.12", "set-environment", "(func)"],
  ])("%s, a function %s that is not there is refused", async (name, member, type) => {
    const answer = await upload(
      `(component (import "${name}" (instance (export "${member}" ${type}))))`,
    );
    expect(answer.status).toBe(422);
    expect(["IMPORT_NOT_ALLOWED", "WORLD_MISMATCH"]).toContain(answer.code);
    expect(problems(answer)).toContain(member);
    await expectNothingDeployed();
  });

  test("a function of another type is refused, with both types", async () => {
    const answer = await upload(`(component
      (import "downpour:faas/state@0.1.0"
        (instance (export "get" (func (param "tenant" string) (param "key" string) (result string))))))`);
    expect(answer.code).toBe("WORLD_MISMATCH");
    expect(problems(answer)).toContain("get");
    await expectNothingDeployed();
  });
});

describe("inside a component", () => {
  test("a core module's import that nothing satisfies is refused", async () => {
    const answer = await upload(`(component
      (core module $m (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32))))
      (core instance (instantiate $m)))`);
    expect(answer.status).toBe(422);
    expect(answer.code).toMatch(/^COMPONENT_/u);
    await expectNothingDeployed();
  });

  test("a nested component reaches no further than the outer one's imports", async () => {
    const answer = await upload(`(component
      (component $inner (import "wasi:sockets/tcp@0.2.12" (instance)))
      (import "wasi:sockets/tcp@0.2.12" (instance $tcp))
      (instance (instantiate $inner (with "wasi:sockets/tcp@0.2.12" (instance $tcp)))))`);
    expect(answer.code).toBe("IMPORT_NOT_ALLOWED");
    expect(problems(answer)).toContain("wasi:sockets/tcp@0.2.12");
    await expectNothingDeployed();
  });
});

const HOSTILE_NAMES = [
  'a\\"b',
  "a\\\\b",
  "a\\0ab",
  "a${b}",
  "a`b",
  "__proto__",
  "wasi:sockets/tcp@0.2.12 ",
  "WASI:sockets/tcp@0.2.12",
  "wasi:sockets/tcp@0.2.12\\00",
  "../state",
  "https://example.com/x.wasm",
];

test.each(HOSTILE_NAMES)(
  "an import whose name is %s is refused, and runs nothing",
  async (name) => {
    const answer = await uploadRaw(name, "import");
    expect(answer.status).toBe(422);
    expect(answer.code).toMatch(/^(?:COMPONENT_|IMPORT_NOT_ALLOWED|WORLD_MISMATCH)/u);
    await expectNothingDeployed();
  },
);

test.each(HOSTILE_NAMES)(
  "an export whose name is %s is refused, and runs nothing",
  async (name) => {
    const answer = await uploadRaw(name, "export");
    expect(answer.status).toBe(422);
    expect(answer.code).toMatch(/^(?:COMPONENT_|IMPORT_NOT_ALLOWED|WORLD_MISMATCH)/u);
    await expectNothingDeployed();
  },
);

test.each(["import", "export"] as const)("an %s whose name is 100 kB is refused", async (what) => {
  const answer = await uploadRaw("a".repeat(100_000), what);
  expect(answer.status).toBe(422);
  expect(answer.code).toMatch(/^COMPONENT_/u);
  expect(answer.body.byteLength).toBeLessThan(2_000);
  await expectNothingDeployed();
});

/** Writes the name over one of its length: an assembler would refuse it. */
async function uploadRaw(escaped: string, what: "import" | "export"): Promise<Answer> {
  const name = Buffer.from(
    escaped.replaceAll(/\\([0-9a-f]{2}|["\\])/gu, (_, code: string) =>
      code.length === 2 ? String.fromCharCode(Number.parseInt(code, 16)) : code,
    ),
  );
  const placeholder = `z${"z".repeat(name.byteLength - 1)}`;
  const text =
    what === "import"
      ? `(component (import "${placeholder}" (func)))`
      : `(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
          (func (export "${placeholder}") (canon lift (core func $i "f"))))`;
  const bytes = Buffer.from(await parse(text));
  for (let start = bytes.indexOf(placeholder); start >= 0; start = bytes.indexOf(placeholder)) {
    name.copy(bytes, start);
  }
  return tenant.upload("app", new Uint8Array(bytes));
}
