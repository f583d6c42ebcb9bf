import { expect, test } from "vitest";
import { at, HostUnderTest } from "../testing/host-under-test.ts";
import type { Answer, TenantClient } from "../testing/host-under-test.ts";

/** A program of one of the toolchains, as the app of a tenant on a host of its own. Its functions take text. */
export class GuestProgram implements AsyncDisposable {
  readonly component: Uint8Array<ArrayBuffer>;
  readonly tenant: TenantClient;
  readonly #host: HostUnderTest;

  private constructor(
    host: HostUnderTest,
    tenant: TenantClient,
    component: Uint8Array<ArrayBuffer>,
  ) {
    this.#host = host;
    this.tenant = tenant;
    this.component = component;
  }

  static async start(
    tenantId: string,
    component: Uint8Array<ArrayBuffer>,
    settings: { readonly environment?: Readonly<Record<string, string>> } = {},
  ): Promise<GuestProgram> {
    const host = await HostUnderTest.start();
    const tenant = await host.tenant(tenantId);
    await tenant.deploy("app", component);
    await tenant.api("PATCH", "/v1/apps/app", { json: settings });
    return new GuestProgram(host, tenant, component);
  }

  invoke(name: string, body = ""): Promise<Answer> {
    const headers = { "content-type": "text/plain" };
    return this.tenant.api("POST", `/v1/invoke/app/${name}`, { headers, body });
  }

  /** What a function answers as JSON. */
  async answerOf(name: string, body = ""): Promise<unknown> {
    const answer = await this.invoke(name, body);
    if (answer.status !== 200) throw new Error(answer.body.toString());
    return answer.json();
  }

  async log(): Promise<string> {
    return (await this.tenant.api("GET", "/v1/apps/app/logs")).body.toString();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host[Symbol.asyncDispose]();
  }
}

/** What a program does in whichever language it is written. */
const CASES: readonly (readonly [
  what: string,
  testWith: (program: GuestProgram) => Promise<void>,
])[] = [
  [
    "answers with the bytes and the media type that it was given",
    async ({ tenant }) => {
      const body = Uint8Array.from({ length: 100_000 }, (_, position) => position & 255);
      const headers = { "content-type": "application/x-noise" };
      const answer = await tenant.api("POST", "/v1/invoke/app/echo", { headers, body });
      expect(answer.headers.get("content-type")).toBe("application/x-noise");
      expect(new Uint8Array(answer.body)).toEqual(body);
    },
  ],
  [
    "keeps state, and fifty calls at once count to fifty",
    async (program) => {
      const calls = Array.from({ length: 50 }, () => program.answerOf("count", "many"));
      expect(new Set(await Promise.all(calls)).size).toBe(50);
      expect(await program.answerOf("count", "many")).toBe(51);
    },
  ],
  [
    "gets a refusal of the state as a value",
    async (program) => {
      const answer = await program.invoke("count", "");
      expect(answer.code).toBe("FUNCTION_ERROR");
      expect(answer.body.toString()).toContain("INVALID_KEY");
    },
  ],
  [
    "fails on purpose",
    async (program) => {
      const answer = await program.invoke("refuse", "größer");
      expect([answer.status, answer.code]).toEqual([422, "FUNCTION_ERROR"]);
      expect(at(answer.json(), "details", "functionCode")).toBe("REFUSED");
    },
  ],
  [
    "that overflows its stack ends alone, and the next call gets a new instance",
    async (program) => {
      expect((await program.invoke("recurse", "10000000")).code).toBe("GUEST_TRAPPED");
      expect(await program.answerOf("recurse", "100")).toBe(100);
    },
  ],
];

/** Runs the table on a program, which is there when its tests begin. */
export function testEachCase(program: () => GuestProgram): void {
  test.each(CASES)("%s", async (_, testWith) => {
    await testWith(program());
  });
}
