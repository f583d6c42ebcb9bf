// Streams: input that is at its end, and output that goes to the host line by line. Neither ever
// waits, so nothing here suspends, and every stream is always ready.

import { trap } from "../canonical/trap.ts";
import type { FunctionDeclaration } from "../engine.ts";
import { borrow, bytes, func, methods, own, result, u64, variant } from "../component/wit-types.ts";
import type { ValueType } from "../component/types.ts";
import type { LineWriter } from "./line-writer.ts";
import { WASI_RESOURCES, WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";
import { Pollable } from "./pollable.ts";

/** What `check-write` allows each time, and so the most of one write. */
const WRITE_BYTES_MAX = 65_536;

type StreamResult<T> =
  | { readonly tag: "ok"; readonly val: T }
  | { readonly tag: "err"; readonly val: { readonly tag: "closed" } };

const CLOSED = { tag: "err", val: { tag: "closed" } } as const;
const DONE = { tag: "ok", val: undefined } as const;

/** At its end from the start. */
export class InputStream {
  read(): StreamResult<Uint8Array> {
    return CLOSED;
  }

  skip(): StreamResult<bigint> {
    return CLOSED;
  }
}

export class OutputStream {
  readonly #writer: LineWriter;

  constructor(writer: LineWriter) {
    this.#writer = writer;
  }

  write(contents: Uint8Array): StreamResult<undefined> {
    requireWritable(contents.length);
    this.#writer.write(contents);
    return DONE;
  }

  writeZeroes(length: bigint): StreamResult<undefined> {
    requireWritable(Number(length));
    return this.write(new Uint8Array(Number(length)));
  }

  close(): void {
    this.#writer.close();
  }
}

function requireWritable(byteLength: number): void {
  if (byteLength > WRITE_BYTES_MAX) trap(`more than ${WRITE_BYTES_MAX} bytes in one write`);
}

const functions = {
  "[method]input-stream.read": (stream: InputStream) => stream.read(),
  "[method]input-stream.blocking-read": (stream: InputStream) => stream.read(),
  "[method]input-stream.skip": (stream: InputStream) => stream.skip(),
  "[method]input-stream.blocking-skip": (stream: InputStream) => stream.skip(),
  "[method]input-stream.subscribe": () => Pollable.ready(),
  "[method]output-stream.check-write": (): StreamResult<bigint> => ({
    tag: "ok",
    val: BigInt(WRITE_BYTES_MAX),
  }),
  "[method]output-stream.write": write,
  "[method]output-stream.blocking-write-and-flush": write,
  // A line is handed over when it ends: C libraries flush after each write, in the midst of lines.
  "[method]output-stream.flush": () => DONE,
  "[method]output-stream.blocking-flush": () => DONE,
  "[method]output-stream.subscribe": () => Pollable.ready(),
  "[method]output-stream.write-zeroes": writeZeroes,
  "[method]output-stream.blocking-write-zeroes-and-flush": writeZeroes,
  // There is no input to splice from that is not at its end.
  "[method]output-stream.splice": (): StreamResult<bigint> => CLOSED,
  "[method]output-stream.blocking-splice": (): StreamResult<bigint> => CLOSED,
};

function write(stream: OutputStream, contents: Uint8Array): StreamResult<undefined> {
  return stream.write(contents);
}

function writeZeroes(stream: OutputStream, length: bigint): StreamResult<undefined> {
  return stream.writeZeroes(length);
}

const drop = {
  "output-stream": (stream: OutputStream): void => {
    stream.close();
  },
};

const implementation = { functions, drop };

const streamError = variant({ "last-operation-failed": own(WASI_RESOURCES.error), closed: null });

function declared(
  params: Readonly<Record<string, ValueType>>,
  ok: ValueType | null,
): FunctionDeclaration {
  return { type: func(params, result(ok, streamError)), suspends: false };
}

const subscribe: FunctionDeclaration = {
  type: func({}, own(WASI_RESOURCES.pollable)),
  suspends: false,
};
const splice = declared({ src: borrow(WASI_RESOURCES.inputStream), len: u64 }, u64);

export const ioStreams: OfferedInterface = {
  declaration: {
    name: "wasi:io/streams",
    version: WASI_VERSION,
    resources: {
      "input-stream": WASI_RESOURCES.inputStream,
      "output-stream": WASI_RESOURCES.outputStream,
    },
    functions: {
      ...methods("input-stream", WASI_RESOURCES.inputStream, {
        read: declared({ len: u64 }, bytes),
        "blocking-read": declared({ len: u64 }, bytes),
        skip: declared({ len: u64 }, u64),
        "blocking-skip": declared({ len: u64 }, u64),
        subscribe,
      }),
      ...methods("output-stream", WASI_RESOURCES.outputStream, {
        "check-write": declared({}, u64),
        write: declared({ contents: bytes }, null),
        "blocking-write-and-flush": declared({ contents: bytes }, null),
        flush: declared({}, null),
        "blocking-flush": declared({}, null),
        subscribe,
        "write-zeroes": declared({ len: u64 }, null),
        "blocking-write-zeroes-and-flush": declared({ len: u64 }, null),
        splice,
        "blocking-splice": splice,
      }),
    },
  },
  implement: () => implementation,
};
