import type { HEADERS } from "@downpour/host/schemas";

/**
 * The API's header names, written again and not imported: the schemas bring a library along that would
 * double the start of every command. The type keeps them equal to the host's.
 */
export const API_HEADERS: typeof HEADERS = {
  invocation: "Downpour-Invocation",
  revision: "Downpour-Revision",
  deadlineMs: "Downpour-Deadline-Ms",
  idempotencyKey: "Idempotency-Key",
  stateKind: "Downpour-State-Kind",
};
