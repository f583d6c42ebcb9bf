import pino from "pino";
import type { DestinationStream, Logger } from "pino";

/**
 * The host's own log: one JSON object to a line on standard error, where `standard output` belongs to
 * what the operator asked for. What tenants control (names, messages) only ever appears as a JSON
 * value, so that no tenant can forge a line. Tokens and bodies are never logged.
 */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      // The process id and the host name are known to whoever collects the log.
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination ?? pino.destination({ dest: 2, sync: false }),
  );
}

export type { Logger } from "pino";
