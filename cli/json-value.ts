import { CliError } from "./cli-error.ts";
import { printable } from "./terminal.ts";

/** Refuses what a person gave as JSON and is none; undefined is what is not even text. */
export function requireJson(text: string | undefined, what: string, otherwise: string): void {
  try {
    JSON.parse(text ?? "");
  } catch (cause) {
    const shown = text?.slice(0, 100);
    const isWord = shown !== undefined && /^[^'\\"{}[\]]+$/u.test(shown.trim());
    throw new CliError(
      "USAGE_INVALID",
      `the ${what} is not JSON${shown === undefined ? "" : `: ${printable(shown)}`}`,
      {
        exit: "usage",
        hint: isWord
          ? `A string needs its quotes: '${JSON.stringify(shown.trim())}'. ${otherwise}`
          : `A string needs its quotes, and the shell quotes around them: '"text"'. ${otherwise}`,
        cause,
      },
    );
  }
}

/** JSON text as an object of unknown members; undefined where it is anything else, or not JSON. */
export function parseRecord(text: string): Readonly<Record<string, unknown>> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Not JSON: the caller says what that means.
    return undefined;
  }
  return isRecord(value) ? value : undefined;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A document of the host as the type of its schema, which the host writes it by; undefined where it is no object. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- The one place where an answer gets its type.
export function parseDocument<T extends object>(text: string): T | undefined {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- As above.
  return parseRecord(text) as T | undefined;
}
