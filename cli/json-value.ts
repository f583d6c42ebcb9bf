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
