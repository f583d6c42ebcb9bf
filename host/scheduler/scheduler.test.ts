import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { startStorageThread } from "@downpour/kvs";
import type { StorageThread } from "@downpour/kvs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { LogAllowance } from "../log-allowance.ts";
import { createEngine } from "../engine/create-engine.ts";
import type { CompiledComponent } from "../engine/engine.ts";
import { wasiDeclarations } from "../engine/wasi/index.ts";
import type { AppLimits, LogEntry, Outcome } from "../protocol.ts";
import { BEHAVIOUR_FUNCTIONS, buildBehaviourGuest } from "../testing/behaviour-guest.ts";
import { functionWorld } from "../world/function-world.ts";
import type { DeployedApp, InvocationRecord, InvokeRequest } from "./deployed-app.ts";
import type { LoadLimits } from "./load.ts";
import { Scheduler } from "./scheduler.ts";
import type { SchedulerTuning, TenantLoadLimits } from "./scheduler.ts";

// Real executor threads, a real store on a real disk, a real component.

let directory: string;
let storage: StorageThread;
let component: CompiledComponent;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "downpour-scheduler-"));
  storage = await startStorageThread({ directory });
  const bytes = await buildBehaviourGuest();
  component = createEngine().compile(bytes, functionWorld(wasiDeclarations), {
    componentBytesMax: bytes.byteLength,
    nestingDepthMax: 16,
    sectionsMax: 10_000,
    coreFunctionsMax: 100_000,
    coreModulesMax: 64,
    typeNodesMax: 100_000,
    definitionsMax: 100_000,
    nameBytesMax: 4096,
    tablesMax: 64,
    tableElementsMax: 100_000,
    grownTableElementsMax: 10_000,
    memoriesMax: 16,
  }).component;
});

afterAll(async () => {
  await storage.close();
  await rm(directory, { recursive: true });
});

const limits: AppLimits = {
  resultBytesMax: 100_000,
  stateValueBytesMax: 100_000,
  stateOperationsMax: 1_000_000_000,
  logMessageBytesMax: 1000,
  logEntriesMax: 3,
  logAllowance: LogAllowance.of(1_000_000).shared,
  idleInstancesMax: 8,
  tenantInstancesMax: 1_000,
  cpuMsMax: 60_000,
  memoryBytesMax: 256 * 1024 * 1024,
  environment: {},
};

const loadLimits: LoadLimits = {
  concurrencyMax: 1000,
  queueDepthMax: 1000,
  queuedBytesMax: 1_000_000,
  requestsPerSecondMax: 1_000_000,
};

const tenantLimits: TenantLoadLimits = {
  concurrencyMax: 2000,
  queueDepthMax: 2000,
  queuedBytesMax: 1_200_000,
  requestsPerSecondMax: 1_000_000,
  weight: 1,
};

const identity = { tenantId: "acme", app: "behaviour", revisionId: "r1" };

function deployed(app: Partial<DeployedApp> & { readonly revisionId?: string } = {}): DeployedApp {
  return {
    identity: { ...identity, revisionId: app.revisionId ?? "r1" },
    codeKey: app.identity?.revisionId ?? app.revisionId ?? "r1",
    functions: BEHAVIOUR_FUNCTIONS,
    executorLimits: limits,
    deadlineMs: 10_000,
    limits: loadLimits,
    codeBytes: 1000,
    load: async () => component,
    ...app,
  };
}

function call(
  functionName: string,
  body = "",
  request: Partial<InvokeRequest> = {},
): InvokeRequest {
  return {
    tenantId: "acme",
    app: "behaviour",
    functionName,
    input: { mediaType: "application/json", body: Buffer.from(body) },
    deadlineMs: undefined,
    idempotencyKey: undefined,
    metadata: [],
    ...request,
  };
}

function text(outcome: Outcome): string {
  if (outcome.kind === "failed") return outcome.error.code;
  return Buffer.from(outcome.output.body).toString();
}

const logged: LogEntry[] = [];
const records: InvocationRecord[] = [];
const complaints: string[] = [];
const refusals: string[] = [];
let scheduler: Scheduler | undefined;

const executor = {
  instancesMax: 2000,
  memory: { bytesMax: 2 ** 32, tenantBytesMax: 2 ** 32 },
  instanceIdleMs: 60_000,
  idleInstanceBytesMax: 64_000_000,
  sliceMs: 1,
};

/** What computes is not put aside: it holds its thread as only a fault of the host's own could. */
const unyielding = { executor: { ...executor, sliceMs: 3_600_000 } };

async function start(tuning: Partial<SchedulerTuning> = {}): Promise<Scheduler> {
  logged.length = 0;
  records.length = 0;
  complaints.length = 0;
  refusals.length = 0;
  scheduler = await Scheduler.start({
    storage,
    tuning: {
      executorCount: 1,
      isolation: "shared",
      inFlightPerExecutorMax: 2000,
      cancelGraceMs: 300,
      revisionIdleMs: 60_000,
      turnMaxMs: 30_000,
      loadedAheadMax: { count: 8, codeBytes: 1_000_000 },
      queuedBytesMax: 1_500_000,
      executor,
      ...tuning,
    },
    logger: {
      warn: (_details, message) => complaints.push(message),
      error: (_details, message) => complaints.push(message),
    },
    onLog: (entries) => logged.push(...entries),
    onSettled: (record) => records.push(record),
    onRefused: ({ code }) => refusals.push(code),
  });
  scheduler.setTenant("acme", tenantLimits);
  return scheduler;
}

afterEach(async () => {
  await scheduler?.drain(5000);
  scheduler = undefined;
});

describe("an invocation", () => {
  test("answers with what the function returned", async () => {
    const running = await start();
    running.deploy(deployed());
    const { outcome, invocationId } = await running.invoke(call("echo", "hello"));
    expect(text(outcome)).toBe("hello");
    expect(outcome.usage.coldStart).toBe(true);
    expect(outcome.usage.memoryBytes).toBeGreaterThan(65_535);
    expect(records).toMatchObject([
      { invocationId, functionName: "echo", inputBytes: 5, outputBytes: 5, errorCode: undefined },
    ]);
  });

  test("is told who runs, for whom and until when", async () => {
    const running = await start();
    running.deploy(deployed());
    const { outcome, invocationId } = await running.invoke(
      call("context", "", { idempotencyKey: "once", metadata: [["x-trace", "7"]] }),
    );
    expect(JSON.parse(text(outcome))).toMatchObject({
      id: invocationId,
      tenant: "acme",
      app: "behaviour",
      revision: "r1",
      function: "context",
      idempotencyKey: "once",
      metadata: [["x-trace", "7"]],
    });
  });

  test("reuses a warm instance", async () => {
    const running = await start();
    running.deploy(deployed());
    await running.invoke(call("calls"));
    const second = await running.invoke(call("calls"));
    expect(text(second.outcome)).toBe("2");
    expect(second.outcome.usage.coldStart).toBe(false);
  });

  test("is not charged for its waiting", async () => {
    const running = await start();
    running.deploy(deployed());
    await running.invoke(call("echo", "warm"));
    const { usage } = (await running.invoke(call("sleep", "300"))).outcome;
    expect(usage.wallUs).toBeGreaterThan(290_000);
    expect(usage.cpuUs).toBeLessThan(usage.wallUs / 2);
  });

  test("leaves no instance behind that grew past what is worth keeping", async () => {
    const running = await start();
    running.deploy(deployed());
    await running.invoke(call("calls"));
    await running.invoke(call("big", "80000000"));
    expect(text((await running.invoke(call("calls"))).outcome)).toBe("1");
  });

  test("adds durably, and reads what it added", async () => {
    const running = await start();
    running.deploy(deployed());
    const added = await Promise.all(
      Array.from({ length: 100 }, () => running.invoke(call("add", "durable-counter"))),
    );
    const values = added.map(({ outcome }) => Number(text(outcome))).toSorted((a, b) => a - b);
    expect(values).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    expect(text((await running.invoke(call("read", "durable-counter"))).outcome)).toBe("100");
  });

  test("a burst of writes shares the instances whose writes are not yet stored", async () => {
    const running = await start();
    running.deploy(deployed({ executorLimits: { ...limits, idleInstancesMax: 1000 } }));
    const burst = await Promise.all(
      Array.from({ length: 1000 }, () => running.invoke(call("add", "burst"))),
    );
    expect(burst.every(({ outcome }) => outcome.kind === "completed")).toBe(true);
    const coldStarts = burst.filter(({ outcome }) => outcome.usage.coldStart).length;
    expect(coldStarts).toBeLessThan(50);
  });

  test("a burst takes turns on the instances that an executor may have", async () => {
    const running = await start({ executor: { ...executor, instancesMax: 20 } });
    running.deploy(deployed());
    const burst = await Promise.all(
      Array.from({ length: 100 }, () => running.invoke(call("sleep", "10"))),
    );
    expect(burst.every(({ outcome }) => outcome.kind === "completed")).toBe(true);
  });

  test("a thousand that wait at once on one thread all complete", async () => {
    const running = await start();
    running.deploy(deployed());
    const sleepers = await Promise.all(
      Array.from({ length: 1000 }, () => running.invoke(call("sleep", "500"))),
    );
    expect(new Set(sleepers.map(({ outcome }) => text(outcome)))).toEqual(new Set(['"slept"']));
  });
});

describe("a failure of the guest is an outcome", () => {
  test.each([
    ["throw", "", "FUNCTION_THREW"],
    ["fail", "", "FUNCTION_ERROR"],
    ["trap", "", "GUEST_TRAPPED"],
    ["recurse", "", /^(?:GUEST_TRAPPED|FUNCTION_THREW)$/u],
    ["unserializable", "", "RESULT_UNSERIALIZABLE"],
    ["big", "100001", "RESULT_TOO_LARGE"],
    ["typed", "text/plain\r\nset-cookie: a=b", "RESULT_UNSERIALIZABLE"],
  ])("%s(%s)", async (functionName, body, code) => {
    const running = await start();
    running.deploy(deployed());
    const { outcome } = await running.invoke(call(functionName, body));
    expect(outcome.kind).toBe("failed");
    expect(text(outcome)).toMatch(code);
    expect(text((await running.invoke(call("echo", "still here"))).outcome)).toBe("still here");
  });

  test("a trapped instance never serves again, one that only threw does", async () => {
    const running = await start();
    running.deploy(deployed());
    await running.invoke(call("calls"));
    await running.invoke(call("throw"));
    expect(text((await running.invoke(call("calls"))).outcome)).toBe("2");
    await running.invoke(call("trap"));
    expect(text((await running.invoke(call("calls"))).outcome)).toBe("1");
  });

  test("carries the author's code and details, and the exception's stack", async () => {
    const running = await start();
    running.deploy(deployed());
    const failed = (await running.invoke(call("fail"))).outcome;
    expect(failed).toMatchObject({
      error: {
        message: "poor",
        details: { functionCode: "NO_FUNDS", functionDetails: '{"missing":3}' },
      },
    });
    const threw = (await running.invoke(call("throw"))).outcome;
    expect(threw).toMatchObject({
      error: {
        message: "x is not y",
        details: { exception: "TypeError", stack: "at src/index.ts:1:2" },
      },
    });
  });

  test("stands in the function's log", async () => {
    const running = await start();
    running.deploy(deployed());
    await running.invoke(call("throw"));
    expect(logged).toMatchObject([
      { tenantId: "acme", app: "behaviour", functionName: "throw", level: "error" },
    ]);
    expect(logged[0]?.message).toContain("TypeError: x is not y");
  });
});

test("a function that logs past its limit is cut once, with a notice", async () => {
  const running = await start();
  running.deploy(deployed());
  await running.invoke(call("log", "10"));
  expect(logged.map((entry) => entry.message)).toEqual([
    "entry 0",
    "entry 1",
    "entry 2",
    "[7 log entries dropped: an invocation may write 3]",
  ]);
});

test("a function that asks more of the state than it may is ended, and the next call is counted anew", async () => {
  const running = await start();
  running.deploy(deployed({ executorLimits: { ...limits, stateOperationsMax: 500 } }));
  expect(text((await running.invoke(call("readOften", "500"))).outcome)).toBe('"read"');
  expect(text((await running.invoke(call("readOften", "500"))).outcome)).toBe('"read"');
  const { outcome } = await running.invoke(call("readOften", "501"));
  expect(text(outcome)).toBe("STATE_OPERATIONS_EXCEEDED");
  expect(logged.at(-1)?.message).toContain("STATE_OPERATIONS_EXCEEDED");
});

describe("a deadline", () => {
  test("ends a function that waits, and the executor goes on", async () => {
    const running = await start();
    running.deploy(deployed());
    const { outcome } = await running.invoke(call("sleep", "60000", { deadlineMs: 50 }));
    expect(text(outcome)).toBe("DEADLINE_EXCEEDED");
    expect(text((await running.invoke(call("echo", "on"))).outcome)).toBe("on");
    expect(complaints).toEqual([]);
  });

  test("of the app caps what a caller asks for", async () => {
    const running = await start();
    running.deploy(deployed({ deadlineMs: 50 }));
    const { outcome } = await running.invoke(call("sleep", "60000", { deadlineMs: 60_000 }));
    expect(text(outcome)).toBe("DEADLINE_EXCEEDED");
  });

  test("ends a function that never returns, and its neighbours on the thread do not notice", async () => {
    const running = await start();
    running.deploy(deployed());
    const neighbour = running.invoke(call("sleep", "300"));
    const loop = running.invoke(call("loop", "", { deadlineMs: 500 }));
    expect(text((await neighbour).outcome)).toBe('"slept"');
    expect(text((await running.invoke(call("echo", "beside it"))).outcome)).toBe("beside it");
    expect(text((await loop).outcome)).toBe("DEADLINE_EXCEEDED");
    expect(text((await running.invoke(call("echo", "same thread"))).outcome)).toBe("same thread");
    expect(complaints).toEqual([]);
    expect(running.stats()).toMatchObject({ inFlight: 0, queued: 0 });
  });

  test("ends a function that does not give its thread back: its executor is replaced, and the next call served", async () => {
    const running = await start(unyielding);
    running.deploy(deployed());
    const neighbour = running.invoke(call("sleep", "60000"));
    const { outcome } = await running.invoke(call("loop", "", { deadlineMs: 1_000 }));
    expect(text(outcome)).toBe("DEADLINE_EXCEEDED");
    expect(text((await neighbour).outcome)).toBe("EXECUTOR_LOST");
    expect(text((await running.invoke(call("echo", "new thread"))).outcome)).toBe("new thread");
    expect(complaints).toEqual(["an executor does not answer and is replaced"]);
    expect(running.stats()).toMatchObject({ inFlight: 0, queued: 0 });
  });

  test("of an endless loop costs only what had started: what waited behind it runs on the next thread", async () => {
    const running = await start(unyielding);
    running.deploy(deployed());
    await running.invoke(call("echo", "loads the revision"));
    const loop = running.invoke(call("loop", "", { deadlineMs: 1_000 }));
    const behind = ["a", "b", "c"].map((body) => running.invoke(call("echo", body)));
    expect(text((await loop).outcome)).toBe("DEADLINE_EXCEEDED");
    const outcomes = await Promise.all(behind);
    expect(outcomes.map(({ outcome }) => text(outcome))).toEqual(["a", "b", "c"]);
  });

  test("of an endless loop is charged, and stands in the log after what the function said", async () => {
    const running = await start();
    running.deploy(deployed());
    await running.invoke(call("loop", "", { deadlineMs: 1_000 }));
    await running.invoke(call("echo", "on the next thread"));
    const record = records.find(({ functionName }) => functionName === "loop");
    expect(record?.errorCode).toBe("DEADLINE_EXCEEDED");
    expect(record?.usage.cpuUs).toBeGreaterThan(10_000);
    expect(record?.usage.fuel).toBeGreaterThan(1_000_000);
    expect(logged.map(({ level, message }) => `${level} ${message}`)).toEqual([
      "info before the loop",
      expect.stringContaining("error DEADLINE_EXCEEDED"),
    ]);
  });

  test("counts while the invocation is queued", async () => {
    const running = await start();
    running.deploy(deployed({ limits: { ...loadLimits, concurrencyMax: 1 } }));
    const first = running.invoke(call("sleep", "300"));
    const second = await running.invoke(call("echo", "", { deadlineMs: 50 }));
    expect(text(second.outcome)).toBe("DEADLINE_EXCEEDED");
    expect(text((await first).outcome)).toBe('"slept"');
  });
});

describe("a caller that goes away", () => {
  test("ends its running invocation", async () => {
    const running = await start();
    running.deploy(deployed());
    const caller = new AbortController();
    const invocation = running.invoke(call("sleep", "60000"), caller.signal);
    setTimeout(() => caller.abort(), 50);
    expect(text((await invocation).outcome)).toBe("CANCELLED");
  });

  test("takes its queued invocation out of the queue", async () => {
    const running = await start();
    running.deploy(deployed({ limits: { ...loadLimits, concurrencyMax: 1 } }));
    await running.invoke(call("echo", "loads the revision"));
    const first = running.invoke(call("sleep", "200"));
    const caller = new AbortController();
    const second = running.invoke(call("echo"), caller.signal);
    caller.abort();
    expect(text((await second).outcome)).toBe("CANCELLED");
    expect(running.stats().queued).toBe(0);
    await first;
  });

  test("before the call is never run", async () => {
    const running = await start();
    running.deploy(deployed());
    const { outcome } = await running.invoke(call("add", "aborted"), AbortSignal.abort());
    expect(text(outcome)).toBe("CANCELLED");
  });
});

describe("admission", () => {
  test("refuses an unknown app, an unknown function and a full queue by their codes", async () => {
    const running = await start();
    running.deploy(deployed({ limits: { ...loadLimits, concurrencyMax: 1, queueDepthMax: 1 } }));
    await expect(running.invoke(call("echo", "", { app: "__proto__" }))).rejects.toMatchObject({
      code: "APP_NOT_FOUND",
    });
    await expect(running.invoke(call("constructor"))).rejects.toMatchObject({
      code: "FUNCTION_NOT_FOUND",
    });
    await running.invoke(call("echo", "loads the revision"));
    const first = running.invoke(call("sleep", "200"));
    const second = running.invoke(call("echo", "queued"));
    await expect(running.invoke(call("echo"))).rejects.toMatchObject({ code: "QUEUE_FULL" });
    expect(text((await first).outcome)).toBe('"slept"');
    expect(text((await second).outcome)).toBe("queued");
  });

  test("runs at most the app's concurrency at once, in order", async () => {
    const running = await start();
    running.deploy(deployed({ limits: { ...loadLimits, concurrencyMax: 2 } }));
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 6 }, async (_, index) => {
        await running.invoke(call("sleep", "20"));
        order.push(index);
        expect(running.stats().inFlight).toBeLessThanOrEqual(2);
      }),
    );
    // Two that run at once may end in either order.
    for (const [place, index] of order.entries()) expect(Math.abs(place - index)).toBeLessThan(2);
  });

  test("bounds a queue in bytes as well as in calls", async () => {
    const running = await start();
    running.deploy(deployed({ limits: { ...loadLimits, concurrencyMax: 1 } }));
    await running.invoke(call("echo", "loads the revision"));
    const first = running.invoke(call("sleep", "200"));
    const large = running.invoke(call("calls", "x".repeat(900_000)));
    await expect(running.invoke(call("calls", "x".repeat(200_000)))).rejects.toMatchObject({
      code: "QUEUE_FULL",
    });
    await Promise.all([first, large]);
    expect(text((await running.invoke(call("calls", "x".repeat(200_000)))).outcome)).toBe("2");
  });

  test("functions that write without an end do not keep others from starting", async () => {
    const running = await start();
    running.deploy(
      deployed({ executorLimits: { ...limits, stateOperationsMax: Number.MAX_SAFE_INTEGER } }),
    );
    await running.invoke(call("echo", "loads the revision"));
    const writers = Array.from({ length: 60 }, () =>
      running.invoke(call("addForever", "writers", { deadlineMs: 3000 })),
    );
    const other = await running.invoke(call("echo", "between", { deadlineMs: 2000 }));
    expect(text(other.outcome)).toBe("between");
    const ended = await Promise.all(writers);
    expect(new Set(ended.map(({ outcome }) => text(outcome)))).toEqual(
      new Set(["DEADLINE_EXCEEDED"]),
    );
  });

  test("lets an app begin no more in a second than its rate, and says when to come again", async () => {
    const running = await start();
    running.deploy(deployed({ limits: { ...loadLimits, requestsPerSecondMax: 2 } }));
    await Promise.all([running.invoke(call("echo")), running.invoke(call("echo"))]);
    await expect(running.invoke(call("echo"))).rejects.toMatchObject({
      code: "RATE_LIMITED",
      details: { limitOf: "app", requestsPerSecondMax: 2, retryAfterMs: expect.any(Number) },
    });
    expect(refusals).toEqual(["RATE_LIMITED"]);
    running.deploy(deployed());
    expect(text((await running.invoke(call("echo", "faster"))).outcome)).toBe("faster");
  });

  test("bounds a tenant with all its apps", async () => {
    const running = await start();
    const other = { tenantId: "acme", app: "other", revisionId: "r1" };
    running.deploy(deployed());
    running.deploy(deployed({ identity: other }));
    await running.invoke(call("echo"));
    await running.invoke(call("echo", "", { app: "other" }));
    running.setTenant("acme", { ...tenantLimits, concurrencyMax: 1, queueDepthMax: 1 });
    const first = running.invoke(call("sleep", "200"));
    const second = running.invoke(call("echo", "queued", { app: "other" }));
    await expect(running.invoke(call("echo"))).rejects.toMatchObject({
      code: "QUEUE_FULL",
      details: { limitOf: "tenant", queueDepthMax: 1 },
    });
    expect(running.loadOf("acme")).toEqual({ inFlight: 1, queued: 1, queuedBytes: 6 });
    expect(running.loadOf("acme", "other")).toEqual({ inFlight: 0, queued: 1, queuedBytes: 6 });
    expect(text((await first).outcome)).toBe('"slept"');
    expect(text((await second).outcome)).toBe("queued");
    running.setTenant("acme", { ...tenantLimits, requestsPerSecondMax: 1 });
    await running.invoke(call("echo"));
    await expect(running.invoke(call("echo", "", { app: "other" }))).rejects.toMatchObject({
      code: "RATE_LIMITED",
      details: { limitOf: "tenant" },
    });
  });

  test("a tenant at its limit is in nobody's way", async () => {
    const running = await start();
    running.setTenant("other", tenantLimits);
    running.deploy(deployed());
    running.deploy(deployed({ identity: { ...identity, tenantId: "other" } }));
    await running.invoke(call("echo"));
    running.setTenant("acme", { ...tenantLimits, concurrencyMax: 1 });
    const sleeper = running.invoke(call("sleep", "300"));
    const waiting = running.invoke(call("echo", "later"));
    const { outcome } = await running.invoke(call("echo", "now", { tenantId: "other" }));
    expect(text(outcome)).toBe("now");
    expect(running.loads()).toEqual([{ tenantId: "acme", inFlight: 1, queued: 1, queuedBytes: 5 }]);
    await Promise.all([sleeper, waiting]);
  });

  test("a change of limits keeps the instances that are warm", async () => {
    const running = await start();
    running.deploy(deployed());
    await running.invoke(call("calls"));
    running.deploy(deployed({ limits: { ...loadLimits, concurrencyMax: 3 } }));
    expect(text((await running.invoke(call("calls"))).outcome)).toBe("2");
  });

  test("lets waiting apps take turns", async () => {
    const running = await start({ inFlightPerExecutorMax: 1 });
    running.deploy(deployed());
    const other = { tenantId: "acme", app: "other", revisionId: "r1" };
    running.deploy(deployed({ identity: other }));
    const order: string[] = [];
    const floods = Array.from({ length: 10 }, async () => {
      await running.invoke(call("echo"));
      order.push("flood");
    });
    const late = running.invoke(call("echo", "", { app: "other" })).then(() => order.push("other"));
    await Promise.all([...floods, late]);
    expect(order.indexOf("other")).toBeLessThan(5);
  });
});

/** What ends before a call of `quiet` that comes last, of a flood that `acme` began with before it. */
async function aheadOf(running: Scheduler, flood: number, steps: string): Promise<number> {
  let ended = 0;
  const floods = Array.from({ length: flood }, async () => {
    await running.invoke(call("burn", steps));
    ended += 1;
  });
  const { outcome } = await running.invoke(call("echo", "hello", { tenantId: "quiet" }));
  expect(text(outcome)).toBe("hello");
  const ahead = ended;
  await Promise.all(floods);
  return ahead;
}

/** On a machine that has hardly any time for them, too. */
const BURNS_DEADLINE_MS = 120_000;

describe("tenants that want more than there is", () => {
  test("take turns: a flood does not hold up who comes late", async () => {
    const running = await start();
    running.setTenant("quiet", tenantLimits);
    running.deploy(deployed());
    running.deploy(deployed({ identity: { ...identity, tenantId: "quiet" } }));
    await running.invoke(call("echo", "", { tenantId: "quiet" }));
    // What it takes is learned.
    for (let warm = 0; warm < 10; warm += 1) await running.invoke(call("burn", "30000"));
    expect(await aheadOf(running, 300, "30000")).toBeLessThan(30);
  });

  test("of an app that nothing is known of, no more is sent ahead than instances are made in a moment", async () => {
    const running = await start();
    running.setTenant("quiet", tenantLimits);
    running.deploy(deployed());
    running.deploy(deployed({ identity: { ...identity, tenantId: "quiet" } }));
    await Promise.all(["quiet", "acme"].map((tenantId) => running.prepare(tenantId, "behaviour")));
    const calls = ["quiet", ...Array.from({ length: 9 }, () => "acme")].map((tenantId) =>
      running.invoke(call("echo", "", { tenantId })),
    );
    expect(running.stats()).toMatchObject({ inFlight: 2, queued: 8 });
    await Promise.all(calls);
  });

  test("get processor time by weight, whoever has the cheaper calls", async () => {
    const running = await start();
    const tenants = { light: { weight: 1, steps: "20000" }, heavy: { weight: 3, steps: "5000" } };
    const usedUs = { light: 0, heavy: 0 };
    const ends: Promise<void>[] = [];
    let isContended = true;
    for (const [tenantId, { weight }] of Object.entries(tenants)) {
      running.setTenant(tenantId, { ...tenantLimits, weight });
      const app = { identity: { ...identity, tenantId }, deadlineMs: BURNS_DEADLINE_MS };
      running.deploy(deployed(app));
      await running.invoke(call("echo", "", { tenantId }));
    }
    for (const tenantId of ["light", "heavy"] as const) {
      const counts = { light: 50, heavy: 200 };
      let left = counts[tenantId];
      for (let index = 0; index < counts[tenantId]; index += 1) {
        const count = async (): Promise<void> => {
          const input = tenants[tenantId].steps;
          const { outcome } = await running.invoke(call("burn", input, { tenantId }));
          if (isContended) usedUs[tenantId] += outcome.usage.cpuUs;
          left -= 1;
          if (left === 0) isContended = false;
        };
        ends.push(count());
      }
    }
    await Promise.all(ends);
    const share = usedUs.heavy / (usedUs.light + usedUs.heavy);
    expect(share).toBeGreaterThan(0.6);
    expect(share).toBeLessThan(0.9);
  }, 150_000);
});

test.runIf(process.platform === "linux")(
  "executors leave the processor to the thread that answers clients",
  async () => {
    await start({ executorCount: 2 });
    const nicenesses = readdirSync("/proc/self/task").map((id) => {
      const stat = readFileSync(`/proc/self/task/${id}/stat`, "utf8");
      // The 19th field; the second one, a name in brackets, may hold spaces.
      return [stat.split(/[()]/u)[1], Number(stat.split(") ")[1]?.split(" ")[16])];
    });
    const ofExecutors = nicenesses.filter(([name]) => String(name).startsWith("executor-"));
    expect(ofExecutors.map(([, niceness]) => niceness)).toEqual([5, 5]);
    expect(nicenesses.filter(([, niceness]) => niceness === 5)).toHaveLength(2);
  },
);

describe("with a thread for each tenant", () => {
  test("tenants never meet on one, and each has its turn", async () => {
    const running = await start({ isolation: "thread" });
    for (const tenantId of ["a", "b", "c"]) {
      running.setTenant(tenantId, tenantLimits);
      running.deploy(deployed({ identity: { ...identity, tenantId } }));
    }
    for (let round = 0; round < 2; round += 1) {
      for (const tenantId of ["a", "b", "c"]) {
        // A thread that had run another tenant's guests would not be fresh.
        const first = await running.invoke(call("calls", "", { tenantId }));
        const second = await running.invoke(call("calls", "", { tenantId }));
        expect([text(first.outcome), text(second.outcome)]).toEqual(["1", "2"]);
      }
    }
    expect(complaints).toEqual([]);
  });

  test("who keeps a thread busy gives it up between two invocations", async () => {
    const running = await start({ isolation: "thread" });
    for (const tenantId of ["busy", "quiet"]) {
      running.setTenant(tenantId, tenantLimits);
      running.deploy(deployed({ identity: { ...identity, tenantId } }));
    }
    const flood = Array.from({ length: 60 }, () =>
      running.invoke(call("sleep", "100", { tenantId: "busy" })),
    );
    let ended = 0;
    for (const invocation of flood) void invocation.finally(() => (ended += 1));
    running.setTenant("busy", { ...tenantLimits, concurrencyMax: 2 });
    const { outcome } = await running.invoke(call("echo", "mine", { tenantId: "quiet" }));
    expect(text(outcome)).toBe("mine");
    const all = await Promise.all(flood);
    expect(ended).toBe(60);
    expect(new Set(all.map((settled) => text(settled.outcome)))).toEqual(new Set(['"slept"']));
  });
});

describe("a function that does not give its thread back", () => {
  test("is ended long before its deadline, and alone is to blame", async () => {
    const running = await start({ ...unyielding, turnMaxMs: 400 });
    running.setTenant("quiet", tenantLimits);
    running.deploy(deployed());
    running.deploy(deployed({ identity: { ...identity, tenantId: "quiet" } }));
    await running.invoke(call("echo", "", { tenantId: "quiet" }));
    await running.invoke(call("echo"));
    for (let offence = 0; offence < 2; offence += 1) {
      const neighbour = running.invoke(call("sleep", "60000", { tenantId: "quiet" }));
      // A call of its own that waits beside it is no less innocent.
      const own = running.invoke(call("sleep", "60000"));
      const loop = await running.invoke(call("loop"));
      expect(text(loop.outcome)).toBe("EXECUTOR_BLOCKED");
      expect(text((await neighbour).outcome)).toBe("EXECUTOR_LOST");
      expect(text((await own).outcome)).toBe("EXECUTOR_LOST");
    }
    await expect(running.invoke(call("echo"))).rejects.toMatchObject({
      code: "BACKED_OFF",
      details: { limitOf: "app", retryAfterMs: expect.any(Number) },
    });
    const { outcome } = await running.invoke(call("echo", "served", { tenantId: "quiet" }));
    expect(text(outcome)).toBe("served");
  });

  test("is known by its own deadline's end too, and not by that of one which waits beside it", async () => {
    const running = await start(unyielding);
    running.setTenant("quiet", tenantLimits);
    running.deploy(deployed());
    running.deploy(deployed({ identity: { ...identity, tenantId: "quiet" } }));
    await running.invoke(call("echo", "", { tenantId: "quiet" }));
    await running.invoke(call("echo"));
    const victim = { tenantId: "quiet", deadlineMs: 2000 };
    for (let offence = 0; offence < 2; offence += 1) {
      const waiting = running.invoke(call("sleep", "60000", victim));
      const loop = running.invoke(call("loop"));
      expect(text((await waiting).outcome)).toBe("DEADLINE_EXCEEDED");
      expect(text((await loop).outcome)).toBe("EXECUTOR_BLOCKED");
    }
    await expect(running.invoke(call("echo"))).rejects.toMatchObject({ code: "BACKED_OFF" });
    const { outcome } = await running.invoke(call("echo", "served", { tenantId: "quiet" }));
    expect(text(outcome)).toBe("served");
  });

  test("is known also where a neighbour's wait ended in the same moment as its own", async () => {
    const running = await start({ ...unyielding, turnMaxMs: 400 });
    running.setTenant("quiet", tenantLimits);
    running.deploy(deployed());
    running.deploy(deployed({ identity: { ...identity, tenantId: "quiet" } }));
    // Known as short, both are sent at once and start in one turn: their writes go and come in one message.
    for (let repeated = 0; repeated < 30; repeated += 1) {
      await running.invoke(call("add", "warm", { tenantId: "quiet" }));
      await running.invoke(call("add", "warm"));
    }
    const loop = running.invoke(call("addThenLoop", "a"));
    const neighbour = running.invoke(call("add", "b", { tenantId: "quiet" }));
    expect(text((await loop).outcome)).toBe("EXECUTOR_BLOCKED");
    expect(text((await neighbour).outcome)).toBe("EXECUTOR_LOST");
  });

  test("loses nothing that waited on its thread for the room of an instance", async () => {
    const one = { executor: { ...unyielding.executor, instancesMax: 1 } };
    const running = await start({ ...one, turnMaxMs: 400 });
    running.deploy(deployed());
    await running.invoke(call("echo", "loads the revision"));
    const loop = running.invoke(call("sleepThenLoop", "300"));
    const behind = running.invoke(call("echo", "behind"));
    expect(text((await loop).outcome)).toBe("EXECUTOR_BLOCKED");
    expect(text((await behind).outcome)).toBe("behind");
  });

  test("in many apps keeps the whole tenant out", async () => {
    const running = await start({ ...unyielding, turnMaxMs: 300 });
    for (let index = 0; index < 5; index += 1) {
      const app = `app-${index}`;
      running.deploy(deployed({ identity: { ...identity, app } }));
      if (index < 4) await running.invoke(call("loop", "", { app }));
    }
    await expect(running.invoke(call("echo", "", { app: "app-4" }))).rejects.toMatchObject({
      code: "BACKED_OFF",
      details: { limitOf: "tenant" },
    });
  });
});

describe("a deployment", () => {
  test("serves new calls at once, while running ones end on their revision", async () => {
    const running = await start();
    running.deploy(deployed({ revisionId: "r1" }));
    await running.invoke(call("echo", "loads the revision"));
    const old = running.invoke(call("sleep", "200"));
    running.deploy(deployed({ revisionId: "r2" }));
    const { outcome } = await running.invoke(call("context"));
    expect(JSON.parse(text(outcome))).toMatchObject({ revision: "r2" });
    expect(text((await old).outcome)).toBe('"slept"');
    expect(records.map((record) => record.identity.revisionId)).toEqual(["r1", "r2", "r1"]);
    expect(running.stats().loadedRevisions).toBe(1);
  });

  test("of an app that waits for an executor serves the waiting calls", async () => {
    const running = await start({ inFlightPerExecutorMax: 1 });
    running.deploy(deployed());
    const other = { tenantId: "acme", app: "other" };
    running.deploy(deployed({ identity: { ...other, revisionId: "r1" } }));
    await running.invoke(call("echo", "", { app: "other" }));
    const busy = running.invoke(call("sleep", "200"));
    await running.invoke(call("echo", "", { deadlineMs: 1 }));
    const waiting = running.invoke(call("context", "", { app: "other" }));
    running.deploy(deployed({ identity: { ...other, revisionId: "r2" } }));
    expect(text((await busy).outcome)).toBe('"slept"');
    expect(JSON.parse(text((await waiting).outcome))).toMatchObject({ revision: "r2" });
  });

  test("that cannot be loaded fails its calls, and a later one serves", async () => {
    const running = await start();
    running.deploy(deployed({ load: () => Promise.reject(new Error("gone")) }));
    expect(text((await running.invoke(call("echo"))).outcome)).toBe("INTERNAL");
    running.deploy(deployed());
    expect(text((await running.invoke(call("echo", "ok"))).outcome)).toBe("ok");
  });

  test("is loaded once, however many calls wait for it", async () => {
    let loads = 0;
    const running = await start();
    running.deploy(
      deployed({
        load: async () => {
          loads += 1;
          return component;
        },
      }),
    );
    await Promise.all(Array.from({ length: 20 }, () => running.invoke(call("echo"))));
    expect(loads).toBe(1);
  });

  test("that is prepared is loaded before its first call, which does not load it again", async () => {
    let loads = 0;
    const running = await start();
    const load = async (): Promise<CompiledComponent> => {
      loads += 1;
      return component;
    };
    running.deploy(deployed({ load }));
    await running.prepare("acme", "behaviour");
    await running.prepare("acme", "behaviour");
    await running.prepare("acme", "unknown");
    expect(running.stats().loadedRevisions).toBe(1);
    expect(text((await running.invoke(call("echo", "ok"))).outcome)).toBe("ok");
    expect(loads).toBe(1);
  });

  test("is prepared when its thread has come to it, and not waited for where that is held for long", async () => {
    const running = await start(unyielding);
    running.deploy(deployed());
    running.deploy(deployed({ identity: { ...identity, app: "next" } }));
    const caller = new AbortController();
    const looped = running.invoke(call("loop"), caller.signal);
    await expect.poll(() => logged.length, { timeout: 10_000 }).toBe(1);
    let isPrepared = false;
    const prepared = running.prepare("acme", "next").then(() => (isPrepared = true));
    for (let turn = 0; turn < 10; turn += 1) await nextTurn();
    expect(isPrepared).toBe(false);
    await prepared;
    expect(running.stats().inFlight).toBe(1);
    caller.abort();
    await looped;
  });

  test("that is prepared and not called makes room for the next ones; one that is called stays", async () => {
    const running = await start({ loadedAheadMax: { count: 2, codeBytes: 1_000_000 } });
    for (const app of ["a", "b", "c", "d"]) {
      running.deploy(deployed({ identity: { tenantId: "acme", app, revisionId: "r1" } }));
    }
    await running.prepare("acme", "a");
    await running.invoke(call("echo", "", { app: "a" }));
    for (const app of ["b", "c", "d"]) await running.prepare("acme", app);
    expect(running.stats().loadedRevisions).toBe(3);
    for (const app of ["a", "b", "c", "d"]) {
      expect(text((await running.invoke(call("echo", app, { app }))).outcome)).toBe(app);
    }
  });

  test("that cannot be loaded ahead says so in the log, and is loaded by its first call", async () => {
    const running = await start();
    const outcomes = [Promise.reject(new Error("gone")), Promise.resolve(component)];
    outcomes[0]?.catch(() => undefined);
    running.deploy(deployed({ load: async () => outcomes.shift() ?? component }));
    await running.prepare("acme", "behaviour");
    expect(complaints).toEqual(["a revision could not be loaded"]);
    expect(text((await running.invoke(call("echo", "ok"))).outcome)).toBe("ok");
  });

  test("that is removed while it is prepared leaves nothing loaded", async () => {
    const running = await start();
    const { promise, resolve } = Promise.withResolvers<CompiledComponent>();
    running.deploy(deployed({ load: () => promise }));
    const prepared = running.prepare("acme", "behaviour");
    await running.remove("acme", "behaviour");
    resolve(component);
    await prepared;
    expect(running.stats().loadedRevisions).toBe(0);
  });

  test("that is removed ends its running and queued calls", async () => {
    const running = await start();
    running.deploy(deployed({ limits: { ...loadLimits, concurrencyMax: 1 } }));
    await running.invoke(call("echo", "loads the revision"));
    const first = running.invoke(call("sleep", "60000"));
    const second = running.invoke(call("echo"));
    const removed = running.remove("acme", "behaviour");
    expect(text((await first).outcome)).toBe("APP_NOT_FOUND");
    await removed;
    expect(running.stats().inFlight).toBe(0);
    expect(text((await second).outcome)).toBe("APP_NOT_FOUND");
    await expect(running.invoke(call("echo"))).rejects.toMatchObject({ code: "APP_NOT_FOUND" });
  });
});

describe("draining", () => {
  test("refuses new invocations and lets running ones end", async () => {
    const running = await start();
    running.deploy(deployed());
    const last = running.invoke(call("sleep", "200"));
    const drained = running.drain(5000);
    await expect(running.invoke(call("echo"))).rejects.toMatchObject({ code: "HOST_DRAINING" });
    expect(text((await last).outcome)).toBe('"slept"');
    await drained;
  });

  test("ends what still waits, without waiting for it", async () => {
    const running = await start();
    running.deploy(deployed());
    const sleeper = running.invoke(call("sleep", "60000"));
    await running.drain(100);
    expect(text((await sleeper).outcome)).toBe("HOST_DRAINING");
    expect(complaints).toEqual([]);
  });

  test("ends what does not end in time, and answers it", async () => {
    const running = await start();
    running.deploy(deployed());
    const stuck = running.invoke(call("loop"));
    await running.drain(100);
    expect(text((await stuck).outcome)).toBe("HOST_DRAINING");
  });
});
