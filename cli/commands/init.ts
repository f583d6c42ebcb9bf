import { cp, mkdir, readFile, readdir, writeFile } from "node:fs/promises";
