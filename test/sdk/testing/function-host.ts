// Functions run on the real engine, with what `wit/` asks of a host kept in memory: a few maps in
// place of the executor and its store, so that a test sees every host call.

import { isUtf8 } from "node:buffer";
import { createEngine } from "../../../host/engine/create-engine.ts";
import type {
  CompiledComponent,
  Engine,
  Instance,
  InterfaceImplementation,
} from "../../../host/engine/engine.ts";
import { createWasiLinks, wasiDeclarations } from "../../../host/engine/wasi/index.ts";
import { functionWorld } from "../../../host/world/function-world.ts";

const LIMITS = {
  componentBytesMax: 32 * 1024 * 1024,
  nestingDepthMax: 100,
  sectionsMax: 10_000,
  coreFunctionsMax: 100_000,
  coreModulesMax: 100,
  typeNodesMax: 1_000_000,
  definitionsMax: 1_000_000,
  nameBytesMax: 1_000,
  tablesMax: 64,
  tableElementsMax: 100_000,
  grownTableElementsMax: 10_000,
  memoriesMax: 16,
};
const INTEGER_MAX = BigInt(Number.MAX_SAFE_INTEGER);

export interface Answer {
  readonly tag: "ok" | "err";
  readonly val: unknown;
}

interface LogLine {
  readonly level: string;
  readonly message: string;
}

/** A result's error, as the engine passes it to the guest. */
export function refuse(tag: string, val?: unknown): Answer {
  return { tag: "err", val: { tag, val } };
}

function ok(val?: unknown): Answer {
  return { tag: "ok", val };
}

/** By which export it is called with what both take. */
export type HandleExport = "handle" | "handle-json";

/** Compiled once, for any number of hosts: they share the code, as apps do on a thread, and nothing else. */
export interface CompiledFunctions {
  readonly engine: Engine;
  readonly component: CompiledComponent;
}

export function compileFunctions(component: Uint8Array): CompiledFunctions {
  const engine = createEngine();
  const compilation = engine.compile(component, functionWorld(wasiDeclarations), LIMITS);
  return { engine, component: compilation.component };
}

export class FunctionHost {
  readonly log: LogLine[] = [];
  readonly registers = new Map<string, Uint8Array>();
  readonly counters = new Map<string, bigint>();
  /** Each host call for state, by name and arguments. */
  readonly calls: (readonly unknown[])[] = [];
  /** What every put is answered with. */
  putRefusal: Answer | undefined;
  /** How often a context was asked for. */
  #contexts = 0;
  readonly #instantiate: () => Instance;
  readonly #export: HandleExport;
  #instance: Instance;

  constructor({ engine, component }: CompiledFunctions, handleExport: HandleExport) {
    this.#export = handleExport;
    const links = {
      ...createWasiLinks({
        environment: { GREETING: "Hi" },
        stdout: (line) => this.log.push({ level: "stdout", message: line }),
        stderr: (line) => this.log.push({ level: "stderr", message: line }),
      }),
      "downpour:faas/state": this.#state(),
      "downpour:faas/log": {
        functions: {
          write: (level: string, message: string) => {
            this.log.push({ level, message });
          },
        },
      },
      "downpour:faas/context": {
        functions: {
          current: () => ({
            id: `invocation-${(this.#contexts += 1)}`,
            tenant: "acme",
            app: "app",
            revision: "00ff",
            function: "f",
            deadlineMs: BigInt(Date.now() + 10_000),
            idempotencyKey: "key-1",
            metadata: [["x-name", "value"]],
          }),
        },
      },
    };
    this.#instantiate = () => engine.instantiate(component, links);
    this.#instance = this.#instantiate();
  }

  /** As a cold start: the next call runs in an instance of its own. */
  renew(): void {
    this.#instance = this.#instantiate();
  }

  async describe(): Promise<unknown> {
    return JSON.parse(String(await this.#instance.call("describe", [])));
  }

  /** The function's answer; JSON and text are decoded. */
  async call(name: string, input?: unknown, mediaType = "application/json"): Promise<Answer> {
    const isBytes = input instanceof Uint8Array;
    const body = isBytes
      ? input
      : new TextEncoder().encode(input === undefined ? "" : JSON.stringify(input));
    if (this.#export === "handle-json" && mediaType === "application/json" && isUtf8(body)) {
      const text = Buffer.from(body).toString();
      return decodeJsonAnswer(await this.#instance.call("handle-json", [name, text]));
    }
    return decodeAnswer(await this.#instance.call("handle", [name, { mediaType, body }]));
  }

  #state(): InterfaceImplementation {
    const recorded = (name: string, run: (...args: never[]) => Answer) => {
      return (...args: never[]) => {
        this.calls.push([name, ...args]);
        return run(...args);
      };
    };
    return {
      functions: {
        get: recorded("get", (key: string) => {
          if (key === "") return refuse("invalid-key", "it is empty");
          return this.counters.has(key)
            ? refuse("wrong-kind", "counter")
            : ok(this.registers.get(key));
        }),
        "get-text": recorded("get-text", (key: string) => {
          if (key === "") return refuse("invalid-key", "it is empty");
          if (this.counters.has(key)) return refuse("wrong-kind", "counter");
          const bytes = this.registers.get(key);
          if (bytes === undefined) return ok();
          return isUtf8(bytes) ? ok(new TextDecoder().decode(bytes)) : refuse("not-text");
        }),
        "get-many": recorded("get-many", (keys: readonly string[]) => {
          return ok(keys.map((key) => this.registers.get(key)));
        }),
        put: recorded("put", (key: string, value: Uint8Array) => {
          if (this.putRefusal !== undefined) return this.putRefusal;
          if (value.length > 1_000) return refuse("value-too-large", 1_000);
          this.registers.set(key, value);
          return ok();
        }),
        "put-text": recorded("put-text", (key: string, value: string) => {
          if (this.putRefusal !== undefined) return this.putRefusal;
          if (value.length > 1_000) return refuse("value-too-large", 1_000);
          this.registers.set(key, new TextEncoder().encode(value));
          return ok();
        }),
        delete: recorded("delete", (key: string) => {
          this.registers.delete(key);
          this.counters.delete(key);
          return ok();
        }),
        "list-keys": recorded(
          "list-keys",
          (prefix: string, after: string | undefined, limit: number) => {
            const all = [...this.registers.keys(), ...this.counters.keys()].toSorted();
            const found = all.filter((key) => key.startsWith(prefix) && key > (after ?? ""));
            const keys = found.slice(0, limit);
            return ok({ keys, next: found.length > limit ? keys.at(-1) : undefined });
          },
        ),
        "counter-value": recorded("counter-value", (key: string) => {
          return ok(this.counters.get(key) ?? 0n);
        }),
        "counter-add": recorded("counter-add", (key: string, delta: bigint) => {
          const value = (this.counters.get(key) ?? 0n) + delta;
          if (value > INTEGER_MAX || value < -INTEGER_MAX) return refuse("counter-overflow");
          this.counters.set(key, value);
          return ok(value);
        }),
      },
    };
  }
}

function decodeAnswer(answer: unknown): Answer {
  if (typeof answer !== "object" || answer === null || !("tag" in answer && "val" in answer)) {
    throw new TypeError("handle answers with a result");
  }
  return answer.tag === "ok"
    ? { tag: "ok", val: decodePayload(answer.val) }
    : { tag: "err", val: answer.val };
}

function decodeJsonAnswer(answer: unknown): Answer {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The engine lifts by the type of `handle-json`.
  const { tag, val } = answer as { tag: "ok"; val: string } | { tag: "err"; val: NotJson };
  if (tag === "ok") return { tag, val: JSON.parse(val) };
  return val.tag === "other"
    ? { tag: "ok", val: decodePayload(val.val) }
    : { tag: "err", val: val.val };
}

interface NotJson {
  readonly tag: "other" | "failure";
  readonly val: unknown;
}

function decodePayload(payload: unknown): unknown {
  if (
    typeof payload !== "object" ||
    payload === null ||
    !("mediaType" in payload && "body" in payload)
  ) {
    throw new TypeError("a payload has a media type and a body");
  }
  const { mediaType, body } = payload;
  if (!(body instanceof Uint8Array)) throw new TypeError("a body is bytes");
  if (mediaType === "application/json") return JSON.parse(new TextDecoder().decode(body));
  return { mediaType, body: new TextDecoder().decode(body) };
}
