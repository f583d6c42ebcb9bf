// Turns what a guest writes into lines, and hands each to the host when it is complete.
//
// LW1. It never holds more than `lineBytesMax` bytes: a longer line is handed over in pieces.
// LW2. Nothing is lost: what is left without an end of line is handed over by `close`. What is written after it
//      begins a new line.

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Guests may write anything: invalid UTF-8 is shown as U+FFFD, and never an error. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export class LineWriter {
  readonly #onLine: (line: string) => void;
  readonly #lineBytesMax: number;
  #pending: Uint8Array | undefined;

  constructor(onLine: (line: string) => void, lineBytesMax: number) {
    this.#onLine = onLine;
    this.#lineBytesMax = lineBytesMax;
  }

  write(contents: Uint8Array): void {
    let rest = this.#pending === undefined ? contents : concatenate(this.#pending, contents);
    this.#pending = undefined;
    while (rest.length > 0) {
      const end = rest.indexOf(LINE_FEED);
      if (end >= 0 && end <= this.#lineBytesMax) {
        this.#emit(rest.subarray(0, end));
        rest = rest.subarray(end + 1);
      } else if (rest.length > this.#lineBytesMax) {
        const cut = characterBoundary(rest, this.#lineBytesMax);
        this.#emit(rest.subarray(0, cut));
        rest = rest.subarray(cut);
      } else {
        // A copy of its own: the rest of a large write must not stay in memory with it.
        this.#pending = rest.slice();
        return;
      }
    }
  }

  close(): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending !== undefined) this.#emit(pending);
  }

  #emit(line: Uint8Array): void {
    const end = line.at(-1) === CARRIAGE_RETURN ? line.length - 1 : line.length;
    this.#onLine(decoder.decode(line.subarray(0, end)));
  }
}

function concatenate(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** At most three bytes before `at`: UTF-8 has up to three continuation bytes. */
function characterBoundary(bytes: Uint8Array, at: number): number {
  for (let cut = at; cut > at - 4 && cut > 0; cut -= 1) {
    if (((bytes[cut] ?? 0) & 0xc0) !== 0x80) return cut;
  }
  return at;
}
