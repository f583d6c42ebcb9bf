// The bench command: picks suites, runs them one after the other, prints what they found.
//
// B1. Nothing is left running and no directory is left behind, also after a failure or Ctrl-C.
// B2. The exit code is 1 when a suite failed or a check does not hold. A missed target is
//     reported and fails nothing: on a busy machine it says more about the machine.

import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { endAllChildren } from "./child.ts";
import { isInstalled } from "./installed.ts";
import { describeMachine } from "./machine.ts";
import { benchMode } from "./parameters.ts";
import { formatReport } from "./print-report.ts";
import { isMet } from "./report.ts";
import type { Suite, SuiteReport } from "./report.ts";
import { counterSuite } from "./suites/counter.ts";
import { engineSuite } from "./suites/engine.ts";
import { httpSuite } from "./suites/http.ts";
import { isolationSuite } from "./suites/isolation.ts";
import { kvsSuite } from "./suites/kvs.ts";
import { startSuite } from "./suites/start.ts";

const SUITES: readonly Suite[] = [
  engineSuite,
  kvsSuite,
  startSuite,
  httpSuite,
  counterSuite,
  isolationSuite,
];

const HELP = `Usage: npm run bench -- <suite ...|all> [--full] [--json]

Suites
${SUITES.map((suite) => `  ${suite.name.padEnd(10)}${suite.summary}`).join("\n")}

Options
  --full    measure; without it every suite runs at a size that only shows that it works
  --json    one JSON object on the last line of standard output, progress on standard error
  --help    this text

Each size can be set alone: BENCH_<parameter>=<number>, the names are in the suites' sources.
bench/README.md says what each suite measures, and what it does not.

Examples
  npm run bench -- all
  npm run bench -- http counter --full
  npm run --silent bench -- start --json | tail -n 1
`;

interface Failure {
  readonly suite: string;
  readonly message: string;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) return 2;
  const { isJson, suites } = options;
  if (suites.length === 0) {
    console.log(HELP);
    return 0;
  }
  const startedAt = new Date().toISOString();
  const directory = await makeDirectory();
  const say = (line: string): void => (isJson ? console.error(line) : console.log(line));
  try {
    const machine = await describeMachine(directory);
    say(describe(machine));
    const reports: SuiteReport[] = [];
    const failures: Failure[] = [];
    for (const suite of suites) {
      say(`\n== ${suite.name}: ${suite.summary}`);
      const missing = suite.needs.find(({ command }) => !isInstalled(command));
      if (missing !== undefined && benchMode() === "smoke") {
        say(`   NOT RUN: ${missing.command} is not installed: ${missing.howToGet}`);
        continue;
      }
      try {
        if (missing !== undefined) {
          throw new Error(`${missing.command} is not installed: ${missing.howToGet}`);
        }
        // One after the other: two benches at once would measure each other.
        const report = await runSuite(suite, directory, say);
        reports.push(report);
        say(formatReport(report));
      } catch (error) {
        const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
        failures.push({ suite: suite.name, message });
        say(`FAILED  ${suite.name}: ${message}`);
      }
    }
    const passed = failures.length === 0 && reports.every(allChecksHold);
    if (isJson) {
      const suitesJson = Object.fromEntries(reports.map((report) => [report.suite, report]));
      console.log(
        JSON.stringify({
          startedAt,
          mode: benchMode(),
          machine,
          passed,
          failures,
          suites: suitesJson,
        }),
      );
    } else {
      console.log(`\n${summaryLine(reports, failures)}`);
    }
    return passed ? 0 : 1;
  } finally {
    endAllChildren();
    await rm(directory, { recursive: true, force: true });
  }
}

function readOptions():
  | { readonly isJson: boolean; readonly suites: readonly Suite[] }
  | undefined {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        full: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false, short: "h" },
      },
    });
    if (values.full) process.env["BENCH"] = "full";
    const suites = values.help
      ? []
      : SUITES.filter((suite) => positionals.includes("all") || positionals.includes(suite.name));
    const known = ["all", ...SUITES.map((suite) => suite.name)];
    const unknown = positionals.find((name) => !known.includes(name));
    if (unknown !== undefined) throw new TypeError(`there is no suite "${unknown}"`);
    if (suites.length === 0 && !values.help) throw new TypeError("no suite is named");
    return { isJson: values.json, suites };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`${error.message}\n\n${HELP}`);
    return undefined;
  }
}

/** On the disk of the checkout, not in the system's temporary folder, which may be in memory. */
async function makeDirectory(): Promise<string> {
  const cache = join(import.meta.dirname, ".cache");
  await mkdir(cache, { recursive: true });
  const directory = await mkdtemp(join(cache, "run-"));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      endAllChildren();
      rmSync(directory, { recursive: true, force: true });
      process.exit(1);
    });
  }
  return directory;
}

async function runSuite(
  suite: Suite,
  parent: string,
  progress: (line: string) => void,
): Promise<SuiteReport> {
  const directory = join(parent, suite.name);
  await mkdir(directory);
  return suite.run({ directory, progress: (line) => progress(`   ${line}`) });
}

function allChecksHold(report: SuiteReport): boolean {
  return report.checks.every((check) => check.holds);
}

function describe(machine: Awaited<ReturnType<typeof describeMachine>>): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${benchMode()} size; ${machine.cpu}, ${String(machine.cores)} cores, ${String(machine.memoryMiB)} MiB, ` +
      `Linux ${machine.kernel}, ${machine.fileSystem}`,
    versions.join(", "),
  ].join("\n");
}

function summaryLine(reports: readonly SuiteReport[], failures: readonly Failure[]): string {
  const checks = reports.flatMap((report) => report.checks);
  const targets = reports.flatMap((report) => report.targets);
  return (
    `${String(reports.length)} suites ran, ${String(failures.length)} failed; ` +
    `${String(checks.filter((check) => check.holds).length)} of ${String(checks.length)} checks hold; ` +
    `${String(targets.filter(isMet).length)} of ${String(targets.length)} targets met` +
    (benchMode() === "smoke" ? " (smoke size: says little; --full measures)" : "")
  );
}

process.exitCode = await main();
