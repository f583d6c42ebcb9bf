export { KVS_ERROR_CODES, KvsError } from "./errors.ts";
export type { KvsErrorCode, KvsErrorDetails, KvsErrorWire } from "./errors.ts";
export type { SpaceLimits, SpaceUse } from "./key-space.ts";
export { KEY_BYTES_MAX } from "./keys.ts";
export { OutputGate } from "./output-gate.ts";
export type {
  Durability,
  LatticeKind,
  Mutation,
  StateClient,
  StatePage,
  StateValue,
  WriteResult,
} from "./state-client.ts";
export { connectStateClient } from "./storage-thread/connected-client.ts";
export type { GroupLimits } from "./storage-thread/group-commit.ts";
export type { ClientLimits, StateConnection } from "./storage-thread/protocol.ts";
export { startStorageThread } from "./storage-thread/storage-thread.ts";
export type {
  StorageThread,
  StorageThreadOptions,
  StorageThreadStats,
} from "./storage-thread/storage-thread.ts";
export { LIST_LIMIT_MAX } from "./store/page.ts";
