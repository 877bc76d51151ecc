/** The panels' pure functions: how a path is cut and fades, where labels go, which frame is shown, who shares a panel. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { batchAt, isFull } from "../../assets/bench/payload.js";
import { extent, roomy, steady } from "../../assets/bench/panels/axes.js";
import { shade } from "../../assets/bench/panels/filters.js";
import { fitPoints, reach, ticks } from "../../assets/bench/panels/fit.js";
import { choices, columnsFor, groupsOf } from "../../assets/bench/panels/index.js";
import { placeLabels } from "../../assets/bench/panels/labels.js";
import { cutFrame, frameAt, learnedAt } from "../../assets/bench/panels/replay.js";
import { titleFor } from "../../assets/bench/panels/surface.js";
import { cut, fade } from "../../assets/bench/panels/trail.js";

test("a segment is cut to the square, and one that misses it is left out", () => {
  assert.deepEqual(cut(-1, 0, 1, 0, 2), [-1, 0, 1, 0]);
  assert.deepEqual(cut(0, 0, 10, 0, 2), [0, 0, 2, 0]);
  assert.deepEqual(cut(-10, 5, 10, 5, 2), null);
  assert.deepEqual(cut(-10, -10, 10, 10, 2), [-2, -2, 2, 2]);
  assert.deepEqual(cut(0, -8, 0, 8, 2), [0, -2, 0, 2]);
});

test("the newest 30 updates are drawn full, older ones fall, and the pieces join past and head", () => {
  for (const end of [0, 1, 12, 30, 31, 100, 384, 20_000]) {
    const { past, pieces } = fade(end);
    let to = past;
    let strength = 0;
    for (const piece of pieces) {
      assert.equal(piece.from, to);
      assert.ok(piece.to > piece.from && piece.strength > strength);
      ({ to, strength } = piece);
    }
    assert.equal(to, end);
    assert.ok(end === 0 || strength === 1);
    if (pieces.length) assert.equal(pieces.at(-1).from, Math.max(0, end - 30));
  }
  assert.equal(fade(30).pieces.length, 1);
  assert.equal(fade(384).past, 264);
});

test("labels that would lie over each other are moved apart, the first keeps its place", () => {
  const label = (x, y) => ({ x, y, width: 80, height: 14 });
  assert.deepEqual(placeLabels([label(0, 50), label(40, 52)], 0, 200), [50, 64]);
  assert.deepEqual(placeLabels([label(0, 50), label(90, 52)], 0, 200), [50, 52]);
  const many = placeLabels([label(0, 7), label(10, 7), label(20, 7)], 0, 200);
  assert.deepEqual(many, [7, 21, 35]);
  assert.deepEqual(placeLabels([label(0, 199)], 0, 200), [193]);
  assert.deepEqual(placeLabels([label(0, 5), label(0, 5)], 0, 20), [7, 7]); // no room
});

test("the frame shown is the newest that is not later than the cursor", () => {
  assert.deepEqual(
    [0, 4, 5, 9, 10, 99].map((k) => frameAt([0, 5, 10], k)),
    [0, 0, 1, 1, 2, 2],
  );
  assert.equal(frameAt([3, 6], 1), 0);
});

test("a lane shows its replay before the end, what is not in it as at the end, and the newest at the end", () => {
  const frames = { shape: [3, 2], data: new Uint8Array([0, 1, 10, 11, 20, 21]) };
  assert.deepEqual(cutFrame(frames, 1), { shape: [2], data: new Uint8Array([10, 11]) });
  const learned = { label: { shape: [2], data: new Uint8Array([30, 31]) }, xs: { shape: [1], data: [7] } };
  const lane = { learned, replay: { at: [0, 5, 9], frames: { label: frames } }, records: 10 };
  assert.deepEqual(learnedAt(lane, 9), { frame: -1, arrays: learned });
  const earlier = learnedAt(lane, 6);
  assert.equal(earlier.frame, 1);
  assert.deepEqual([...earlier.arrays.label.data], [10, 11]);
  assert.equal(earlier.arrays.xs, learned.xs);
  assert.deepEqual(learnedAt({ ...lane, replay: null }, 2), { frame: -1, arrays: learned });
});

test("two panels side by side are one choice, every panel alone another", () => {
  assert.deepEqual(choices(["path"], ["path"]), [["path"]]);
  assert.deepEqual(choices(["path", "fit"], ["path", "fit"]), [["path", "fit"], ["path"], ["fit"]]);
  assert.deepEqual(choices(["images", "nonsense"], ["images"]), [["images"]]);
  const asked = choices(["images", "confusion"], ["images"], ["confusion", "images", "nonsense"]);
  assert.deepEqual(asked, [["images", "confusion"], ["images"], ["confusion"]]);
});

test("lanes share a panel in the overlay where they can; the fit beside each lane's own panel is all lanes'", () => {
  assert.deepEqual(groupsOf(["path"], 3, false, 1), [[[0], [1], [2]]]);
  assert.deepEqual(groupsOf(["path"], 3, true, 1), [[[0, 1, 2]]]);
  assert.deepEqual(groupsOf(["images"], 3, true, 1), [[[1]]]);
  assert.deepEqual(groupsOf(["path", "fit"], 2, false, 0), [[[0], [1]], [[0, 1]]]);
  assert.deepEqual(groupsOf(["path", "fit"], 2, true, 0), [[[0, 1]], [[0, 1]]]);
});

test("panels stand in rows that are equally long", () => {
  assert.deepEqual(
    [[3, 680], [4, 640], [4, 800], [6, 560], [3, 300], [1, 100], [3, 0]].map(([n, width]) => columnsFor(n, width)),
    [3, 2, 4, 3, 1, 1, 3],
  );
});

test("an axis title loses its brackets where there is no room", () => {
  assert.equal(titleFor("slope of bmi (per standard deviation)", 300), "slope of bmi (per standard deviation)");
  assert.equal(titleFor("slope of bmi (per standard deviation)", 150), "slope of bmi");
});

test("lucky dips get no room of their own, a lane that diverges leaves through the top", () => {
  const calm = Array.from({ length: 200 }, (_, i) => 10 / (1 + i));
  const noisy = calm.map((y, i) => (i === 50 ? 1e-9 : y));
  const [low] = extent([{ ys: noisy }], true, NaN, false);
  assert.ok(low > -2);
  const burst = [10, 100, 1e6, 1e12];
  assert.deepEqual(extent([{ ys: calm }, { ys: burst }], false, NaN, true)[1], 20);
  assert.equal(extent([{ ys: calm }, { ys: burst }], true, NaN, true)[1], 3);
  assert.equal(extent([{ ys: burst }], true, NaN, false)[1], 3); // even where nobody calls it diverged
  assert.equal(extent([{ ys: calm }], false, -5, false)[0], -5); // the target is in sight
  assert.deepEqual(extent([], true, NaN, false), [-1, 1]);
  assert.deepEqual(roomy([1.2, 8.7], false), [1, 9]);
});

test("a fit in original units goes where the weights say", () => {
  const line = { features: 1, kind: "regression", rx: [0, 10], ry: [0, 1] };
  const points = fitPoints([2, 1], { mean: [5], deviation: [2], intercept: true }, line);
  assert.deepEqual([points[0], points[60]], [[0, -4], [10, 6]]);
  const classes = { features: 2, kind: "classification", rx: [0, 10], ry: [0, 10] };
  const data = { mean: [5, 5], deviation: [1, 1], intercept: false };
  assert.deepEqual(fitPoints([1, 1], data, classes), [[0, 10], [10, 0]]);
  assert.deepEqual(fitPoints([1, 0], data, classes), [[5, 0], [5, 10]]);
  assert.deepEqual(fitPoints([0, 0], data, classes), []);
  assert.deepEqual(reach([0, 10]), [-0.5, 10.5]);
  assert.deepEqual(ticks([0, 10]), [0, 5, 10]);
});

test("as many draws as there are samples are a full batch only where each comes once", () => {
  const lane = (role, batch) => ({
    role,
    samples: 4,
    sizes: [4],
    before: [0, 4],
    update: [0, 1],
    updates: 1,
    batch: batch && Uint32Array.from(batch),
  });
  assert.ok(isFull(lane("bgd", null)));
  assert.ok(isFull(lane("mini", [3, 1, 0, 2])));
  const drawn = lane("mini", [3, 1, 3, 2]);
  assert.ok(!isFull(drawn));
  assert.deepEqual([...batchAt(drawn, 0)], [3, 1, 3, 2]);
});

test("weights are blue below zero and orange above", () => {
  assert.deepEqual(shade(0), [0, 114, 178]);
  assert.deepEqual(shade(255), [213, 94, 0]);
});

test("while a slider is dragged an axis stays as long as it suits", () => {
  const axis = (low, high, more = {}) => ({ type: "log", tickformat: undefined, range: [low, high], ...more });
  const shown = axis(-4, 0);
  assert.equal(steady(axis(-3.5, -0.5), shown), shown);
  for (const wanted of [axis(-4.5, 0), axis(-4, 0.1), axis(-1.5, 0), axis(-4, 0, { type: "linear" })])
    assert.equal(steady(wanted, shown), wanted);
  assert.equal(steady(shown, undefined), shown);
});
