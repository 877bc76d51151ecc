/** The common clock: what a lane has spent after some updates, and the records at a time, next to it and before it. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { axisTitle, CLOCKS, clockTitle, neighbour, recordAt, span, times, timeText } from "../../assets/bench/clock.js";

/** A lane with batches of these sizes, whose records are these updates. */
function lane(sizes, update, seconds = 0.5) {
  const before = [0];
  for (const size of sizes) before.push(before.at(-1) + size);
  const own = { sizes, before, update: Uint32Array.from(update), records: update.length, times: {} };
  const costs = { seconds_per_update: seconds, seconds_uncertainty: seconds / 10, pytorch_seconds_per_update: null };
  return { ...own, updates_per_epoch: sizes.length, label: "SGD", ...costs };
}

const every = (count) => Array.from({ length: count + 1 }, (_, k) => k);
const short = lane([4, 4, 2], every(6)); // the last batch of an epoch is short
const full = lane([10], every(2));

test("each clock counts its own", () => {
  assert.deepEqual([...times(short, "updates")], [0, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual([...times(short, "samples")], [0, 4, 8, 10, 14, 18, 20]);
  assert.deepEqual([...times(short, "epochs")].map((t) => 3 * t), [0, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual([...times(short, "seconds")], [0, 0.5, 1, 1.5, 2, 2.5, 3]);
  assert.deepEqual([...times(lane([], [0, 3]), "samples")], [0, 3]); // sizes that nobody knows
  assert.deepEqual([...times(full, "pytorch_seconds")], [0, 0, 0]); // while it is not known no time passes
  assert.deepEqual(Object.keys(CLOCKS), ["updates", "samples", "epochs", "seconds", "pytorch_seconds"]);
});

test("samples that were counted go before those that follow from the batches", () => {
  assert.deepEqual([...times({ ...lane([4], [0, 1]), samplesSpent: [0, 7] }, "samples")], [0, 7]);
});

test("the clock ends with the last lane", () => {
  assert.equal(span([short, full], "updates"), 6);
  assert.equal(span([short, full], "samples"), 20);
  assert.equal(span([short, full], "epochs"), 2);
});

test("a record is there from its time on, rounding or not", () => {
  assert.deepEqual([0, 3.9, 4, 9.99, 10, 1e9].map((t) => recordAt(short, "samples", t)), [0, 0, 1, 2, 3, 6]);
  const third = lane([1, 1, 1], every(9));
  for (let k = 0; k <= 9; k += 1) assert.equal(recordAt(third, "epochs", (k / 3) * (1 - 1e-12)), k);
});

test("steps go from record to record of whatever lane is next, and stop at the ends", () => {
  const lanes = [short, full];
  const seen = [0];
  while (seen.at(-1) < 2) seen.push(neighbour(lanes, "epochs", seen.at(-1), 1));
  assert.deepEqual(seen.map((t) => Math.round(3 * t)), [0, 1, 2, 3, 4, 5, 6]);
  assert.equal(neighbour(lanes, "epochs", 2, 1), 2);
  assert.equal(neighbour(lanes, "epochs", 1.5, -1), 4 / 3);
  assert.equal(neighbour(lanes, "epochs", 1, -1), 2 / 3);
  assert.equal(neighbour(lanes, "epochs", 0, -1), 0);
});

test("a clock of time says where it is spent, what an update costs, and how sure that is", () => {
  const header = { lanes: [short], timing: { seconds: "CPU, 1 thread", pytorch_seconds: "CPU, 1 thread" } };
  assert.equal(axisTitle("seconds", header), "seconds, this engine (CPU, 1 thread)");
  assert.equal(clockTitle("seconds", header), "seconds, this engine (CPU, 1 thread); an update: SGD 500 ms ± 50 ms");
  assert.equal(clockTitle("pytorch_seconds", header), "seconds, PyTorch loop: not measured");
  assert.equal(clockTitle("epochs", header), "epoch");
});

test("a time in words", () => {
  assert.equal(timeText("updates", 120, 1640), "update 120 of 1,640");
  assert.equal(timeText("samples", 1200, 64000), "1,200 of 64,000 samples");
  assert.equal(timeText("epochs", 3.5, 20), "epoch 3.5 of 20");
  assert.equal(timeText("seconds", 0.0123, 2), "12.3 ms of 2 s");
});
