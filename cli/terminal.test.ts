import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { Terminal, formatBytes, formatDuration, printable, table } from "./terminal.ts";

function terminalWith(isJson: boolean): {
  readonly terminal: Terminal;
  readonly out: () => string;
  readonly err: () => string;
} {
  const stdout = new PassThrough({ encoding: "utf8" });
  const stderr = new PassThrough({ encoding: "utf8" });
  return {
    terminal: new Terminal({ stdout, stderr, isJson }),
    out: () => readAll(stdout),
    err: () => readAll(stderr),
  };
}

function readAll(stream: PassThrough): string {
  let text = "";
  for (let chunk: unknown = stream.read(); chunk !== null; chunk = stream.read()) {
    if (typeof chunk === "string") text += chunk;
  }
  return text;
}

describe("with --json", () => {
  test("stdout has the document and nothing else", () => {
    const { terminal, out, err } = terminalWith(true);
    terminal.note("for people");
    terminal.progress("working").done("worked");
    terminal.result({ a: 1 }, "text");
    expect(out()).toBe('{"a":1}\n');
    expect(err()).toBe("");
  });
});

describe("for people", () => {
  test("the text goes to stdout with one line break, notes and progress to stderr", () => {
    const { terminal, out, err } = terminalWith(false);
    terminal.progress("working").done("worked");
    terminal.note("a note");
    terminal.result({ a: 1 }, "text");
    expect(out()).toBe("text\n");
    expect(err()).toBe("worked\na note\n");
  });

  test("off a terminal there is no colour and no cursor movement", () => {
    const { terminal, err } = terminalWith(false);
    terminal.note(terminal.err("red", "plain"));
    expect(err()).toBe("plain\n");
  });
});

test.each([
  ["\u001B[31mred\u001B[0m", "\\u001b[31mred\\u001b[0m"],
  ["a\rb", "a\\u000db"],
  ["\u202Eevil", "\\u202eevil"],
  ["\u009B2J", "\\u009b2J"],
  ["tab\tand\nline", "tab\tand\nline"],
  ["häßlich 🙂", "häßlich 🙂"],
])("%j is printed as %j", (text, shown) => {
  expect(printable(text)).toBe(shown);
});

test("a table's columns are as wide as their widest cell", () => {
  expect(
    table(
      ["A", "B"],
      [
        ["long", "x"],
        ["s", "y"],
      ],
    ),
  ).toBe("A     B\nlong  x\ns     y");
});

test.each([
  [999, "999 B"],
  [1_500, "1.5 kB"],
  [2_009_515, "2.0 MB"],
])("%i bytes are %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [1.234, "1.2 ms"],
  [250, "250 ms"],
  [1_500, "1.50 s"],
  [90_000, "1 min 30 s"],
])("%d ms are %s", (durationMs, text) => {
  expect(formatDuration(durationMs)).toBe(text);
});
