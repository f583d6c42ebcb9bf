import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Where builds of this process put what is temporary while it is not disposed of. */
export interface BuildLeftovers extends Disposable {
  files(): readonly string[];
  /** The command lines of the processes that builds began; Linux only, none elsewhere. */
  processes(): readonly string[];
  /** Resolves once a process runs whose command line has the text. */
  untilRunning(text: string): Promise<void>;
}

const POLL_INTERVAL_MS = 20;

export function watchLeftovers(): BuildLeftovers {
  const before = process.env["TMPDIR"];
  const folder = mkdtempSync(join(tmpdir(), "sdk-test-temporary-"));
  process.env["TMPDIR"] = folder;
  const processes = (): string[] => processesThatName(folder);
  return {
    files: () => readdirSync(folder),
    processes,
    untilRunning: async (text) => {
      while (!processes().some((command) => command.includes(text))) await sleep(POLL_INTERVAL_MS);
    },
    [Symbol.dispose]: () => {
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
      rmSync(folder, { recursive: true });
    },
  };
}

/** In their environment, or where that is not passed on, among their arguments. */
function processesThatName(folder: string): string[] {
  const commands: string[] = [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, "latin1");
      const command = readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ");
      if (environment.includes(folder) || command.includes(folder)) commands.push(command);
    } catch {
      // It ended while we looked.
    }
  }
  return commands;
}
