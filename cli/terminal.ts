// Owns what the command writes: results to stdout, everything about the way there to stderr.
//
// O1. With `--json`, stdout carries JSON documents alone: one, or one to a line for commands that go on.
// O2. Progress appears on stderr, moves only on a terminal, and is silent with `--json`.
// O3. What a host or a guest said is printed without its control characters: a log line cannot drive the terminal.

import { styleText } from "node:util";

type Format = Parameters<typeof styleText>[0];

/** What the terminal needs of a stream. */
export interface OutputStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const SPINNER_FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const SPINNER_INTERVAL_MS = 100;
/** Off a terminal, a step says that it has begun only when it takes this long. */
const PLAIN_PROGRESS_DELAY_MS = 1_000;

export interface Progress {
  /** Changes the words while the step goes on. */
  update(label: string): void;
  /** Ends the step with a line that stays. */
  done(line: string): void;
  /** Ends the step and leaves nothing behind: the error that follows says enough. */
  clear(): void;
}

export class Terminal {
  readonly isJson: boolean;
  readonly #stdout: OutputStream;
  readonly #stderr: OutputStream;
  #liveLine: string | undefined;

  constructor(options: {
    readonly stdout: OutputStream;
    readonly stderr: OutputStream;
    readonly isJson: boolean;
  }) {
    this.#stdout = options.stdout;
    this.#stderr = options.stderr;
    this.isJson = options.isJson;
  }

  /** The command's answer: the document with `--json`, the text otherwise. */
  result(document: unknown, text: string): void {
    this.#eraseLive();
    if (this.isJson) this.#stdout.write(`${JSON.stringify(document)}\n`);
    else if (text !== "") this.#stdout.write(text.endsWith("\n") ? text : `${text}\n`);
    this.#drawLive();
  }

  /** Bytes as they are: a state value or a result that is not text. Never with `--json`. */
  raw(bytes: Uint8Array): void {
    this.#stdout.write(bytes);
  }

  /** A line for people only. */
  note(line: string): void {
    if (this.isJson) return;
    this.#eraseLive();
    this.#stderr.write(`${line}\n`);
    this.#drawLive();
  }

  /** An error, whatever the mode: the caller has already written the document (O1). */
  error(text: string): void {
    this.#eraseLive();
    this.#stderr.write(`${text}\n`);
    this.#drawLive();
  }

  progress(label: string): Progress {
    if (this.isJson) return { update: () => {}, done: () => {}, clear: () => {} };
    return this.#stderr.isTTY === true ? this.#spinner(label) : this.#plainProgress(label);
  }

  out(format: Format, text: string): string {
    return style(format, text, this.#stdout);
  }

  err(format: Format, text: string): string {
    return style(format, text, this.#stderr);
  }

  get isInteractive(): boolean {
    return this.#stderr.isTTY === true;
  }

  #spinner(label: string): Progress {
    let words = label;
    let frame = 0;
    const draw = (): void => {
      this.#eraseLive();
      this.#liveLine = `${SPINNER_FRAMES[frame % SPINNER_FRAMES.length] ?? ""} ${words}`;
      this.#drawLive();
      frame += 1;
    };
    draw();
    const timer = setInterval(draw, SPINNER_INTERVAL_MS);
    timer.unref();
    const end = (): void => {
      clearInterval(timer);
      this.#eraseLive();
      this.#liveLine = undefined;
    };
    return {
      update: (next) => {
        words = next;
        draw();
      },
      done: (line) => {
        end();
        this.#stderr.write(`${this.err("green", "✓")} ${line}\n`);
      },
      clear: end,
    };
  }

  #plainProgress(label: string): Progress {
    let words = label;
    const timer = setTimeout(() => this.#stderr.write(`${words}…\n`), PLAIN_PROGRESS_DELAY_MS);
    timer.unref();
    return {
      update: (next) => {
        words = next;
      },
      done: (line) => {
        clearTimeout(timer);
        this.#stderr.write(`${line}\n`);
      },
      clear: () => clearTimeout(timer),
    };
  }

  #eraseLive(): void {
    if (this.#liveLine !== undefined) this.#stderr.write("\r\u001B[2K");
  }

  #drawLive(): void {
    if (this.#liveLine === undefined) return;
    // A terminal that does not know its width says 0.
    const { columns = 0 } = this.#stderr;
    this.#stderr.write(this.#liveLine.slice(0, (columns > 0 ? columns : 80) - 1));
  }
}

/** Text of a stranger, made safe to print: control characters but line break and tab become visible (O3). */
export function printable(text: string): string {
  return text.replaceAll(
    // oxlint-disable-next-line no-control-regex -- these are what must not reach the terminal.
    /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]/gu,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );
}

/** The same for what has one line: a line break becomes visible as well. */
export function printableLine(text: string): string {
  return printable(text)
    .replaceAll("\n", String.raw`\u000a`)
    .replaceAll("\t", String.raw`\u0009`);
}

/** Columns as wide as their widest cell; the last one is not padded. */
export function table(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  formatHeading: (heading: string) => string = (heading) => heading,
): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (cells: readonly string[], format: (cell: string) => string): string =>
    cells
      .map((cell, column) =>
        column === cells.length - 1
          ? format(cell)
          : format(cell) + " ".repeat((widths[column] ?? 0) - cell.length),
      )
      .join("  ");
  return [line(headings, formatHeading), ...rows.map((row) => line(row, (cell) => cell))].join(
    "\n",
  );
}

const LIST_LINES_MAX = 20;

/** The first lines, and how many more there are. */
export function shortList(lines: readonly string[], rest = ""): readonly string[] {
  const more = lines.length - LIST_LINES_MAX;
  return more <= 0 ? lines : [...lines.slice(0, LIST_LINES_MAX), `  and ${more} more${rest}`];
}

export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} kB`;
  if (bytes < 1_000_000_000) return `${(bytes / 1_000_000).toFixed(1)} MB`;
  return `${(bytes / 1_000_000_000).toFixed(1)} GB`;
}

export function formatDuration(durationMs: number): string {
  if (durationMs < 10) return `${durationMs.toFixed(1)} ms`;
  if (durationMs < 1_000) return `${Math.round(durationMs)} ms`;
  if (durationMs < 60_000) return `${(durationMs / 1_000).toFixed(2)} s`;
  return `${Math.floor(durationMs / 60_000)} min ${Math.round((durationMs % 60_000) / 1_000)} s`;
}

function style(format: Format, text: string, stream: OutputStream): string {
  // `styleText` looks at the stream, at NO_COLOR and at FORCE_COLOR; a stream without a descriptor is no terminal.
  if (stream.isTTY !== true && process.env["FORCE_COLOR"] === undefined) return text;
  return styleText(format, text, { stream });
}
