// What the SDK's runtime left in a component's memory for the build: texts of JSON in ASCII, each
// with a first member of its own. The snapshot holds no other copy of such a text, because in the
// sources the members' names have no quotes.

import type { Manifest } from "../src/serve/manifest-format.ts";

const TEXT_BYTES_MAX = 1024 * 1024;

export interface BuildLogEntry {
  readonly level: string;
  readonly message: string;
}

export function readManifest(component: Uint8Array): Manifest | undefined {
  const found = find(component, '{"manifest":"downpour.1"');
  return isManifest(found) ? found : undefined;
}

/** What module code wrote to the console while the snapshot was made. */
export function readBuildLog(component: Uint8Array): readonly BuildLogEntry[] {
  const found = find(component, '{"buildLog":"downpour.1"');
  return isBuildLog(found) ? found.entries : [];
}

/** The runtime of this very package wrote it: what is checked is that the text is whole. */
function isManifest(found: unknown): found is Manifest {
  return isObject(found) && "functions" in found && Array.isArray(found.functions);
}

function isBuildLog(found: unknown): found is { readonly entries: readonly BuildLogEntry[] } {
  return isObject(found) && "entries" in found && Array.isArray(found.entries);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** The first complete JSON object that begins with `start`; a cut copy of it is passed over. */
function find(component: Uint8Array, start: string): unknown {
  const bytes = Buffer.from(component.buffer, component.byteOffset, component.byteLength);
  for (let at = bytes.indexOf(start); at !== -1; at = bytes.indexOf(start, at + 1)) {
    const end = endOfObject(bytes, at);
    if (end === undefined) continue;
    try {
      return JSON.parse(bytes.toString("latin1", at, end));
    } catch {
      // Memory that was given back and written over: look for the next copy.
    }
  }
  return undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

function endOfObject(bytes: Uint8Array, start: number): number | undefined {
  let depth = 0;
  let isInString = false;
  for (let at = start; at < bytes.length && at - start < TEXT_BYTES_MAX; at += 1) {
    const byte = bytes[at];
    if (isInString) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) isInString = false;
    } else if (byte === QUOTE) {
      isInString = true;
    } else if (byte === OPEN) {
      depth += 1;
    } else if (byte === CLOSE) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return undefined;
}
