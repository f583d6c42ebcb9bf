import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { startStorageThread } from "@downpour/kvs";
import { beforeAll, describe, expect, test } from "vitest";
import { LogAllowance } from "../log-allowance.ts";
import { coreGuest } from "../../test/isolation/testing/core-guest.ts";
import { createEngine } from "../engine/create-engine.ts";
import type { CompiledComponent } from "../engine/engine.ts";
import { testLimits } from "../engine/testing/limits.ts";
import { EXECUTOR_CELLS_BYTES } from "../protocol.ts";
import type { AppLimits, ExecutorReply, ExecutorTuning, Invocation, Outcome } from "../protocol.ts";
import { functionWorld } from "../world/function-world.ts";
import { Executor } from "./executor.ts";

// An executor with a real engine and a real store, on the thread of the test. What it does with guests is
// tested through the scheduler, but for the moment at which it makes their instances.

const tuning: ExecutorTuning = {
  instancesMax: 10,
  memory: { bytesMax: 2 ** 30, tenantBytesMax: 2 ** 30 },
  instanceIdleMs: 60_000,
  idleInstanceBytesMax: 64_000_000,
  sliceMs: 1,
};

function invocation(revisionKey: string, sequence: number, deadlineAtMs = Infinity): Invocation {
  return {
    invocationId: `${revisionKey} ${sequence}`,
    revisionKey,
    sequence,
    weight: 1,
    functionName: "run",
    input: { mediaType: "application/json", body: new Uint8Array() },
    deadlineAtMs,
    idempotencyKey: undefined,
    metadata: [],
  };
}

class ExecutorUnderTest implements AsyncDisposable {
  readonly #directory: string;
  readonly #storage: Awaited<ReturnType<typeof startStorageThread>>;
  readonly #executor: Executor;
  readonly #outcomes = new Map<string, (outcome: Outcome) => void>();
  readonly replies: string[] = [];
  readonly drained = Promise.withResolvers<void>();
  instantiations = 0;

  private constructor(
    directory: string,
    storage: Awaited<ReturnType<typeof startStorageThread>>,
    changed: Partial<ExecutorTuning>,
  ) {
    this.#directory = directory;
    this.#storage = storage;
    const engine = createEngine();
    this.#executor = new Executor({
      engine: {
        ...engine,
        instantiate: (...args) => {
          this.instantiations += 1;
          return engine.instantiate(...args);
        },
      },
      state: storage.client(),
      tuning: { ...tuning, ...changed },
      cells: new Int32Array(new SharedArrayBuffer(EXECUTOR_CELLS_BYTES)),
      reply: (reply) => this.#onReply(reply),
      flush: () => undefined,
    });
  }

  static async start(changed: Partial<ExecutorTuning> = {}): Promise<ExecutorUnderTest> {
    const directory = await mkdtemp(join(tmpdir(), "downpour-executor-"));
    return new ExecutorUnderTest(directory, await startStorageThread({ directory }), changed);
  }

  /** `isAhead`: before anyone called it. */
  prepare(
    revisionKey: string,
    component: CompiledComponent,
    options: { readonly isAhead?: boolean; readonly idleInstancesMax?: number } = {},
  ): void {
    const limits: AppLimits = {
      resultBytesMax: 1000,
      stateValueBytesMax: 1000,
      stateOperationsMax: 1000,
      logMessageBytesMax: 1000,
      logEntriesMax: 3,
      logAllowance: LogAllowance.of(1_000_000).shared,
      idleInstancesMax: options.idleInstancesMax ?? 8,
      tenantInstancesMax: 1_000,
      cpuMsMax: 60_000,
      memoryBytesMax: 256 * 1024 * 1024,
      environment: {},
    };
    const app = { tenantId: revisionKey, app: "a", revisionId: revisionKey };
    const isAhead = options.isAhead ?? false;
    this.#executor.receive({ kind: "prepare", revisionKey, component, app, limits, isAhead });
  }

  async invoke(revisionKey: string, sequence: number): Promise<Outcome> {
    const sent = invocation(revisionKey, sequence);
    const settled = new Promise<Outcome>((resolve) => {
      this.#outcomes.set(sent.invocationId, resolve);
    });
    this.#executor.receive({ kind: "invoke", invocation: sent });
    return settled;
  }

  send(sent: Invocation): void {
    this.#executor.receive({ kind: "invoke", invocation: sent });
  }

  drain(): void {
    this.#executor.receive({ kind: "drain" });
  }

  #onReply(reply: ExecutorReply): void {
    this.replies.push(reply.kind);
    if (reply.kind === "drained") this.drained.resolve();
    if (reply.kind === "settled") this.#outcomes.get(reply.invocationId)?.(reply.outcome);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#storage.close();
    await rm(this.#directory, { recursive: true });
  }
}

test("an executor that is told to drain has drained also when what ends last never started", async () => {
  await using executor = await ExecutorUnderTest.start();
  executor.prepare("r", await compile(startingFor(1)));
  executor.send(invocation("r", 1, 0));
  executor.drain();
  await executor.drained.promise;
  expect(executor.replies).toEqual(["settled", "drained"]);
});

describe("an instance is made ahead", () => {
  let quick: CompiledComponent;
  let slow: CompiledComponent;

  beforeAll(async () => {
    quick = await compile(startingFor(1_000));
    slow = await compile(startingFor(20_000_000));
  });

  test("of a revision that nobody has called yet, and its first call pays for its start", async () => {
    await using executor = await ExecutorUnderTest.start();
    executor.prepare("r", quick, { isAhead: true });
    await nextTurn();
    expect(executor.instantiations).toBe(1);
    expect(executor.replies).toEqual(["prepared"]);
    const first = await executor.invoke("r", 1);
    const second = await executor.invoke("r", 2);
    expect([first, second]).toMatchObject([
      { kind: "completed", usage: { coldStart: true } },
      { kind: "completed", usage: { coldStart: false } },
    ]);
    expect(first.usage.fuel - second.usage.fuel).toBeGreaterThan(1_000);
    expect(executor.instantiations).toBe(1);
  });

  test("not while an invocation waits for its turn", async () => {
    await using executor = await ExecutorUnderTest.start();
    executor.prepare("r", quick);
    executor.prepare("other", quick, { isAhead: true });
    await executor.invoke("r", 1);
    await nextTurn();
    expect(executor.instantiations).toBe(1);
  });

  test("for the next invocation where each has one of its own", async () => {
    await using executor = await ExecutorUnderTest.start();
    executor.prepare("r", quick, { idleInstancesMax: 0 });
    const outcomes: Outcome[] = [];
    for (let sequence = 1; sequence <= 3; sequence += 1) {
      outcomes.push(await executor.invoke("r", sequence));
      await nextTurn();
      expect(executor.instantiations).toBe(sequence + 1);
    }
    const [, second, third] = outcomes;
    expect(outcomes.every(({ usage }) => usage.coldStart)).toBe(true);
    expect(third?.usage.fuel).toBe(second?.usage.fuel);
  });

  test("once and never again where its start functions compute for long", async () => {
    await using executor = await ExecutorUnderTest.start();
    executor.prepare("r", slow, { isAhead: true, idleInstancesMax: 0 });
    await nextTurn();
    expect(executor.instantiations).toBe(1);
    for (let sequence = 1; sequence <= 2; sequence += 1) {
      expect(await executor.invoke("r", sequence)).toMatchObject({ kind: "completed" });
      await nextTurn();
      expect(executor.instantiations).toBe(1 + sequence);
    }
  });

  test("only of memory that nobody has, and in place of no idle instance", async () => {
    const pageBytes = 64 * 1024;
    const memory = { bytesMax: 30 * pageBytes, tenantBytesMax: 30 * pageBytes };
    await using executor = await ExecutorUnderTest.start({ memory });
    executor.prepare("idle", quick);
    await executor.invoke("idle", 1);
    executor.prepare("r", quick, { isAhead: true });
    await nextTurn();
    expect(await executor.invoke("idle", 2)).toMatchObject({ usage: { coldStart: false } });
    expect(await executor.invoke("r", 3)).toMatchObject({ kind: "completed" });
  });

  test("only where there is room for one more, and in place of no idle instance", async () => {
    await using executor = await ExecutorUnderTest.start({ instancesMax: 1 });
    executor.prepare("idle", quick);
    await executor.invoke("idle", 1);
    executor.prepare("r", quick, { isAhead: true });
    await nextTurn();
    expect(await executor.invoke("idle", 2)).toMatchObject({ usage: { coldStart: false } });
    expect(executor.instantiations).toBe(1);
  });
});

/** A start function that goes round a loop so many times. */
function startingFor(rounds: number): string {
  return `(func $s (local $left i32)
    (local.set $left (i32.const ${rounds}))
    (loop $l (br_if $l (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))
    (start $s)`;
}

async function compile(fields: string): Promise<CompiledComponent> {
  const component = await coreGuest({ fields });
  return createEngine().compile(component, functionWorld([]), testLimits).component;
}
