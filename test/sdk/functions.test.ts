import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, test } from "vitest";
import { buildComponent } from "../../guest-sdk/build/index.ts";
import type { JavaScriptEngine } from "../../guest-sdk/build/index.ts";
import { compileFunctions, FunctionHost, refuse } from "./testing/function-host.ts";
import type { CompiledFunctions, HandleExport } from "./testing/function-host.ts";

const entry = fileURLToPath(new URL("../../guest-sdk/fixtures/functions.ts", import.meta.url));
const built = new Map<JavaScriptEngine, Promise<CompiledFunctions>>();

/** Built and compiled once for each engine: the tests share the code, and nothing else. */
function functionsOf(engine: JavaScriptEngine): Promise<CompiledFunctions> {
  const known = built.get(engine);
  if (known !== undefined) return known;
  const functions = buildComponent({ entry, engine }).then(({ component }) => {
    return compileFunctions(component);
  });
  built.set(engine, functions);
  return functions;
}

describe.each<[JavaScriptEngine, HandleExport]>([
  ["quickjs", "handle"],
  ["quickjs", "handle-json"],
  ["starlingmonkey", "handle"],
])("functions on %s, called by %s", (engine, handleExport) => {
  let host: FunctionHost;
  beforeEach(async () => {
    host = new FunctionHost(await functionsOf(engine), handleExport);
  });

  test("describe tells the functions", async () => {
    expect(await host.describe()).toMatchObject({
      sdk: "0.1.0",
      functions: expect.arrayContaining([
        { name: "addOne", description: "Adds one" },
        { name: "nothing" },
        { name: "halfDescription", description: "half \uFFFD" },
      ]),
    });
  });

  test.each([
    ["addOne", 1, 2],
    ["nothing", undefined, null],
    ["awaits", ["a", "b"], ["Hello, a", "Hello, b"]],
    ["bytes", undefined, { mediaType: "application/octet-stream", body: "é€😀" }],
    ["doubled", { n: 4 }, 8],
    ["schema", 4, 12],
    ["schemaLater", 4, 12],
    ["thenable", 1, 2],
  ])("%s(%j) is %j", async (name, input, output) => {
    expect(await host.call(name, input)).toEqual({ tag: "ok", val: output });
  });

  test("a raw function passes any bytes of any media type", async () => {
    expect(await host.call("echo", Uint8Array.of(0x41, 0x42), "x/y")).toEqual({
      tag: "ok",
      val: { mediaType: "x/y+echo", body: "AB" },
    });
  });

  test.each([
    ["not JSON", "addOne", new TextEncoder().encode("{oops"), "application/json", "is not JSON"],
    ["not UTF-8", "addOne", Uint8Array.of(0xff), "application/json", "is not UTF-8"],
    ["another media type", "addOne", Uint8Array.of(0x31), "text/plain", 'not "text/plain"'],
    ["what a parser refuses", "doubled", { n: "4" }, "application/json", "$.n is a number"],
    ["what a schema refuses", "schema", 5, "application/json", "$.a.b: is not 4"],
    ["what it refuses later", "schemaLater", "4", "application/json", "$: is no number"],
  ])("%s is invalid input", async (_, name, input, mediaType, message) => {
    expect(await host.call(name, input, mediaType)).toMatchObject({
      tag: "err",
      val: { tag: "invalid-input", val: expect.stringContaining(message) },
    });
  });

  test("what a function began and did not wait for runs all the same", async () => {
    expect(await host.call("goesOn")).toEqual({ tag: "ok", val: "answered" });
    expect(host.counters.get("gone on")).toBe(1n);
  });

  test("an instance answers one call after the other, whichever way each ends", async () => {
    for (const round of [1, 2]) {
      const answers = [
        await host.call("addOne", round),
        await host.call("awaits", ["a"]),
        (await host.call("fails", "no-such-entry")).tag,
        (await host.call("throwsLater", null)).tag,
        (await host.call("absentFunction")).tag,
        await host.call("thenable", round),
      ];
      const sum = { tag: "ok", val: round + 1 };
      const hello = { tag: "ok", val: ["Hello, a"] };
      expect(answers).toEqual([sum, hello, "err", "err", "err", sum]);
    }
  });

  test("a promise that nothing settles ends the call", async () => {
    const reasons = { quickjs: "never-returned", starlingmonkey: undefined };
    const ended = host.call("neverSettles");
    await expect(ended).rejects.toMatchObject({ name: "Trap", reason: reasons[engine] });
  });

  test("a recursion without an end is told from other failures", async () => {
    const ended = host.call("recurses").catch((error: unknown) => error);
    const expected: Readonly<Record<JavaScriptEngine, unknown>> = {
      quickjs: { name: "Trap", reason: "stack-exhausted" },
      starlingmonkey: {
        val: { val: { message: "too much recursion", stack: expect.stringContaining("at down") } },
      },
    };
    expect(await ended).toMatchObject(Object(expected[engine]));
  });

  test("an unknown function is named", async () => {
    expect(await host.call("toString")).toEqual({
      tag: "err",
      val: { tag: "unknown-function", val: "toString" },
    });
  });

  test("a failure on purpose reaches the caller with code, message and details", async () => {
    const { val } = await host.call("fails", "no-such-entry");
    expect(val).toMatchObject({
      tag: "function-error",
      val: {
        code: "no-such-entry",
        message: "as asked",
        details: {
          mediaType: "application/json",
          body: new TextEncoder().encode(`{"code":"no-such-entry"}`),
        },
      },
    });
  });

  test("an exception has the author's files and lines, and its cause's", async () => {
    const { val } = await host.call("throws");
    expect(val).toMatchObject({
      tag: "uncaught-exception",
      val: {
        name: "RangeError",
        message: "out of range",
        stack: expect.stringMatching(
          /^at inner \(.*functions\.ts:65:\d+\)\nat throws \(.*functions\.ts:68:\d+\)\ncaused by TypeError: root/,
        ),
      },
    });
  });

  test("an exception after an await has its line, and the instance serves on", async () => {
    const { val } = await host.call("throwsLater", null);
    expect(val).toMatchObject({
      val: { name: "TypeError", stack: expect.stringMatching(/functions\.ts:73:\d+/) },
    });
    expect(await host.call("addOne", 1)).toEqual({ tag: "ok", val: 2 });
  });

  test("what is thrown need not be an error", async () => {
    expect((await host.call("throwsText")).val).toMatchObject({
      tag: "uncaught-exception",
      val: { message: '"just text"', stack: "" },
    });
    expect((await host.call("throwsObject")).val).toMatchObject({
      val: { message: "{ code: 1, big: 2n, self: [circular] }" },
    });
  });

  test("an exception that is made of many has them all", async () => {
    expect((await host.call("throwsMany")).val).toMatchObject({
      val: {
        name: "AggregateError",
        stack: expect.stringMatching(/with RangeError: one\nwith Error: two$/),
      },
    });
  });

  test("a result that JSON cannot carry is named by its path", async () => {
    expect((await host.call("unserializable")).val).toEqual({
      tag: "unserializable-result",
      val: "$.a[2].b is a function, which JSON cannot carry",
    });
    expect((await host.call("badDetails")).val).toMatchObject({
      tag: "unserializable-result",
      val: expect.stringContaining("details of a FunctionError"),
    });
  });

  test("state: registers, bytes, counters, pages, at the level that was asked for", async () => {
    expect((await host.call("stateRoundTrip")).val).toEqual({
      before: null,
      sums: [1, 42, 43],
      value: 43,
      raw: true,
      many: [{ n: 1 }, null],
      keys: ["counter", "raw", "register"],
      after: null,
    });
    expect(host.calls).toContainEqual(["put-text", "register", `{"n":1}`, "memory"]);
    expect(host.calls).toContainEqual(["put", "raw", Uint8Array.of(1, 2), "durable"]);
    expect(host.calls).toContainEqual(["counter-add", "counter", 41n, "async"]);
    expect(host.calls.filter(([name]) => name === "list-keys")).toEqual([
      ["list-keys", "", undefined, 2],
      ["list-keys", "", "raw", 2],
    ]);
  });

  test("state: every refusal has its class", async () => {
    host.counters.set("counter", 5n);
    expect((await host.call("stateRefusals")).val).toEqual([
      "InvalidKeyError invalid-key",
      'WrongKindError counter: There is a counter under "counter"',
      "ValueTooLargeError value-too-large",
      "CounterOverflowError counter-overflow",
      "RangeError: A counter takes whole numbers, not 0.5",
      "RangeError: A page has 1 to 1000 keys, not 0",
      "UnserializableError: $ is NaN, which JSON cannot carry",
    ]);
    host.putRefusal = refuse("unavailable", "the disk is full");
    expect((await host.call("putOne")).val).toMatchObject({
      val: { name: "StateUnavailableError", message: "State is unavailable: the disk is full" },
    });
    host.putRefusal = refuse("quota-exceeded", "at most 2 keys may be stored");
    expect((await host.call("putOne")).val).toMatchObject({
      val: {
        name: "QuotaExceededError",
        message: "The tenant's state is full: at most 2 keys may be stored",
      },
    });
  });

  test("state: a register of JSON tells bytes that are none, and what to read them with", async () => {
    host.registers.set("json", Uint8Array.of(0xff));
    expect((await host.call("readJson")).val).toEqual([
      "NotTextError not-text",
      "NotTextError not-text",
    ]);
    host.registers.set("json", new TextEncoder().encode("{oops"));
    const refused = 'TypeError: The register "json" holds no JSON: read it with state.bytes';
    expect((await host.call("readJson")).val).toEqual([refused, refused]);
    host.registers.set("json", new TextEncoder().encode('{"é":"€😀"}'));
    expect((await host.call("readJson")).val).toEqual(['{"é":"€😀"}', '[{"é":"€😀"}]']);
  });

  test("state: a key, prefix or position with half a character is an invalid key", async () => {
    const invalid =
      "invalid-key: The key is invalid: it holds half a character (a lone surrogate), which is not in UTF-8";
    const { val } = await host.call("halfKeys", "\ud800");
    expect(val).toEqual(Array.from({ length: 11 }, () => invalid));
    expect(host.calls).toEqual([]);
    expect((await host.call("halfKeys", "\udc00\ud800")).val).toEqual(val);
    const whole = await host.call("halfKeys", "😀");
    expect(whole.val).toEqual(Array.from({ length: 11 }, () => "accepted"));
    expect(host.calls).toContainEqual(["list-keys", "", "😀", 256]);
  });

  test("state: a counter goes below zero, where the engine's bindings can say so", async () => {
    const expected: Readonly<Record<JavaScriptEngine, unknown>> = {
      quickjs: { tag: "ok", val: -3 },
      starlingmonkey: {
        tag: "err",
        val: {
          tag: "uncaught-exception",
          val: expect.objectContaining({ message: expect.stringContaining("build with QuickJS") }),
        },
      },
    };
    expect(await host.call("subtract", 3)).toEqual(expected[engine]);
  });

  test("the context is the running invocation's", async () => {
    expect((await host.call("who")).val).toEqual({
      same: true,
      invocationId: "invocation-1",
      tenant: "acme",
      revision: "00ff",
      idempotencyKey: "key-1",
      metadata: { "x-name": "value" },
      greeting: "Hi",
      inTime: true,
    });
    expect((await host.call("who")).val).toMatchObject({ invocationId: "invocation-2" });
  });

  test("the console is the function's log, and a group ends with its invocation", async () => {
    await host.call("logs");
    await host.call("logs");
    expect(host.log.slice(5)).toEqual([
      { level: "info", message: "hi there { a: [1] }" },
      { level: "debug", message: "low" },
      {
        level: "warn",
        message: expect.stringMatching(/^RangeError: shown\n {4}at logs \(.*functions\.ts:\d+/),
      },
      { level: "info", message: "group" },
      { level: "error", message: "  inside" },
    ]);
  });

  test("the log has U+FFFD for half a character, of the author's or of a cut", async () => {
    expect(await host.call("halfLogs", "\ud800")).toEqual({ tag: "ok", val: null });
    expect(host.log).toEqual([
      { level: "info", message: "\uFFFD" },
      { level: "warn", message: expect.stringContaining("RangeError: \uFFFD") },
      { level: "info", message: "group \uFFFD" },
      { level: "info", message: "  \uFFFD: 1" },
      { level: "trace", message: expect.stringContaining("Trace: \uFFFD") },
      { level: "error", message: expect.stringMatching(/^x😀+\uFFFD… 4001 more characters$/u) },
    ]);
  });

  test.each([
    [
      "exception",
      {
        tag: "uncaught-exception",
        val: {
          name: "Name\uFFFD",
          message: "message \uFFFD",
          stack: expect.stringContaining("caused by TypeError: cause \uFFFD"),
        },
      },
    ],
    [
      "cut",
      {
        tag: "uncaught-exception",
        val: { message: expect.stringMatching(/^x😀+\uFFFD… 12001 more characters$/u) },
      },
    ],
    ["symbol", { tag: "uncaught-exception", val: { message: "Symbol(\uFFFD)" } }],
    [
      "function-error",
      {
        tag: "function-error",
        val: {
          code: "half",
          message: "message \uFFFD",
          // JSON has an escape for it.
          details: { body: new TextEncoder().encode(String.raw`{"text":"\ud800"}`) },
        },
      },
    ],
    ["code", { tag: "function-error", val: { code: "\uFFFD", message: "as asked" } }],
    ["input", { tag: "invalid-input", val: "input \uFFFD" }],
  ])("a failure with half a character arrives: %s", async (way, failure) => {
    const answer = await host.call("halfFailures", { way, half: "\ud800" });
    expect(answer).toMatchObject({ tag: "err", val: failure });
  });

  test("a media type with half a character is none", async () => {
    expect((await host.call("halfMediaType")).val).toEqual({
      tag: "unserializable-result",
      val: "$.mediaType holds half a character (a lone surrogate)",
    });
  });

  test("instances of one snapshot draw different numbers", async () => {
    const first = (await host.call("random")).val;
    host.renew();
    const second = (await host.call("random")).val;
    expect(first).toMatchObject({
      bytes: 8,
      uuid: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-4/),
    });
    expect(second).not.toMatchObject({ random: Reflect.get(Object(first), "random") });
    expect(second).not.toMatchObject({ uuid: Reflect.get(Object(first), "uuid") });
    // Drawn while the module was loaded, so kept in the snapshot.
    expect(second).toMatchObject({ atLoad: Reflect.get(Object(first), "atLoad") });
  });

  test("the web's globals are there", async () => {
    expect((await host.call("web")).val).toEqual({
      href: "https://user@example.com:8080/b?q=%C3%A4&r=1&s=%C3%BC+%2B#top",
      q: "ä",
      params: [["a", "1"]],
      clone: [1],
      text: "€\uFFFD",
      base64: "plain",
      clock: true,
    });
  });

  test("what is not there says so", async () => {
    expect((await host.call("absent")).val).toEqual({
      present: [],
      refused: [
        expect.stringContaining("fetch is not available yet"),
        expect.stringContaining("setTimeout is not available yet"),
      ],
    });
  });
});
