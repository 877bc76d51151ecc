/** node format_alike.mjs FILE: whether assets/bench/format.js writes each value of FILE as its text says. */

import { readFileSync } from "node:fs";

import { byName } from "./_format.mjs";

let alike = 0;
const different = [];
for (const [name, cases] of Object.entries(JSON.parse(readFileSync(process.argv[2], "utf8")))) {
  for (const [value, text] of cases) {
    const said = byName(name)(value);
    if (said === text) alike += 1;
    else different.push(`${name}(${value}) is "${said}" here, "${text}" in Python`);
  }
}
console.log(different.length ? different.slice(0, 20).join("\n") : `${alike} alike`);
process.exit(different.length ? 1 : 0);
