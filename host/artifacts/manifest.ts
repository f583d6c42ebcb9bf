import { Type } from "typebox";
import type { Static } from "typebox";
import { Compile } from "typebox/compile";
import { HostError } from "../errors.ts";

const MANIFEST_BYTES_MAX = 65_536;
const FUNCTIONS_MAX = 256;
const DESCRIPTION_CHARS_MAX = 1_024;

const Manifest = Type.Object({
  sdk: Type.String({ maxLength: 64 }),
  functions: Type.Array(
    Type.Object({
      name: Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_-]{0,63}$" }),
      description: Type.Optional(Type.String({ maxLength: DESCRIPTION_CHARS_MAX })),
    }),
    { minItems: 1, maxItems: FUNCTIONS_MAX },
  ),
});

/** What `describe` of a component says of itself (`docs/manifest.md`). */
export type Manifest = Static<typeof Manifest>;

const validator = Compile(Manifest);

/**
 * Reads what a guest answered. Unknown keys are dropped, because a newer SDK may describe more than
 * this host knows. Throws `MANIFEST_INVALID`.
 */
export function parseManifest(text: string): Manifest {
  const bytes = Buffer.byteLength(text);
  if (bytes > MANIFEST_BYTES_MAX) {
    throw invalid(`it has ${bytes} bytes; the limit is ${MANIFEST_BYTES_MAX}`);
  }
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch (cause) {
    throw invalid("it is not JSON", cause);
  }
  if (!validator.Check(manifest)) {
    const [first] = validator.Errors(manifest);
    throw invalid(`${first?.instancePath ?? ""} ${first?.message ?? "is invalid"}`.trim());
  }
  const functions = manifest.functions.map(({ name, description }) =>
    description === undefined ? { name } : { name, description },
  );
  const names = new Set(functions.map(({ name }) => name));
  if (names.size < functions.length) throw invalid("two functions have the same name");
  return { sdk: manifest.sdk, functions };
}

function invalid(why: string, cause?: unknown): HostError {
  return new HostError("MANIFEST_INVALID", `the manifest of the component is invalid: ${why}`, {
    cause,
  });
}
