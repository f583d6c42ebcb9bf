// Names that an author of a component chose: how they read in a message, and the grammar they obey.

const NAME_CHARACTERS_MAX = 100;

/** A name as a message shows it: in quotes, on one line, no longer than a hundred characters. */
export function quoteName(name: string): string {
  return `"${escapeText(name, NAME_CHARACTERS_MAX)}"`;
}

/** Foreign text as part of a message: without control characters, quotes escaped, and cut. */
export function escapeText(text: string, charactersMax: number): string {
  const characters = Array.from(text.slice(0, charactersMax * 2));
  const shown = characters.slice(0, charactersMax).map(escapeCharacter).join("");
  const isCut = characters.length > charactersMax || text.length > charactersMax * 2;
  return isCut ? `${shown}…` : shown;
}

function escapeCharacter(character: string): string {
  if (character === '"' || character === "\\") return `\\${character}`;
  if (character === " " || !/[\p{C}\p{Z}]/u.test(character)) return character;
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** A label of the component model: words in lower case or acronyms in upper case, joined by `-`. */
export function isLabel(name: string): boolean {
  return LABEL.test(name);
}

// The alternatives of a fragment exclude each other, so that no name makes the search go back and forth.
const LABEL =
  /^(?:[a-z][0-9a-z]*|[A-Z][0-9A-Z]*)(?:-(?:[0-9]*[a-z][0-9a-z]*|[0-9]*[A-Z][0-9A-Z]*|[0-9]+))*$/;

/** What an import or export is called. */
export type ExternName =
  | { readonly kind: "label" }
  | { readonly kind: "interface" }
  | { readonly kind: "constructor" | "method" | "static"; readonly resource: string };

/** Undefined where a name is none that an import or export may have. */
export function parseExternName(name: string): ExternName | undefined {
  if (isLabel(name)) return { kind: "label" };
  const match = ANNOTATED.exec(name);
  if (match === null) {
    return parseInterfaceName(name) === undefined ? undefined : { kind: "interface" };
  }
  const [, annotation, text = ""] = match;
  if (annotation === "constructor") {
    return isLabel(text) ? { kind: annotation, resource: text } : undefined;
  }
  const [resource = "", label = "", ...rest] = text.split(".", 3);
  if (!isLabel(resource) || !isLabel(label) || rest.length > 0) return undefined;
  return { kind: annotation === "method" ? annotation : "static", resource };
}

const ANNOTATED = /^\[(constructor|method|static)\](.*)$/su;

/** Equal for two names that may not stand beside each other: bindings could call them the same. */
export function canonicalName(name: string): string {
  const lowered = name.toLowerCase();
  const member = /^\[(?:method|static)\](.*)$/su.exec(lowered)?.[1];
  if (member === undefined) return lowered;
  const [resource, label] = member.split(".", 2);
  return resource === label ? (label ?? member) : member;
}

/** `namespace:package/interface@1.2.3` in its parts; undefined where a name is not of this form. */
export interface InterfaceName {
  /** Without the version. */
  readonly name: string;
  readonly version: SemanticVersion | undefined;
}

export interface SemanticVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** `-rc.1`, or empty. Build metadata counts for nothing. */
  readonly prerelease: string;
}

export function parseInterfaceName(name: string): InterfaceName | undefined {
  const at = name.indexOf("@");
  const path = at < 0 ? name : name.slice(0, at);
  const colon = path.indexOf(":");
  const slash = path.indexOf("/", colon);
  if (colon < 0 || slash < 0) return undefined;
  const words = [path.slice(0, colon), path.slice(colon + 1, slash)];
  if (!words.every((part) => WORDS.test(part)) || !isLabel(path.slice(slash + 1))) return undefined;
  if (at < 0) return { name: path, version: undefined };
  const version = parseVersion(name.slice(at + 1));
  return version === undefined ? undefined : { name: path, version };
}

/** Of namespaces and packages: in lower case. */
const WORDS = /^[a-z][0-9a-z]*(?:-[0-9a-z]+)*$/;

export function parseVersion(text: string): SemanticVersion | undefined {
  if (text.length > 100) return undefined;
  const match = VERSION.exec(text);
  if (match === null) return undefined;
  return {
    major: Number(match[1]),
    minor: Number(match[2]),
    patch: Number(match[3]),
    prerelease: match[4] ?? "",
  };
}

const VERSION =
  /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})(-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;

/**
 * Whether what offers `offered` may be linked to what asks for `asked`: the same compatible series,
 * and nothing newer than offered. WASI 0.2 promises that no patch release takes anything away or is
 * needed by name only, and toolchains name the newest one they know: any patch will do.
 */
export function isCompatible(
  interfaceName: string,
  asked: SemanticVersion | undefined,
  offered: SemanticVersion,
): boolean {
  if (asked === undefined) return false;
  if (asked.prerelease !== "" || offered.prerelease !== "") {
    return (
      asked.prerelease === offered.prerelease &&
      asked.major === offered.major &&
      asked.minor === offered.minor &&
      asked.patch === offered.patch
    );
  }
  if (asked.major !== offered.major) return false;
  if (offered.major > 0) {
    if (asked.minor !== offered.minor) return asked.minor < offered.minor;
    return asked.patch <= offered.patch;
  }
  if (asked.minor !== offered.minor) return false;
  if (offered.minor === 0) return asked.patch === offered.patch;
  if (interfaceName.startsWith("wasi:") && offered.minor === 2) return true;
  return asked.patch <= offered.patch;
}
