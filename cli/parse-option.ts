import { InvalidArgumentError } from "commander";
import { ENGINES, parseEngine } from "./project-file.ts";
import type { BuildEngine } from "./project-file.ts";

/** For commander's options: a whole number within limits, or a usage error. */
export function wholeNumber(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^-?\d+$/u.test(text) || value < minimum || value > maximum) {
      throw new InvalidArgumentError(`Give a whole number from ${minimum} to ${maximum}.`);
    }
    return value;
  };
}

export function engine(text: string): BuildEngine {
  return parseEngine(
    text,
    () => new InvalidArgumentError(`The engines are: ${ENGINES.join(", ")}.`),
  );
}

/** Collects `NAME=value` over repeated options. */
export function keyValue(
  text: string,
  previous: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const separator = text.indexOf("=");
  if (separator < 1) throw new InvalidArgumentError("Give NAME=value.");
  return { ...previous, [text.slice(0, separator)]: text.slice(separator + 1) };
}

/** Collects `Name: value` over repeated options. */
export function header(
  text: string,
  previous: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const match = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*(.*)$/u.exec(text);
  if (match === null) throw new InvalidArgumentError('Give "Name: value".');
  return { ...previous, [(match[1] ?? "").toLowerCase()]: match[2] ?? "" };
}
