// The types of the file system, and functions that all fail: without preopens there is no descriptor
// to call them on. They are here because C libraries and language runtimes import them.

import {
  bool,
  borrow,
  bytes,
  enumeration,
  flags,
  func,
  methods,
  option,
  own,
  record,
  result,
  string,
  tuple,
  u64,
  variant,
} from "../component/wit-types.ts";
import type { ValueType } from "../component/types.ts";
import type { FunctionDeclaration } from "../engine.ts";
import { datetime } from "./clocks-wall-clock.ts";
import { WASI_RESOURCES, WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";

const errorCode = enumeration(
  "access",
  "would-block",
  "already",
  "bad-descriptor",
  "busy",
  "deadlock",
  "quota",
  "exist",
  "file-too-large",
  "illegal-byte-sequence",
  "in-progress",
  "interrupted",
  "invalid",
  "io",
  "is-directory",
  "loop",
  "too-many-links",
  "message-size",
  "name-too-long",
  "no-device",
  "no-entry",
  "no-lock",
  "insufficient-memory",
  "insufficient-space",
  "not-directory",
  "not-empty",
  "not-recoverable",
  "unsupported",
  "no-tty",
  "no-such-device",
  "overflow",
  "not-permitted",
  "pipe",
  "read-only",
  "invalid-seek",
  "text-file-busy",
  "cross-device",
);
const descriptorType = enumeration(
  "unknown",
  "block-device",
  "character-device",
  "directory",
  "fifo",
  "symbolic-link",
  "regular-file",
  "socket",
);
const descriptorFlags = flags(
  "read",
  "write",
  "file-integrity-sync",
  "data-integrity-sync",
  "requested-write-sync",
  "mutate-directory",
);
const descriptorStat = record({
  type: descriptorType,
  "link-count": u64,
  size: u64,
  "data-access-timestamp": option(datetime),
  "data-modification-timestamp": option(datetime),
  "status-change-timestamp": option(datetime),
});
const pathFlags = flags("symlink-follow");
const openFlags = flags("create", "directory", "exclusive", "truncate");
const newTimestamp = variant({ "no-change": null, now: null, timestamp: datetime });
const directoryEntry = record({ type: descriptorType, name: string });
const advice = enumeration("normal", "sequential", "random", "will-need", "dont-need", "no-reuse");
const metadataHash = record({ lower: u64, upper: u64 });
const descriptor = borrow(WASI_RESOURCES.descriptor);
const timestamps = {
  "data-access-timestamp": newTimestamp,
  "data-modification-timestamp": newTimestamp,
};

function fallible(
  params: Readonly<Record<string, ValueType>>,
  ok: ValueType | null = null,
): FunctionDeclaration {
  return { type: func(params, result(ok, errorCode)), suspends: false };
}

const isSameObject = "[method]descriptor.is-same-object";
const filesystemErrorCode = "filesystem-error-code";

const declared: Readonly<Record<string, FunctionDeclaration>> = {
  ...methods("descriptor", WASI_RESOURCES.descriptor, {
    "read-via-stream": fallible({ offset: u64 }, own(WASI_RESOURCES.inputStream)),
    "write-via-stream": fallible({ offset: u64 }, own(WASI_RESOURCES.outputStream)),
    "append-via-stream": fallible({}, own(WASI_RESOURCES.outputStream)),
    advise: fallible({ offset: u64, length: u64, advice }),
    "sync-data": fallible({}),
    "get-flags": fallible({}, descriptorFlags),
    "get-type": fallible({}, descriptorType),
    "set-size": fallible({ size: u64 }),
    "set-times": fallible(timestamps),
    read: fallible({ length: u64, offset: u64 }, tuple(bytes, bool)),
    write: fallible({ buffer: bytes, offset: u64 }, u64),
    "read-directory": fallible({}, own(WASI_RESOURCES.directoryEntryStream)),
    sync: fallible({}),
    "create-directory-at": fallible({ path: string }),
    stat: fallible({}, descriptorStat),
    "stat-at": fallible({ "path-flags": pathFlags, path: string }, descriptorStat),
    "set-times-at": fallible({ "path-flags": pathFlags, path: string, ...timestamps }),
    "link-at": fallible({
      "old-path-flags": pathFlags,
      "old-path": string,
      "new-descriptor": descriptor,
      "new-path": string,
    }),
    "open-at": fallible(
      {
        "path-flags": pathFlags,
        path: string,
        "open-flags": openFlags,
        flags: descriptorFlags,
      },
      own(WASI_RESOURCES.descriptor),
    ),
    "readlink-at": fallible({ path: string }, string),
    "remove-directory-at": fallible({ path: string }),
    "rename-at": fallible({
      "old-path": string,
      "new-descriptor": descriptor,
      "new-path": string,
    }),
    "symlink-at": fallible({ "old-path": string, "new-path": string }),
    "unlink-file-at": fallible({ path: string }),
    "is-same-object": { type: func({ other: descriptor }, bool), suspends: false },
    "metadata-hash": fallible({}, metadataHash),
    "metadata-hash-at": fallible({ "path-flags": pathFlags, path: string }, metadataHash),
  }),
  ...methods("directory-entry-stream", WASI_RESOURCES.directoryEntryStream, {
    "read-directory-entry": fallible({}, option(directoryEntry)),
  }),
  [filesystemErrorCode]: {
    type: func({ err: borrow(WASI_RESOURCES.error) }, option(errorCode)),
    suspends: false,
  },
};

function fail(): { readonly tag: "err"; readonly val: string } {
  return { tag: "err", val: "bad-descriptor" };
}

const implementation = {
  functions: {
    ...Object.fromEntries(Object.keys(declared).map((name) => [name, fail])),
    [isSameObject]: () => false,
    [filesystemErrorCode]: () => undefined,
  },
};

export const filesystemTypes: OfferedInterface = {
  declaration: {
    name: "wasi:filesystem/types",
    version: WASI_VERSION,
    resources: {
      descriptor: WASI_RESOURCES.descriptor,
      "directory-entry-stream": WASI_RESOURCES.directoryEntryStream,
    },
    functions: declared,
  },
  implement: () => implementation,
};
