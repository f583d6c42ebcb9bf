// Values as text for the function's log: bounded in depth, entries and characters, never throwing,
// and without running a getter.

import { formatError } from "../errors/stack-trace.ts";

const DEPTH_MAX = 4;
const ENTRIES_MAX = 100;
const STRING_CHARACTERS_MAX = 1_000;
const LINE_CHARACTERS_MAX = 72;

/** `console.log`'s arguments as one text: a leading format string is honoured. */
export function formatArguments(args: readonly unknown[], charactersMax: number): string {
  const [first, ...rest] = args;
  const parts: string[] = [];
  if (typeof first === "string" && rest.length > 0 && first.includes("%")) {
    parts.push(substitute(first, rest));
  } else if (args.length > 0) {
    parts.push(toText(first));
  }
  let characters = parts[0]?.length ?? 0;
  for (const value of rest) {
    if (characters > charactersMax) break;
    const text = toText(value);
    characters += text.length + 1;
    parts.push(text);
  }
  return cut(parts.join(" "), charactersMax);
}

function toText(value: unknown): string {
  return typeof value === "string" ? value : inspect(value);
}

/** Replaces `%s`, `%d`, `%i`, `%f`, `%j`, `%o`, `%O`, `%c`, and takes what it used out of `values`. */
function substitute(format: string, values: unknown[]): string {
  return format.replaceAll(/%[sdifjoOc%]/g, (directive) => {
    if (directive === "%%") return "%";
    if (values.length === 0) return directive;
    const value = values.shift();
    switch (directive) {
      case "%s":
        return toText(value);
      case "%d":
      case "%f":
        return typeof value === "bigint" ? `${value}n` : String(toNumber(value));
      case "%i":
        return typeof value === "bigint" ? `${value}n` : String(Math.trunc(toNumber(value)));
      case "%c":
        return "";
      default:
        return inspect(value);
    }
  });
}

function toNumber(value: unknown): number {
  return typeof value === "object" || typeof value === "symbol" ? Number.NaN : Number(value);
}

export function cut(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text;
  return `${text.slice(0, charactersMax)}… ${text.length - charactersMax} more characters`;
}

export function inspect(value: unknown): string {
  try {
    return inspectValue(value, []);
  } catch {
    // A proxy may throw at any step; a log entry must not.
    return "[uninspectable]";
  }
}

function inspectValue(value: unknown, ancestors: readonly object[]): string {
  switch (typeof value) {
    case "string":
      return quote(value);
    case "bigint":
      return `${value}n`;
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "function":
      return `[${isClass(value) ? "class" : "function"} ${value.name || "(anonymous)"}]`;
    case "object":
      return value === null ? "null" : inspectObject(value, ancestors);
    default:
      return String(value);
  }
}

function quote(text: string): string {
  const shown = text.slice(0, STRING_CHARACTERS_MAX);
  const more = text.length - shown.length;
  return more > 0 ? `${JSON.stringify(shown)}… ${more} more characters` : JSON.stringify(shown);
}

function isClass(value: object): boolean {
  return Object.getOwnPropertyDescriptor(value, "prototype")?.writable === false;
}

function inspectObject(value: object, ancestors: readonly object[]): string {
  if (ancestors.includes(value)) return "[circular]";
  if (value instanceof Error) return formatError(value);
  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  }
  if (value instanceof RegExp) return RegExp.prototype.toString.call(value);
  if (value instanceof Promise) return "Promise {}";
  if (value instanceof WeakMap || value instanceof WeakSet) return `${nameOf(value)} {}`;
  if (ancestors.length === DEPTH_MAX) return Array.isArray(value) ? "[array]" : "[object]";
  const inner = [...ancestors, value];
  if (Array.isArray(value)) {
    return wrap("", "[", "]", inspectItems(value, value.length, inner));
  }
  if (value instanceof Map) {
    const entries = take(value, ([key, item]) => {
      return `${inspectValue(key, inner)} => ${inspectValue(item, inner)}`;
    });
    return wrap(`Map(${value.size}) `, "{", "}", entries, value.size);
  }
  if (value instanceof Set) {
    const entries = take(value, (item) => inspectValue(item, inner));
    return wrap(`Set(${value.size}) `, "{", "}", entries, value.size);
  }
  if (value instanceof ArrayBuffer) return `ArrayBuffer { byteLength: ${value.byteLength} }`;
  if (value instanceof DataView) return `DataView { byteLength: ${value.byteLength} }`;
  if (isTypedArray(value)) {
    const items = inspectItems(value, value.length, inner);
    return wrap(`${nameOf(value)}(${value.length}) `, "[", "]", items);
  }
  return inspectProperties(value, inner);
}

function inspectItems(
  items: ArrayLike<unknown>,
  length: number,
  ancestors: readonly object[],
): string[] {
  const texts: string[] = [];
  for (let index = 0; index < length && index < ENTRIES_MAX; index += 1) {
    texts.push(inspectValue(items[index], ancestors));
  }
  if (length > ENTRIES_MAX) texts.push(`… ${length - ENTRIES_MAX} more`);
  return texts;
}

function inspectProperties(value: object, ancestors: readonly object[]): string {
  const keys = Reflect.ownKeys(value).filter((key) => {
    return Object.getOwnPropertyDescriptor(value, key)?.enumerable === true;
  });
  const texts = keys.slice(0, ENTRIES_MAX).map((key) => {
    const name = typeof key === "symbol" ? `[${String(key)}]` : keyText(key);
    const property = Object.getOwnPropertyDescriptor(value, key);
    const isAccessor = property?.get !== undefined || property?.set !== undefined;
    return `${name}: ${isAccessor ? "[accessor]" : inspectValue(property?.value, ancestors)}`;
  });
  if (keys.length > ENTRIES_MAX) texts.push(`… ${keys.length - ENTRIES_MAX} more`);
  const name = nameOf(value);
  return wrap(name === "Object" ? "" : `${name} `, "{", "}", texts);
}

function keyText(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : quote(key);
}

/** The class of an object; what has no prototype says so. */
function nameOf(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null) return "[no prototype]";
  const constructor: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  return typeof constructor === "function" && constructor.name ? constructor.name : "Object";
}

function isTypedArray(value: object): value is Uint8Array {
  return ArrayBuffer.isView(value);
}

function take<T>(items: Iterable<T>, toItemText: (item: T) => string): string[] {
  const texts: string[] = [];
  for (const item of items) {
    if (texts.length === ENTRIES_MAX) break;
    texts.push(toItemText(item));
  }
  return texts;
}

/** On one line where it fits, else one entry to a line. */
function wrap(
  prefix: string,
  open: string,
  close: string,
  texts: readonly string[],
  size: number = texts.length,
): string {
  const shown = size > texts.length ? [...texts, `… ${size - texts.length} more`] : texts;
  if (shown.length === 0) return `${prefix}${open}${close}`;
  const characters = shown.reduce((sum, text) => sum + text.length + 2, prefix.length);
  if (characters <= LINE_CHARACTERS_MAX && shown.every((text) => !text.includes("\n"))) {
    const space = open === "{" ? " " : "";
    return `${prefix}${open}${space}${shown.join(", ")}${space}${close}`;
  }
  const lines = shown.map((text) => `  ${text.replaceAll("\n", "\n  ")}`);
  return `${prefix}${open}\n${lines.join(",\n")}\n${close}`;
}
