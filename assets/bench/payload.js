/** The payload: u32 header length | JSON header | arrays. Unpacked as views, nothing is copied. */

const KINDS = { float32: Float32Array, uint32: Uint32Array, uint8: Uint8Array };

/** @typedef {{shape: number[], data: any}} Packed One array of a payload. */

/**
 * {header, arrays} of one payload.
 *
 * @param {Uint8Array} bytes
 * @returns {{header: any, arrays: Record<string, Packed>}} The header is one of those in types.d.ts, by its kind.
 */
export function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  let buffer = bytes.buffer;
  let base = bytes.byteOffset + 4 + length;
  if (base % 4) {
    buffer = bytes.slice(4 + length).buffer; // typed arrays must start on a multiple of 4
    base = 0;
  }
  /** @type {Record<string, Packed>} */
  const arrays = {};
  for (const { name, shape, dtype, offset } of header.arrays) {
    arrays[name] = {
      shape,
      data: new KINDS[dtype](
        buffer,
        base + offset,
        shape.reduce((a, b) => a * b, 1),
      ),
    };
  }
  return { header, arrays };
}

/** Pairs that are known of some records only, with NaN for all others. */
function spread(pairs, at, records) {
  if (!pairs || !at) return pairs;
  const all = new Float32Array(2 * records).fill(NaN);
  at.forEach((k, i) => all.set(pairs.subarray(2 * i, 2 * i + 2), 2 * k));
  return all;
}

/** The arrays whose name begins with a prefix, by the rest of their name; null where there are none. */
function below(arrays, prefix) {
  const names = Object.keys(arrays).filter((name) => name.startsWith(prefix));
  return names.length ? Object.fromEntries(names.map((name) => [name.slice(prefix.length), arrays[name]])) : null;
}

/** The last record before a lane diverged. */
function lastSound(theta, loss) {
  let last = loss.length - 1;
  const sound = (k) =>
    theta ? Number.isFinite(theta[2 * k]) && Number.isFinite(theta[2 * k + 1]) : Number.isFinite(loss[k]);
  while (last > 0 && !sound(last)) last -= 1;
  return last;
}

/**
 * The lanes of a payload with their arrays at hand: loss, update, samples, rate and, where there is a path, theta,
 * gradient ...; where there are data, seen, testLoss, testAccuracy, learned and replay. A lane whose first record is
 * still to come has one that says nothing.
 *
 * @param {{header: import("./types").RunHeader, arrays: Record<string, Packed>}} payload
 */
export function lanesOf({ header, arrays }) {
  return header.lanes.map((lane, index) => {
    const take = (name) => arrays[`lane${index}/${name}`]?.data ?? null;
    const theta = take("theta");
    const update = take("update") ?? Uint32Array.of(0);
    const loss = take("loss") ?? Float32Array.of(NaN);
    const sizes = Array.from(lane.sizes ?? []);
    const gradients = (name) => spread(take(name), lane.looked_at, update.length);
    const before = [0];
    for (const size of sizes) before.push(before[before.length - 1] + size);
    const { at, ...frames } = below(arrays, `lane${index}/replay/`) ?? {};
    return {
      ...lane,
      index,
      theta,
      update,
      sizes,
      before,
      last: lastSound(theta, loss),
      records: update.length,
      loss,
      samplesSpent: take("samples"),
      rate: take("rate"),
      gradient: gradients("gradient"),
      batchGradient: gradients("batch_gradient"),
      batch: take("batch"),
      cloud: arrays[`lane${index}/cloud`] ?? null,
      ends: arrays[`lane${index}/ends`] ?? null,
      band: take("band"),
      bandUpdate: take("band_update"),
      outOfPlane: take("out_of_plane"),
      planeLoss: take("plane_loss"),
      seen: take("seen"),
      testLoss: take("test_loss"),
      testAccuracy: take("test_accuracy"),
      averageLoss: take("average_loss"),
      learned: below(arrays, `lane${index}/learned/`),
      replay: at ? { at: at.data, frames } : null,
      times: {},
    };
  });
}

/** Whether a payload has a record of any lane: a run that waits has none. */
export const hasRecords = ({ header, arrays }) => header.lanes.some((_, i) => arrays[`lane${i}/update`]?.data.length);

/** The data of a payload as they are shown: x, y, images, truth. */
export const sceneOf = ({ arrays }) => below(arrays, "scene/");

/** The sample indices of the batch that record k's next update uses; null where none were sent. */
export function batchAt(lane, k) {
  const update = lane.update[k];
  const each = lane.sizes.length;
  if (!lane.batch || !each || update >= lane.updates) return null;
  const start = Math.floor(update / each) * lane.before[each] + lane.before[update % each];
  const size = lane.sizes[update % each];
  return start + size <= lane.batch.length ? lane.batch.subarray(start, start + size) : null;
}

/**
 * A payload with what the browser has already; null where that is gone.
 *
 * @param payload what came: its header's `kept` names the arrays that did not travel.
 * @param before the payload that was shown when it was asked for.
 */
export function completed(payload, before) {
  const { kept, key } = payload.header;
  if (!kept?.length) return payload;
  if (key !== before?.header.key || !kept.every((name) => before.arrays[name])) return null;
  const had = Object.fromEntries(kept.map((name) => [name, before.arrays[name]]));
  return { header: payload.header, arrays: { ...payload.arrays, ...had } };
}

/**
 * Whether every batch of a lane is all the data, each sample once: then there are no other batches. As many draws as
 * there are samples do not make a full batch: drawn with replacement, some come twice and others not at all.
 */
export function isFull(lane) {
  lane.full ??=
    lane.role === "bgd" || (lane.sizes[0] === lane.samples && new Set(batchAt(lane, 0)).size === lane.samples);
  return lane.full;
}

/** Whether two payloads show the same surface, number by number. */
export function samePicture(a, b) {
  if (!a || a.header.key !== b.header.key) return false;
  return ["z", "xs", "ys"].every((name) => {
    const one = a.arrays[name]?.data;
    const two = b.arrays[name]?.data;
    if (one === two) return true; // the very same, or neither has any
    return (
      one && two && one.length === two.length && one.every((x, i) => x === two[i] || (x !== x && two[i] !== two[i]))
    );
  });
}
