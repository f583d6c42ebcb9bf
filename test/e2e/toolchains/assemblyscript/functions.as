// One function for each thing that an AssemblyScript program may ask of its host.

import {
  context, constantString, counterAdd, failWith, get, put, stateError, succeed, takeBytes, takeString,
  unknownFunction,
} from "./faas";

export { cabi_realloc } from "./faas";

const MANIFEST =
  '{"sdk": "assemblyscript 1.0", "functions": [{"name": "echo"}, {"name": "count"}, {"name": "append"},' +
  ' {"name": "reverse"}, {"name": "collect"}, {"name": "context"}, {"name": "refuse"},' +
  ' {"name": "throw"}, {"name": "index"}, {"name": "recurse"}, {"name": "spin"}]}';
const manifest = constantString(MANIFEST);

export function describe(): usize {
  return manifest;
}

export function handle(
  name: usize, nameLength: i32, mediaType: usize, mediaTypeLength: i32, body: usize, bodyLength: i32,
): usize {
  const called = takeString(name, nameLength);
  const type = takeString(mediaType, mediaTypeLength);
  const input = takeBytes(body, bodyLength);
  if (called == "echo") return succeed(type, input);
  const text = String.UTF8.decodeUnsafe(input.dataStart, input.length);
  if (called == "count") return count(text);
  if (called == "append") return append(input);
  if (called == "reverse") return answerText(text.split("").reverse().join(""));
  if (called == "collect") return answerJson(collect(<i32>parseInt(text)).toString());
  if (called == "context") return answerContext();
  if (called == "refuse") return failWith("REFUSED", "as asked: " + text);
  if (called == "throw") throw new Error("no such " + text);
  if (called == "index") return answerJson(input[<i32>parseInt(text)].toString());
  if (called == "recurse") return answerJson(recurse(<i32>parseInt(text)).toString());
  if (called == "spin") spin();
  return unknownFunction(called);
}

function answerJson(json: string): usize {
  return succeed("application/json", Uint8Array.wrap(String.UTF8.encode(json)));
}

function answerText(text: string): usize {
  return succeed("text/plain", Uint8Array.wrap(String.UTF8.encode(text)));
}

function count(key: string): usize {
  const value = counterAdd(key, 1);
  const error = stateError;
  return error == null ? answerJson(value.toString()) : failWith("STATE", error);
}

/** Reads a register, writes it back with what came in at its end, and answers what it is then. */
function append(input: Uint8Array): usize {
  const before = get("appended");
  const after = new Uint8Array(before.length + input.length);
  after.set(before);
  after.set(input, before.length);
  put("appended", after);
  return succeed("text/plain", after);
}

/** Makes far more garbage than its memory holds. */
function collect(rounds: i32): i32 {
  const kept = new Map<i32, string[]>();
  let sum = 0;
  for (let round = 0; round < rounds; round += 1) {
    const words = new Array<string>();
    for (let word = 0; word < 100; word += 1) words.push("word " + (round + word).toString());
    kept.set(round % 50, words);
    sum += kept.get((round * 7) % (kept.size)).length;
  }
  return sum;
}

function answerContext(): usize {
  const current = context();
  return answerJson(
    `{"tenant":"${current.tenant}","app":"${current.app}","function":"${current.called}"}`,
  );
}

function recurse(depth: i32): i32 {
  return depth == 0 ? 0 : recurse(depth - 1) + 1;
}

const turnsKept = memory.data(4);

function spin(): void {
  for (let turns = 0; ; turns += 1) store<i32>(turnsKept, turns);
}
