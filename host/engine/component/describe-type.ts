import type { FuncType, ValueType } from "./types.ts";

// Types as messages show them: WIT's notation, cut where it gets long.

const SHOWN_CHARACTERS_MAX = 300;

export function describeFuncType(type: FuncType): string {
  const text = new BoundedText(SHOWN_CHARACTERS_MAX);
  writeFunc(text, type);
  return text.toString();
}

/** Stops taking text in when it is full, so that describing a huge type ends early. */
class BoundedText {
  #text = "";
  readonly #charactersMax: number;

  constructor(charactersMax: number) {
    this.#charactersMax = charactersMax;
  }

  get isFull(): boolean {
    return this.#text.length > this.#charactersMax;
  }

  add(text: string): void {
    if (!this.isFull) this.#text += text;
  }

  toString(): string {
    return this.isFull ? `${this.#text.slice(0, this.#charactersMax)}…` : this.#text;
  }
}

function writeFunc(text: BoundedText, type: FuncType): void {
  text.add(type.async ? "async func(" : "func(");
  writeList(text, type.params, (field) => {
    text.add(`${field.name}: `);
    writeValue(text, field.type);
  });
  text.add(")");
  if (type.result === null) return;
  text.add(" -> ");
  writeValue(text, type.result);
}

function writeValue(text: BoundedText, type: ValueType): void {
  if (text.isFull) return;
  switch (type.kind) {
    case "list":
      text.add("list<");
      writeValue(text, type.element);
      text.add(">");
      return;
    case "record":
      text.add("record { ");
      writeList(text, type.fields, (field) => {
        text.add(`${field.name}: `);
        writeValue(text, field.type);
      });
      text.add(" }");
      return;
    case "tuple":
      text.add("tuple<");
      writeList(text, type.types, (part) => writeValue(text, part));
      text.add(">");
      return;
    case "variant":
      text.add("variant { ");
      writeList(text, type.cases, (case_) => {
        text.add(case_.name);
        if (case_.type === null) return;
        text.add("(");
        writeValue(text, case_.type);
        text.add(")");
      });
      text.add(" }");
      return;
    case "enum":
    case "flags":
      text.add(`${type.kind} { `);
      writeList(text, type.names, (name) => text.add(name));
      text.add(" }");
      return;
    case "option":
      text.add("option<");
      writeValue(text, type.type);
      text.add(">");
      return;
    case "result":
      writeResult(text, type.ok, type.err);
      return;
    case "own":
    case "borrow":
      text.add(`${type.kind}<resource ${type.resource}>`);
      return;
    case "stream":
    case "future":
      text.add(type.kind);
      if (type.element === null) return;
      text.add("<");
      writeValue(text, type.element);
      text.add(">");
      return;
    case "bool":
    case "s8":
    case "u8":
    case "s16":
    case "u16":
    case "s32":
    case "u32":
    case "s64":
    case "u64":
    case "f32":
    case "f64":
    case "char":
    case "string":
      text.add(type.kind);
      return;
    default:
      unreachable(type);
  }
}

function writeResult(text: BoundedText, ok: ValueType | null, err: ValueType | null): void {
  text.add("result");
  if (ok === null && err === null) return;
  text.add("<");
  if (ok === null) text.add("_");
  else writeValue(text, ok);
  if (err !== null) {
    text.add(", ");
    writeValue(text, err);
  }
  text.add(">");
}

function writeList<T>(text: BoundedText, items: readonly T[], write: (item: T) => void): void {
  for (const [i, item] of items.entries()) {
    if (text.isFull) return;
    if (i > 0) text.add(", ");
    write(item);
  }
}

function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
