import { fn } from "@downpour/sdk";

export const hello = fn((name: string) => `Hello, ${name}!`, {
  description: "Greets whoever is named",
});
