import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Trap } from "../engine/engine.ts";
import { HostError } from "../errors.ts";
import { jsonToPayload, toOutcomeError, toPayload } from "./outcome.ts";
import { appLimits } from "./testing/calls.ts";

const limits = appLimits({ resultBytesMax: 10 });

function codeOf(handled: unknown, read = toPayload): string {
  try {
    read(handled, limits);
    return "completed";
  } catch (error) {
    return toOutcomeError(error).code;
  }
}

describe("a result", () => {
  test.each([
    ["application/json", "completed"],
    ['text/plain; charset=utf-8; format="flowed text"', "completed"],
    ["text/plain\r\nset-cookie: a=b", "RESULT_UNSERIALIZABLE"],
    ["text/plain\r\n;a=b", "RESULT_UNSERIALIZABLE"],
    ["text/plain;\na=b", "RESULT_UNSERIALIZABLE"],
    ["text/plain;\u2028a=b", "RESULT_UNSERIALIZABLE"],
    ["text", "RESULT_UNSERIALIZABLE"],
    ["", "RESULT_UNSERIALIZABLE"],
    [`text/${"x".repeat(300)}`, "RESULT_UNSERIALIZABLE"],
  ])("with the media type %j is %s", (mediaType, code) => {
    expect(codeOf({ tag: "ok", val: { mediaType, body: new Uint8Array(10) } })).toBe(code);
  });

  test("with one byte too many is refused", () => {
    const val = { mediaType: "text/plain", body: new Uint8Array(11) };
    expect(codeOf({ tag: "ok", val })).toBe("RESULT_TOO_LARGE");
  });

  test("never carries a control character into a header, whatever media type the guest says", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(";", "a", "=", '"', " ", "\t", "\r", "\n", "\u2028")),
        (suffix) => {
          const mediaType = `text/plain${suffix.join("")}`;
          const isHeaderSafe = /^[\t\x20-\x7E]*$/u.test(mediaType);
          const code = codeOf({ tag: "ok", val: { mediaType, body: new Uint8Array(0) } });
          expect(code === "completed" && !isHeaderSafe).toBe(false);
        },
      ),
    );
  });
});

describe("a result as JSON text", () => {
  test("is a payload of its bytes in UTF-8, which share their memory with nothing", () => {
    const { mediaType, body } = jsonToPayload({ tag: "ok", val: '"é€"' }, limits);
    expect(mediaType).toBe("application/json");
    expect(Buffer.from(body).toString()).toBe('"é€"');
    expect(body.buffer.byteLength).toBe(7);
  });

  test("is measured in bytes", () => {
    expect(codeOf({ tag: "ok", val: "€€€" }, jsonToPayload)).toBe("completed");
    expect(codeOf({ tag: "ok", val: "€€€€" }, jsonToPayload)).toBe("RESULT_TOO_LARGE");
  });

  test("may be of another type, or a failure, as without text", () => {
    const other = { mediaType: "text", body: new Uint8Array(1) };
    expect(codeOf({ tag: "err", val: { tag: "other", val: other } }, jsonToPayload)).toBe(
      "RESULT_UNSERIALIZABLE",
    );
    const failure = { tag: "invalid-input", val: "$.n is missing" };
    expect(codeOf({ tag: "err", val: { tag: "failure", val: failure } }, jsonToPayload)).toBe(
      "INPUT_INVALID",
    );
  });
});

describe("what a guest says of its failure", () => {
  test("is cut before it goes into answers and logs", () => {
    const long = "x".repeat(1_000_000);
    const val = { tag: "uncaught-exception", val: { name: long, message: long, stack: long } };
    const error = thrownBy({ tag: "err", val });
    expect(JSON.stringify(toOutcomeError(error)).length).toBeLessThan(30_000);
  });

  test.each([
    ["application/json", '{"left":0}', "application/json"],
    ["Application/JSON; charset=utf-8", "[1]", "application/json"],
    ["application/json", '{"left":0}}', "text/plain"],
    ["application/json", "", "text/plain"],
    ["text/plain", '{"left":0}', "text/plain"],
  ])("has details of %s, %j, which are called %s", (mediaType, text, called) => {
    const details = { mediaType, body: new TextEncoder().encode(text) };
    const val = { code: "A", message: "m", details };
    expect(thrownBy({ tag: "err", val: { tag: "function-error", val } })).toMatchObject({
      details: { functionDetails: text, functionDetailsMediaType: called },
    });
  });

  test("is never a code that its author could not have chosen", () => {
    const val = { code: "A\nB", message: "m", details: undefined };
    const error = thrownBy({ tag: "err", val: { tag: "function-error", val } });
    expect(error).toMatchObject({
      code: "FUNCTION_ERROR",
      details: { functionCode: "INVALID_CODE" },
    });
  });
});

test("a trap, lack of memory and a host's error keep apart; a bug is nobody's outcome", () => {
  expect(toOutcomeError(new Trap("unreachable")).code).toBe("GUEST_TRAPPED");
  expect(toOutcomeError(new RangeError("could not allocate memory")).code).toBe("OUT_OF_MEMORY");
  expect(toOutcomeError(new HostError("CANCELLED", "gone")).code).toBe("CANCELLED");
  expect(() => toOutcomeError(new TypeError("x is undefined"))).toThrow(TypeError);
});

test("a trap that authors run into has a text for them, and a reason for programs", () => {
  expect(toOutcomeError(new Trap("a call ended", { reason: "never-returned" }))).toMatchObject({
    code: "GUEST_TRAPPED",
    message: expect.stringContaining("promise never settled"),
    details: { reason: "never-returned" },
  });
  expect(toOutcomeError(new Trap("exhausted", { reason: "stack-exhausted" }))).toMatchObject({
    message: expect.stringContaining("a recursion that does not end"),
    details: { reason: "stack-exhausted" },
  });
  expect(toOutcomeError(new Trap("unreachable")).details).toEqual({});
});

function thrownBy(handled: unknown): unknown {
  try {
    return toPayload(handled, limits);
  } catch (error) {
    return error;
  }
}
