// The world `function-sync` of `wit/` as AssemblyScript sees it: what the canonical ABI makes of its
// types, by hand. Its strings are UTF-16, like AssemblyScript's own. What crosses lies outside of the
// garbage collector's memory, in blocks that are freed here.

const DURABLE = 2;
const LOG_ERROR = 4;

@external("downpour:faas/state@0.1.0", "get")
declare function stateGet(key: usize, keyLength: i32, result: usize): void;
@external("downpour:faas/state@0.1.0", "put")
declare function statePut(
  key: usize, keyLength: i32, value: usize, valueLength: i32, level: i32, result: usize,
): void;
@external("downpour:faas/state@0.1.0", "counter-add")
declare function stateCounterAdd(
  key: usize, keyLength: i32, delta: i64, level: i32, result: usize,
): void;
@external("downpour:faas/log@0.1.0", "write")
declare function logWrite(level: i32, message: usize, messageLength: i32): void;
@external("downpour:faas/context@0.1.0", "current")
declare function contextCurrent(invocation: usize): void;

export function cabi_realloc(before: usize, sizeBefore: usize, align: usize, size: usize): usize {
  return before == 0 ? heap.alloc(size) : heap.realloc(before, size);
}

/** Takes over what the host has put there. */
export function takeString(at: usize, length: i32): string {
  const text = String.UTF16.decodeUnsafe(at, <usize>length << 1);
  heap.free(at);
  return text;
}

export function takeBytes(at: usize, length: i32): Uint8Array {
  const bytes = new Uint8Array(length);
  memory.copy(bytes.dataStart, at, length);
  heap.free(at);
  return bytes;
}

function takeStringAt(field: usize): string {
  return takeString(load<usize>(field), load<i32>(field, 4));
}

/** AssemblyScript has no exceptions to catch: why the last call of the state failed, else null. */
export let stateError: string | null = null;

function keepError(result: usize, errorOffset: usize): bool {
  stateError = null;
  if (load<u8>(result) == 0) return false;
  const error = result + errorOffset;
  const tag = load<u8>(error);
  stateError = tag == 0 ? "INVALID_KEY: " + takeStringAt(error + 4) : "STATE: " + tag.toString();
  return true;
}

/** Empty where nothing was written. */
export function get(key: string): Uint8Array {
  const result = heap.alloc(16);
  stateGet(changetype<usize>(key), key.length, result);
  let value = new Uint8Array(0);
  if (!keepError(result, 4) && load<u8>(result, 4) != 0) {
    value = takeBytes(load<usize>(result, 8), load<i32>(result, 12));
  }
  heap.free(result);
  return value;
}

export function put(key: string, value: Uint8Array): void {
  const result = heap.alloc(16);
  statePut(changetype<usize>(key), key.length, value.dataStart, value.length, DURABLE, result);
  keepError(result, 4);
  heap.free(result);
}

export function counterAdd(key: string, delta: i64): i64 {
  const result = heap.alloc(24);
  stateCounterAdd(changetype<usize>(key), key.length, delta, DURABLE, result);
  const value = keepError(result, 8) ? 0 : load<i64>(result, 8);
  heap.free(result);
  return value;
}

export class Invocation {
  constructor(public tenant: string, public app: string, public called: string) {}
}

export function context(): Invocation {
  const record = heap.alloc(72);
  contextCurrent(record);
  heap.free(load<usize>(record));
  const invocation = new Invocation(
    takeStringAt(record + 8), takeStringAt(record + 16), takeStringAt(record + 32),
  );
  heap.free(load<usize>(record, 24));
  if (load<u8>(record, 48) != 0) heap.free(load<usize>(record, 52));
  const metadata = load<usize>(record, 60);
  for (let at = 0; at < load<i32>(record, 64); at += 1) {
    heap.free(load<usize>(metadata + at * 16));
    heap.free(load<usize>(metadata + at * 16, 8));
  }
  heap.free(metadata);
  heap.free(record);
  return invocation;
}

/** What the compiler calls for a failed assertion and `throw`; it ends in a trap. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const text = `${message ? message : "abort"} (${file ? file : ""}:${line}:${column})`;
  logWrite(LOG_ERROR, changetype<usize>(text), text.length);
  unreachable();
}

// The answer of the one call that runs at a time, and what it points to.
const answer = memory.data(44);
let mediaTypeKept = "";
let bodyKept = new Uint8Array(0);
let codeKept = "";

export function succeed(mediaType: string, body: Uint8Array): usize {
  mediaTypeKept = mediaType;
  bodyKept = body;
  store<u8>(answer, 0);
  storeString(answer + 4, mediaType);
  store<usize>(answer, body.dataStart, 12);
  store<i32>(answer, body.length, 16);
  return answer;
}

export function failWith(code: string, message: string): usize {
  codeKept = code;
  mediaTypeKept = message;
  store<u8>(answer, 1);
  store<u8>(answer, 2, 4);
  storeString(answer + 8, code);
  storeString(answer + 16, message);
  store<u8>(answer, 0, 24);
  return answer;
}

export function unknownFunction(name: string): usize {
  codeKept = name;
  store<u8>(answer, 1);
  store<u8>(answer, 0, 4);
  storeString(answer + 8, name);
  return answer;
}

/** A text that lives as long as the module, and the place that names it. */
export function constantString(text: string): usize {
  const place = heap.alloc(8);
  storeString(place, text);
  return place;
}

function storeString(field: usize, text: string): void {
  store<usize>(field, changetype<usize>(text));
  store<i32>(field, text.length, 4);
}
