import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { behaviours } from "../e2e/testing/components.ts";
import { at, HostUnderTest } from "../e2e/testing/host-under-test.ts";
import type { Answer, TenantClient } from "../e2e/testing/host-under-test.ts";
import { coreGuest, EMPTY_ANSWER } from "./testing/core-guest.ts";

// Code that computes, or takes memory, without an end. It ends at its own limit; its neighbour on the same
// thread is served all the while, and the thread goes on.

let host: HostUnderTest;
let attacker: TenantClient;
let neighbour: TenantClient;
let apps = 0;

beforeAll(async () => {
  host = await HostUnderTest.start({
    flags: ["--executors=1", "--cpu-ms-max=600", "--instance-memory-bytes-max=33554432"],
  });
  attacker = await host.tenant("attacker");
  neighbour = await host.tenant("neighbour");
  await neighbour.deploy("app", await behaviours());
  await neighbour.invoke("app/greet", "you");
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

/** How often the neighbour is served while an attack is under way. */
async function servedBeside(attack: Promise<Answer>): Promise<readonly [Answer, served: number]> {
  let isOver = false;
  const answer = attack.finally(() => {
    isOver = true;
  });
  let served = 0;
  const callUntilOver = async (): Promise<void> => {
    expect((await neighbour.invoke("app/greet", "you")).json()).toBe("Hello, you!");
    if (isOver) return;
    served += 1;
    await callUntilOver();
  };
  await callUntilOver();
  return [await answer, served];
}

async function deploy(app: string, parts: Parameters<typeof coreGuest>[0]): Promise<void> {
  const { status, body } = await attacker.upload(app, await coreGuest(parts));
  if (status !== 201) throw new Error(body.toString());
}

const ENDLESS = "(loop (br 0)) unreachable";

describe("an invocation", () => {
  test.each([
    ["loops", ENDLESS, ""],
    [
      "calls itself in the place of its return",
      "call $f",
      "(func $f (result i32) (return_call $f))",
    ],
    [
      "branches into ever more calls, without a loop",
      "(call $fib (i32.const 60))",
      `(func $fib (param i32) (result i32)
        (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
          (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
            (call $fib (i32.sub (local.get 0) (i32.const 2)))))))`,
    ],
    [
      "throws, and catches, and throws",
      `(loop $l (block $b (try_table (catch $t $b) (throw $t))) (br $l)) unreachable`,
      "(tag $t)",
    ],
    [
      "goes on whatever is thrown at it",
      `(loop $l (block $b (try_table (catch_all $b) (loop (br 0)))) (br $l)) unreachable`,
      "",
    ],
    [
      "fills its memory again and again",
      `(loop (memory.fill (i32.const 70000) (i32.const 1) (i32.const 900000)) (br 0)) unreachable`,
      "",
    ],
  ])("that %s is ended at its limit", async (_what, handle, fields) => {
    apps += 1;
    const app = `endless-${apps}`;
    await deploy(app, { handle: () => handle, fields });
    const [answer, served] = await servedBeside(attacker.invoke(`${app}/run`, null));
    expect(answer.code).toBe("CPU_LIMIT_EXCEEDED");
    expect(at(answer.json(), "details", "cpuMsMax")).toBe(600);
    expect(served).toBeGreaterThan(10);
  });

  test("is ended at the limit of its app, where that is lower", async () => {
    await deploy("quick", { handle: () => ENDLESS });
    const json = { cpuMsMax: 50, memoryBytesMax: 1_000_000_000_000 };
    expect((await attacker.api("PATCH", "/v1/apps/quick", { json })).status).toBe(400);
    const patched = await attacker.api("PATCH", "/v1/apps/quick", {
      json: { cpuMsMax: 50, memoryBytesMax: 4_000_000_000 },
    });
    expect(at(patched.json(), "config")).toMatchObject({
      cpuMsMax: 50,
      memoryBytesMax: 33_554_432,
    });
    const answer = await attacker.invoke("quick/run", null);
    expect(at(answer.json(), "details", "cpuMsMax")).toBe(50);
  });

  test.each([
    ["the host asks it for memory", { allocate: ENDLESS }],
    ["the host has taken its answer", { afterwards: ENDLESS }],
  ])("that loops where %s is ended, and its neighbour is served", async (_, parts) => {
    apps += 1;
    const app = `holds-${apps}`;
    await deploy(app, parts);
    const [answer] = await servedBeside(attacker.invoke(`${app}/run`, "an input"));
    expect(answer.code).toBe("CPU_LIMIT_EXCEEDED");
  });

  test("that calls itself without an end is ended by its stack", async () => {
    await deploy("deep", {
      handle: () => "call $f",
      fields: "(func $f (result i32) (i32.add (call $f) (i32.const 1)))",
    });
    expect((await attacker.invoke("deep/run", null)).code).toBe("GUEST_TRAPPED");
  });

  test("of many at once leaves its neighbour its turns, and each ends", async () => {
    await deploy("many", { handle: () => ENDLESS });
    const others = Array.from({ length: 9 }, () => attacker.invoke("many/run", null));
    const [last, served] = await servedBeside(attacker.invoke("many/run", null));
    await Promise.all(others);
    expect(["CPU_LIMIT_EXCEEDED", "DEADLINE_EXCEEDED"]).toContain(last.code);
    expect(served).toBeGreaterThan(20);
  });

  test("grows its memory and its tables as far as it may, and lives with that", async () => {
    await deploy("bomb", {
      handle: () => `
        (loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
        (loop $l (br_if $l (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
        (if (i32.gt_u (memory.size) (i32.const 512)) (then unreachable))
        (if (i32.gt_u (table.size $t) (i32.const 2000)) (then unreachable))
        i32.const ${EMPTY_ANSWER}`,
      fields: "(table $t 1 funcref)",
    });
    const [answer] = await servedBeside(attacker.invoke("bomb/run", null));
    expect(answer.status).toBe(200);
  });

  test("is told in the usage of its app, by the time and the instructions that it took", async () => {
    const usage = (await attacker.api("GET", "/v1/usage")).json();
    expect(Number(at(usage, "total", "fuel"))).toBeGreaterThan(1_000_000);
    expect(Number(at(usage, "total", "cpuMs"))).toBeGreaterThan(600);
  });
});

describe("an upload", () => {
  test.each([
    ["its description", { describe: ENDLESS }],
    ["its start function", { fields: "(func $s (loop (br 0))) (start $s)" }],
  ])("that loops in %s is refused, and the neighbour is served", async (what, parts) => {
    const component = await coreGuest(parts);
    const upload = attacker.upload(`upload-${what.length}`, component);
    const [answer, served] = await servedBeside(upload);
    expect(answer.code).toBe("COMPILE_LIMIT_EXCEEDED");
    expect(served).toBeGreaterThan(10);
  });

  test("whose memory begins with more than an instance may have traps when it is called", async () => {
    const component = await coreGuest({ fields: "(memory $more 600)" });
    expect((await attacker.upload("large", component)).status).toBe(201);
    const answer = await attacker.invoke("large/run", null);
    expect(answer.code).toBe("GUEST_TRAPPED");
    expect(answer.body.toString()).toContain("begin with more than it may have");
  });
});

test("none of these cost the thread that they ran on", () => {
  expect(host.output).not.toContain("is replaced");
});
