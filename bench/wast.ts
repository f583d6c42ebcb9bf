// The text of a WebAssembly test script as nested lists, for the runners of the official tests.

export type Form = string | readonly Form[];

export interface TopLevelForm {
  readonly source: string;
  readonly form: readonly Form[];
  readonly line: number;
}

/** The forms of a script, each with its text. */
export function* topLevel(text: string): Generator<TopLevelForm> {
  const tokens = text.matchAll(/;;[^\n]*|\(;|;\)|"(?:[^"\\]|\\.)*"|[()]|[^\s()";]+/gu);
  const open: { readonly start: number; readonly items: Form[] }[] = [];
  let commentDepth = 0;
  for (const { 0: token, index } of tokens) {
    if (token === "(;") commentDepth += 1;
    else if (token === ";)") commentDepth -= 1;
    else if (commentDepth > 0 || token.startsWith(";;")) continue;
    else if (token === "(") open.push({ start: index, items: [] });
    else if (token === ")") {
      const closed = open.pop();
      if (closed === undefined) continue;
      const around = open.at(-1);
      if (around !== undefined) around.items.push(closed.items);
      else {
        const line = text.slice(0, closed.start).split("\n").length;
        yield { source: text.slice(closed.start, index + 1), form: closed.items, line };
      }
    } else open.at(-1)?.items.push(token);
  }
}

/** The text of a string token. */
export function unquote(form: Form | undefined): string {
  const bytes: number[] = [];
  const text = typeof form === "string" ? form.slice(1, -1) : "";
  const pieces = text.matchAll(/\\([0-9a-fA-F]{2})|\\u\{([0-9a-fA-F]+)\}|\\(.)|[^\\]+/gu);
  for (const [piece, hex, unicode, escaped] of pieces) {
    if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (unicode !== undefined) {
      bytes.push(...Buffer.from(String.fromCodePoint(Number.parseInt(unicode, 16))));
    } else
      bytes.push(...Buffer.from(escaped === undefined ? piece : (ESCAPES[escaped] ?? escaped)));
  }
  return Buffer.from(bytes).toString();
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

export function toBigInt(literal: string): bigint {
  const text = literal.replaceAll("_", "");
  return text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text.replace("+", ""));
}

export function toFloat(literal: string): number {
  const text = literal.replaceAll("_", "");
  const sign = text.startsWith("-") ? -1 : 1;
  const unsigned = text.replace(/^[+-]/u, "");
  if (unsigned.startsWith("nan")) return Number.NaN;
  if (unsigned === "inf") return sign * Infinity;
  const hex = /^0x([0-9a-f]*)\.?([0-9a-f]*)(?:p([+-]?\d+))?$/iu.exec(unsigned);
  if (hex === null) return sign * Number(unsigned);
  const [, whole = "", fraction = "", exponent = "0"] = hex;
  const digits = Number(BigInt(`0x0${whole}${fraction}`));
  return sign * digits * 2 ** (Number(exponent) - 4 * fraction.length);
}
