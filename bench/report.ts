// What a suite hands back, as data: `print-report.ts` shows it to people, `--json` to programs.

/** One measured subject. A value's unit is the end of its name: `p50Ms`, `requestsPerSecond`. */
export interface Row {
  readonly subject: string;
  readonly values: Readonly<Record<string, number>>;
}

export interface Table {
  readonly title: string;
  readonly rows: readonly Row[];
}

/** What must hold at any size: a wrong answer or a lost write. One that fails, fails the run. */
export interface Check {
  readonly name: string;
  readonly holds: boolean;
  readonly detail: string;
}

/** What is wanted of the numbers: a missed one is reported, and fails nothing. */
export interface Target {
  readonly name: string;
  readonly measured: number;
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface SuiteReport {
  readonly suite: string;
  readonly tables: readonly Table[];
  readonly checks: readonly Check[];
  readonly targets: readonly Target[];
  /** What a reader must know to read the numbers: what was left out, and why. */
  readonly notes: readonly string[];
}

export interface Suite {
  readonly name: string;
  readonly summary: string;
  /** Programs that must be installed. Without one, a smoke run leaves the suite out and says so. */
  readonly needs: readonly NeededProgram[];
  readonly run: (context: SuiteContext) => Promise<SuiteReport>;
}

export interface NeededProgram {
  readonly command: string;
  readonly howToGet: string;
}

export interface SuiteContext {
  /** An empty directory on a real disk, removed after the suite. */
  readonly directory: string;
  /** One line for the person who waits. */
  readonly progress: (line: string) => void;
}

export function isMet(target: Target): boolean {
  if (!Number.isFinite(target.measured)) return false;
  if (target.atLeast !== undefined && target.measured < target.atLeast) return false;
  return target.atMost === undefined || target.measured <= target.atMost;
}
