import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { behaviours } from "../e2e/testing/components.ts";
import { HostUnderTest } from "../e2e/testing/host-under-test.ts";
import type { Answer, TenantClient } from "../e2e/testing/host-under-test.ts";
import { coreGuest, EMPTY_ANSWER } from "./testing/core-guest.ts";
import type { HostFunction } from "./testing/core-guest.ts";

// Core code that says to the host what no toolchain would: whatever it is, it ends that invocation alone,
// with words that are the guest's or the specification's, and no word of the host's own code.

let host: HostUnderTest;
let attacker: TenantClient;
let neighbour: TenantClient;

beforeAll(async () => {
  host = await HostUnderTest.start();
  attacker = await host.tenant("be");
  neighbour = await host.tenant("beta");
  await neighbour.deploy("app", await behaviours());
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

/** What would tell a tenant how the host is made, or where it lies. */
const OF_THE_HOST =
  /\.[cm]?ts\b|\.[cm]?js\b|node:|node_modules|file:|\/work\/|\/home\/|\bat [\w.#]+ \(|TypeError|ReferenceError|undefined|\[object/u;

function expectNoWordOfTheHost(answer: Answer): void {
  expect(answer.body.toString()).not.toMatch(OF_THE_HOST);
}

async function expectNeighbourServed(): Promise<void> {
  expect((await neighbour.invoke("app/greet", "you")).json()).toBe("Hello, you!");
}

/** Pointers, lengths and numbers of which none should mean anything. */
const STRANGE = [
  0, 1, 3, 4, 8, 512, 65_535, 65_536, 1_048_575, 1_048_576, 0x7f_ff_ff_ff, -1, -4, -2_147_483_648,
];

/** Calls the function of the host that the body's first byte names, with what follows as its arguments; answers from the last word. */
function callAsTold(functions: readonly HostFunction[]): string {
  const cases = functions.map(({ index, params }) => {
    const given = params.map((type, at) =>
      type === "i64"
        ? `(i64.extend_i32_s (i32.load (i32.add (local.get 4) (i32.const ${4 + at * 4}))))`
        : `(i32.load (i32.add (local.get 4) (i32.const ${4 + at * 4})))`,
    );
    return `(if (i32.eq (i32.load8_u (local.get 4)) (i32.const ${index})) (then (call ${index} ${given.join(" ")})))`;
  });
  return `${cases.join("\n")} (i32.load (i32.add (local.get 4) (i32.const 32)))`;
}

/** The body for `callAsTold`. */
function told(index: number, args: readonly number[], answerAt: number): Uint8Array<ArrayBuffer> {
  const words = new Int32Array(9);
  words[0] = index;
  for (const [at, argument] of args.slice(0, 7).entries()) words[at + 1] = argument;
  words[8] = answerAt;
  return new Uint8Array(words.buffer);
}

/** The same numbers in each run. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state >>> 8;
  }
}

describe("a guest that gives the host what is no value of the type", () => {
  test("is ended, or answered, and no more happens", async () => {
    let functions: readonly HostFunction[] = [];
    const component = await coreGuest({
      handle: (offered) => {
        functions = offered;
        return callAsTold(offered);
      },
    });
    await attacker.deploy("words", component);
    expect(functions.length).toBeGreaterThan(8);
    const random = numbers(1);
    const strange = (): number => STRANGE[random.next().value % STRANGE.length] ?? 0;
    const codes = new Set<unknown>();
    for (let round = 0; round < 40; round += 1) {
      const calls = functions.map(async ({ index }) => {
        const args = Array.from({ length: 7 }, strange);
        const answerAt = round % 4 === 0 ? strange() : EMPTY_ANSWER;
        return attacker.api("POST", "/v1/invoke/words/run", {
          headers: { "content-type": "application/octet-stream" },
          body: told(index, args, answerAt),
        });
      });
      for (const answer of await Promise.all(calls)) {
        codes.add(answer.status === 200 ? 200 : answer.code);
        expectNoWordOfTheHost(answer);
      }
    }
    for (const code of codes) {
      expect([
        200,
        "GUEST_TRAPPED",
        "RESULT_UNSERIALIZABLE",
        "RESULT_TOO_LARGE",
        "FUNCTION_ERROR",
        "FUNCTION_THREW",
        "INPUT_INVALID",
        "FUNCTION_NOT_FOUND",
      ]).toContain(code);
    }
    expect(codes).toContain("GUEST_TRAPPED");
    await expectNeighbourServed();
  });

  test.each([
    ["points nowhere", "i32.const -4"],
    ["is not aligned", "i32.const 9"],
    ["is longer than its memory", "(i32.store (i32.const 12) (i32.const 0x7fffffff)) i32.const 8"],
    ["is no text", "(i32.store (i32.const 64) (i32.const -1)) i32.const 8"],
    ["is too long", "(i32.store (i32.const 12) (i32.const 983040)) i32.const 8"],
    ["traps", "unreachable"],
    ["throws", "(throw $thrown)"],
    [
      "calls the host before anything runs",
      "(call 0 (i32.const 64) (i32.const 1) (i32.const 2048)) i32.const 8",
    ],
  ])("is refused at its upload where the answer of describe %s", async (_, code) => {
    const answer = await attacker.upload(
      "bad",
      await coreGuest({ describe: code, fields: "(tag $thrown)" }),
    );
    expect(answer.status).toBe(422);
    expect(answer.code).toMatch(/^(?:MANIFEST_INVALID|COMPONENT_|COMPILE_LIMIT)/u);
    expectNoWordOfTheHost(answer);
    expect((await attacker.api("GET", "/v1/apps/bad")).code).toBe("APP_NOT_FOUND");
  });
});

/** Runs it, and answers whether or not it throws. */
function caught(code: string): string {
  return `(block $caught (try_table (catch_all $caught) ${code})) i32.const ${EMPTY_ANSWER}`;
}

describe("an exception", () => {
  const thrown = "(tag $thrown (param i32))";

  test.each([
    ["of its own", "(throw $thrown (i32.const 7))"],
    ["that is null", "(throw_ref (ref.null exn))"],
    [
      "that it caught and throws again",
      "(block $caught (result exnref) (try_table (result i32) (catch_all_ref $caught) (throw $thrown (i32.const 7))) drop unreachable) throw_ref",
    ],
  ])("%s ends the invocation as a trap, and nothing beside it", async (_, code) => {
    await attacker.deploy("thrower", await coreGuest({ handle: () => code, fields: thrown }));
    const answer = await attacker.invoke("thrower/run", null);
    expect(answer.code).toBe("GUEST_TRAPPED");
    expectNoWordOfTheHost(answer);
    await expectNeighbourServed();
  });

  test("of the host is none that a guest can catch: what it did wrong ends it", async () => {
    await attacker.deploy(
      "catcher",
      await coreGuest({
        handle: (functions) => {
          const write = functions.find(({ name }) => name === "write");
          return caught(`(call ${write?.index} (i32.const 2) (i32.const -1) (i32.const -1))`);
        },
      }),
    );
    const answer = await attacker.invoke("catcher/run", null);
    expect(answer.code).toBe("GUEST_TRAPPED");
    expectNoWordOfTheHost(answer);
  });

  test("of recursion in between is none either, and the next call is served", async () => {
    const fields = "(func $deep (call $deep))";
    const component = await coreGuest({ handle: () => caught("(call $deep)"), fields });
    await attacker.deploy("deep", component);
    for (let call = 0; call < 3; call += 1) {
      const answer = await attacker.invoke("deep/run", null);
      expect(["GUEST_TRAPPED", "CPU_LIMIT_EXCEEDED"]).toContain(answer.code);
      expectNoWordOfTheHost(answer);
    }
    await expectNeighbourServed();
  });
});

test.each([
  ["a line break", 'run\\n{\\"level\\":60,\\"msg\\":\\"forged\\"}'],
  ["a control character", "run\\u001b[2J"],
  ["a path", "../../admin"],
  ["a NUL", "run\\u0000"],
  ["nothing", ""],
  ["10,000 characters", "r".repeat(10_000)],
])("a function whose name is %s is refused, and is in no log", async (_, name) => {
  const manifest = `{"sdk":"0.1.0","functions":[{"name":"${name}"}]}`;
  const bytes = [...new TextEncoder().encode(manifest)];
  const data = bytes.map((byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("");
  const describeIt = `(i32.store (i32.const 8) (i32.const 16384)) (i32.store (i32.const 12) (i32.const ${bytes.length})) i32.const 8`;
  const answer = await attacker.upload(
    "named",
    await coreGuest({ describe: describeIt, fields: `(data (i32.const 16384) "${data}")` }),
  );
  expect(answer.status).toBe(422);
  expect(answer.code).toBe("MANIFEST_INVALID");
  expect(host.output).not.toContain("forged");
  for (const line of host.output.split("\n").filter((text) => text.startsWith("{")))
    JSON.parse(line);
});

test("nothing of it was an error to the host", () => {
  expect(host.output).toContain('"level":"info"');
  expect(host.output).not.toMatch(/"level":"(?:warn|error|fatal)"/u);
});
