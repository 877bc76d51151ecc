/** Arrows: the longest of all panels has the full reach, and lengths may be compared from panel to panel. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { arrowScale } from "../../assets/bench/panels/marks.js";

const REACH = 62; // px
const view = { perX: 10, perY: 20 };
const lane = (gradient, batchGradient = null) => ({ role: "bgd", gradient, batchGradient });
const near = (a, b) => assert.ok(Math.abs(a - b) < 1e-12 * Math.abs(b), `${a} is not ${b}`);

test("the longest arrow at the cursors has the full reach", () => {
  const lanes = [lane([3, 0, 300, 0]), lane([0, 1, 0, 0], [0, 4, 0, 0])];
  near(arrowScale(lanes, [0, 0], [null, null], view), REACH / 80); // the batch's: 4 down, 20 px each
  near(arrowScale(lanes, [1, 1], [null, null], view), REACH / 3000);
});

test("a scatter of batches has room too, of a full batch there is none", () => {
  const scatter = { measured: [[4, 0], [0, 9]] };
  const mini = { ...lane([1, 0]), role: "mini", sizes: [2], samples: 4, batch: null };
  near(arrowScale([mini], [0], [scatter], view), REACH / (1.2 * Math.hypot(2 * 10, 3 * 20)));
  near(arrowScale([lane([1, 0])], [0], [scatter], view), REACH / 10);
});

test("where nothing has a length there is no scale", () => {
  assert.equal(arrowScale([lane([0, 0]), lane(null), lane([NaN, 1])], [0, 0, 0], [null, null, null], view), 0);
});
