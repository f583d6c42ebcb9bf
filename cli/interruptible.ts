import process from "node:process";
import { CliError } from "./cli-error.ts";

/**
 * Work that Ctrl-C cancels: it gets a signal, and what it started is gone before the command ends. Asked
 * a second time, the process ends at once.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interrupted = new AbortController();
  const interrupt = (): void => {
    stopListening();
    interrupted.abort(new CliError("INTERRUPTED", "interrupted", { exit: "interrupted" }));
  };
  const stopListening = (): void => {
    for (const signal of SIGNALS) process.off(signal, interrupt);
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    return await work(interrupted.signal);
  } finally {
    stopListening();
  }
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
