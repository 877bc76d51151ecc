/** The one rule of how numbers are written: the table that mbsgd_core/format.py is held to, too. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { knob, plural } from "../../assets/bench/format.js";
import { byName } from "./_format.mjs";

const { about, ...tables } = JSON.parse(readFileSync(new URL("../format_cases.json", import.meta.url), "utf8"));
const SPECIAL = { NaN, Infinity, "-Infinity": -Infinity };

for (const [name, cases] of Object.entries(tables)) {
  test(`the table: ${name}`, () => {
    assert.ok(about && cases.length);
    for (const [value, text] of cases) assert.equal(byName(name)(SPECIAL[value] ?? value), text, `${name}(${value})`);
  });
}

test("what is not there is a dash", () => {
  for (const name of Object.keys(tables)) assert.equal(byName(name)(undefined), "–");
});

test("nouns and knobs", () => {
  assert.equal(plural(1, "sample"), "1 sample");
  assert.equal(plural(8840, "sample"), "8,840 samples");
  const batch = { key: "batch_size", unit: "samples", integer: true };
  assert.equal(knob(batch, 32, 64), "32 samples");
  assert.equal(knob(batch, 64, 64), "64 samples = BGD");
  assert.equal(knob(batch, 1, 1), "1 sample = BGD");
  assert.equal(knob({ key: "momentum", unit: "" }, 0.4675), "0.4675");
  assert.equal(knob({ key: "angle", unit: "degrees" }, 25), "25 degrees");
});
