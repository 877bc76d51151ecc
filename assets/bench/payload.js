/** The payload: u32 header length | JSON header | arrays. Unpacked as views, nothing is copied. */

const KINDS = { float32: Float32Array, uint32: Uint32Array, uint8: Uint8Array };

/** {header, arrays} of one payload; each array is {shape, data}. */
export function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  let buffer = bytes.buffer;
  let base = bytes.byteOffset + 4 + length;
  if (base % 4) {
    buffer = bytes.slice(4 + length).buffer; // typed arrays must start on a multiple of 4
    base = 0;
  }
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

/** The lanes of a payload with their arrays at hand: theta, loss, update, samples, rate, gradient ... */
export function lanesOf({ header, arrays }) {
  return header.lanes.map((lane, index) => {
    const take = (name) => arrays[`lane${index}/${name}`]?.data ?? null;
    const theta = take("theta");
    const update = take("update");
    const sizes = Array.from(lane.sizes ?? []);
    const gradients = (name) => spread(take(name), lane.looked_at, update.length);
    const before = [0];
    for (const size of sizes) before.push(before[before.length - 1] + size);
    let last = update.length - 1; // the last record before it diverged
    while (last > 0 && !(Number.isFinite(theta[2 * last]) && Number.isFinite(theta[2 * last + 1]))) last -= 1;
    return {
      ...lane,
      index,
      theta,
      update,
      sizes,
      before,
      last,
      records: update.length,
      loss: take("loss"),
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
      times: {},
    };
  });
}

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
    if (one === two) return Boolean(one);
    return (
      one && two && one.length === two.length && one.every((x, i) => x === two[i] || (x !== x && two[i] !== two[i]))
    );
  });
}
