/** Handles on a track: where a linked one goes, and that each can be grabbed. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { fan, linked, placeOf, settle, valueAt } from "../../assets/bench/scale.js";

const RATE = { key: "learning_rate", scale: "log", min: 1e-4, max: 10, integer: false };
const MOMENTUM = { key: "momentum", scale: "linear", min: 0, max: 0.99, integer: false };
const BATCH = { key: "batch_size", scale: "log", min: 1, max: 64, integer: true };

test("linked rates keep their ratio, momenta their difference, batches stay whole", () => {
  assert.equal(linked(RATE, 0.1, 0.2, 0.01), 0.02);
  assert.equal(linked(RATE, 0.1, 0.1, 0.0123), 0.0123);
  assert.equal(linked(MOMENTUM, 0.5, 0.7, 0.1), 0.3);
  assert.equal(linked(BATCH, 4, 8, 16), 32);
  assert.equal(linked(BATCH, 4, 1, 2), 1);
});

test("a linked handle stops at the end of its track", () => {
  assert.equal(linked(RATE, 0.1, 10, 1), 10);
  assert.equal(linked(MOMENTUM, 0.9, 0.1, 0.2), 0);
  assert.equal(linked(BATCH, 4, 64, 16), 64);
});

test("places and values belong to each other", () => {
  for (const spec of [RATE, MOMENTUM, BATCH])
    for (const place of [0, 0.2, 0.5, 0.77, 1]) {
      const value = valueAt(spec, place);
      assert.equal(settle(spec, value), value);
      assert.equal(valueAt(spec, placeOf(spec, value)), value);
    }
});

test("handles on one spot are fanned out, those apart lie in the middle", () => {
  assert.deepEqual(fan([0.1, 0.5, 0.9], 300, 15), [0, 0, 0]);
  assert.deepEqual(fan([0.5, 0.5], 300, 15), [-8, 8]);
  assert.deepEqual(fan([0.5, 0.51, 0.1], 300, 15), [-8, 8, 0]);
  const six = fan([0.5, 0.5, 0.5, 0.5, 0.5, 0.5], 300, 15);
  assert.deepEqual([six[0], six[5]], [-15, 15]);
  assert.equal(new Set(six).size, 6);
});
