// A program: does one thing that a hostile tenant does, until it is told to stop (SIGTERM), and prints one line of
// JSON. It has a process of its own, which goes last where the machine is busy: it stands for machines elsewhere.

import { readFileSync } from "node:fs";
import { ATTACKS } from "./attacks.ts";

const [name = "", origin = "", hello = ""] = process.argv.slice(2);
const attack = ATTACKS.find((candidate) => candidate.name === name);
if (attack === undefined) throw new Error(`no attack is called ${name}`);
const stop = attack.start({
  origin,
  authorization: process.env["ATTACK_AUTHORIZATION"] ?? "",
  hello: readFileSync(hello),
});
process.once("SIGTERM", () => {
  void stop().then((achieved) => {
    console.log(`achieved ${JSON.stringify(achieved)}`);
    process.exit(0);
  });
});
console.log("attacks");
