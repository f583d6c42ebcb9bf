// What a hostile tenant deploys: each function does one bad thing for as long as it is let.

import { fn, state } from "@downpour/sdk";

export const hello = fn((name: string) => `Hello, ${name}!`);

export const loop = fn((): null => {
  for (;;);
});

export const recurse = fn((): number => {
  const down = (depth: number): number => down(depth + 1) + 1;
  return down(0);
});

export const fib = fn((): number => {
  const fibonacci = (n: number): number => (n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2));
  return fibonacci(60);
});

export const hoard = fn((): null => {
  const kept: Uint8Array[] = [];
  for (;;) kept.push(new Uint8Array(1024 * 1024).fill(1));
});

export const read = fn((): null => {
  for (;;) state.register<string>("k").get();
});

export const add = fn((): null => {
  for (;;) state.counter("hot").add(1);
});

export const store = fn((): null => {
  const value = "x".repeat(1000);
  for (;;) state.register<string>(`flood/${crypto.randomUUID()}`).put(value);
});

export const chatter = fn((): null => {
  for (;;) console.log("x".repeat(1000));
});

export const large = fn.raw(() => ({
  mediaType: "application/octet-stream",
  body: new Uint8Array(10 * 1024 * 1024),
}));

export const fail = fn((): null => {
  throw new Error("x".repeat(100_000));
});
