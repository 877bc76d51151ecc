/** Payloads: read as they were packed, wherever in a buffer they lie; lanes with what they have, and without. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { batchAt, completed, hasRecords, lanesOf, samePicture, unpack } from "../../assets/bench/payload.js";

/** As mbsgd_core/figures/payload.py packs: each array starts at a multiple of 4. */
function pack(header, arrays) {
  const listed = [];
  const parts = [];
  let offset = 0;
  for (const [name, [shape, data]] of Object.entries(arrays)) {
    const bytes = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
    bytes.set(new Uint8Array(data.buffer));
    listed.push({ name, shape, dtype: data.constructor.name.replace("Array", "").toLowerCase(), offset });
    parts.push(bytes);
    offset += bytes.length;
  }
  const text = new TextEncoder().encode(JSON.stringify({ ...header, arrays: listed }));
  const size = Math.ceil(text.length / 4) * 4;
  const all = new Uint8Array(4 + size + offset).fill(32, 4, 4 + size);
  new DataView(all.buffer).setUint32(0, size, true);
  all.set(text, 4);
  parts.reduce((at, part) => all.set(part, at) ?? at + part.length, 4 + size);
  return all;
}

const ARRAYS = {
  "lane0/update": [[3], Uint32Array.of(0, 1, 2)],
  "lane0/loss": [[3], Float32Array.of(4, 2, NaN)],
  "lane0/theta": [[3, 2], Float32Array.of(1, 1, 2, 2, NaN, NaN)],
  "lane0/gradient": [[1, 2], Float32Array.of(7, 8)],
  "lane0/batch": [[6], Uint32Array.of(5, 4, 3, 2, 1, 0)],
  "lane0/replay/at": [[2], Uint32Array.of(0, 2)],
  "lane0/replay/label": [[2, 1], Uint8Array.of(1, 0)],
  "scene/odd": [[3], Uint8Array.of(1, 2, 3)],
};
const LANE = { label: "β", sizes: [2, 1], samples: 3, updates: 6, looked_at: [1] };
const HEADER = { kind: "run", key: "a", lanes: [LANE, { label: "waits", sizes: [1] }], kept: [] };

test("what was packed is read, also from an odd place of a longer buffer", () => {
  const bytes = pack(HEADER, ARRAYS);
  for (const shift of [0, 1, 2, 4]) {
    const longer = new Uint8Array(bytes.length + 8);
    longer.set(bytes, shift);
    const { header, arrays } = unpack(longer.subarray(shift, shift + bytes.length));
    assert.equal(header.lanes[0].label, "β");
    assert.deepEqual(Object.keys(arrays), Object.keys(ARRAYS));
    for (const [name, [shape, data]] of Object.entries(ARRAYS)) {
      assert.deepEqual(arrays[name].shape, shape);
      assert.deepEqual([...arrays[name].data], [...data], name);
    }
  }
});

test("a lane has its arrays at hand, and what is known of some records only stands at those", () => {
  const [lane, waits] = lanesOf(unpack(pack(HEADER, ARRAYS)));
  assert.equal(lane.last, 1); // of the records before it diverged
  assert.deepEqual([...lane.gradient], [NaN, NaN, 7, 8, NaN, NaN]);
  assert.deepEqual(lane.before, [0, 2, 3]);
  assert.deepEqual([...lane.replay.at], [0, 2]);
  assert.deepEqual(lane.replay.frames.label.shape, [2, 1]);
  assert.equal(lane.learned, null);
  assert.deepEqual([waits.records, waits.last, waits.theta, waits.replay], [1, 0, null, null]);
  assert.ok(Number.isNaN(waits.loss[0]));
});

test("a lane without a path ends with its losses", () => {
  const { "lane0/theta": _, ...flat } = ARRAYS;
  assert.equal(lanesOf(unpack(pack(HEADER, flat)))[0].last, 1);
});

test("the batch of the next update, epoch by epoch", () => {
  const [lane] = lanesOf(unpack(pack(HEADER, ARRAYS)));
  assert.deepEqual([0, 1, 2].map((k) => [...batchAt(lane, k)]), [[5, 4], [3], [2, 1]]);
  assert.equal(batchAt({ ...lane, updates: 2 }, 2), null); // there is none after the last
  assert.equal(batchAt({ ...lane, batch: null }, 0), null);
});

test("arrays that did not travel come from the picture before, unless it is another", () => {
  const before = unpack(pack(HEADER, ARRAYS));
  const { "scene/odd": _, ...fewer } = ARRAYS;
  const after = unpack(pack({ ...HEADER, kept: ["scene/odd"] }, fewer));
  assert.equal(completed(after, before).arrays["scene/odd"], before.arrays["scene/odd"]);
  assert.equal(completed(after, null), null);
  assert.equal(completed(after, { ...before, header: { key: "b" } }), null);
  assert.equal(completed(before, null), before);
});

test("a run that waits has no records", () => {
  assert.ok(hasRecords(unpack(pack(HEADER, ARRAYS))));
  assert.ok(!hasRecords(unpack(pack(HEADER, {}))));
});

test("pictures are the same number by number", () => {
  const picture = (z, key = "a") => unpack(pack({ key }, { z: [[2], Float32Array.from(z)] }));
  assert.ok(samePicture(picture([1, NaN]), picture([1, NaN])));
  assert.ok(!samePicture(picture([1, NaN]), picture([1, 2])));
  assert.ok(!samePicture(picture([1, 2]), picture([1, 2], "b")));
  assert.ok(!samePicture(null, picture([1, 2])));
});
