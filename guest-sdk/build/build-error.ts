/** One finding, at a place in the author's files where there is one. */
export interface BuildDiagnostic {
  /** Relative to the project's folder. */
  readonly file: string | undefined;
  /** Counted from 1, as is the column. */
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** Stable for each kind of finding: `TS2322`, `unsupported-import`, `top-level-exception`, … */
  readonly code: string;
  readonly message: string;
  /** What to do instead. */
  readonly hint: string | undefined;
}

/**
 * - `entry-not-found`: there is no such file.
 * - `unsupported-import`: a module that no function can have, such as `node:fs`.
 * - `unsupported-global`: a global that no function has, such as `setTimeout`.
 * - `type-error`: the compiler's findings.
 * - `syntax-error`: what is no TypeScript, or JSON, at all.
 * - `bundle-failed`: an import that leads nowhere, or to what no bundle can hold.
 * - `load-failed`: module code, outside any function, threw while the snapshot was made.
 * - `no-functions`: nothing to invoke, or a name that none can have.
 * - `timeout`: a step took longer than its limit; module code may loop.
 * - `toolchain-failed`: a compiler or the componentizer failed for no reason of the author's.
 */
export type BuildErrorKind =
  | "entry-not-found"
  | "unsupported-import"
  | "unsupported-global"
  | "type-error"
  | "syntax-error"
  | "bundle-failed"
  | "load-failed"
  | "no-functions"
  | "timeout"
  | "toolchain-failed";

/** Why there is no component. `diagnostics` has every finding; the message is the first one's. */
export class BuildError extends Error {
  override readonly name = "BuildError";
  readonly kind: BuildErrorKind;
  readonly diagnostics: readonly BuildDiagnostic[];

  constructor(
    kind: BuildErrorKind,
    diagnostics: readonly BuildDiagnostic[],
    options: { readonly cause?: unknown } = {},
  ) {
    const [first] = diagnostics;
    super(
      first === undefined ? kind : formatDiagnostic(first),
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.kind = kind;
    this.diagnostics = diagnostics;
  }
}

/** `src/index.ts:3:5 message (TS2322)`, what follows of the message, and the hint on a line of its own. */
export function formatDiagnostic(finding: BuildDiagnostic): string {
  const { file, line, column, message, code, hint } = finding;
  const place = [file, line, column].filter((part) => part !== undefined).join(":");
  const [first = "", ...rest] = message.split("\n");
  const head = `${place === "" ? "" : `${place} `}${first} (${code})`;
  const text = [head, ...rest].join("\n");
  return hint === undefined ? text : `${text}\n  ${hint}`;
}

/** A finding without a place. */
export function diagnostic(
  code: string,
  message: string,
  place: Partial<Pick<BuildDiagnostic, "file" | "line" | "column" | "hint">> = {},
): BuildDiagnostic {
  return {
    file: place.file,
    line: place.line,
    column: place.column,
    code,
    message,
    hint: place.hint,
  };
}
