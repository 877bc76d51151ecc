/** The common clock: updates, samples, epochs, or seconds on one of two clocks. Pure functions of a lane and a time. */

import { count, num, seconds } from "./format.js";

/** Samples spent after u updates: whole epochs, then the batches of the one begun. */
function samplesAfter(lane, u) {
  const each = lane.sizes.length;
  return each ? Math.floor(u / each) * lane.before[each] + lane.before[u % each] : u;
}

/**
 * The clocks a person may choose from, in the order of the page. A clock of time counts updates times what one costs:
 * `cost` and `off` name the lane's seconds an update and their half width. While these are not known no time passes.
 */
export const CLOCKS = {
  updates: { label: "updates", title: "update", of: (lane, u) => u },
  samples: { label: "samples", title: "samples spent", of: samplesAfter },
  epochs: { label: "epochs", title: "epoch", of: (lane, u) => u / lane.updates_per_epoch },
  seconds: {
    label: "seconds",
    title: "seconds, this engine",
    cost: "seconds_per_update",
    off: "seconds_uncertainty",
    of: (lane, u) => u * (lane.seconds_per_update ?? 0),
  },
  pytorch_seconds: {
    label: "PyTorch loop",
    title: "seconds, PyTorch loop",
    cost: "pytorch_seconds_per_update",
    off: "pytorch_uncertainty",
    of: (lane, u) => u * (lane.pytorch_seconds_per_update ?? 0),
  },
};

/** An axis's title: a time with the machine's part and the threads that it is spent on, or what is missing. */
export function axisTitle(clock, { lanes, timing }) {
  const { title, cost } = CLOCKS[clock];
  if (!cost) return title;
  return lanes.some((lane) => lane[cost] != null) ? `${title} (${timing?.[clock] ?? "?"})` : `${title}: not measured`;
}

/** What a clock says of itself: where its seconds are spent, what an update costs each lane, how sure that is. */
export function clockTitle(clock, { lanes, timing }) {
  const { title, cost, off } = CLOCKS[clock];
  if (!cost) return title;
  const known = lanes.filter((lane) => lane[cost] != null);
  const each = known.map((lane) => `${lane.label} ${seconds(lane[cost])} ± ${seconds(lane[off])}`);
  return [axisTitle(clock, { lanes, timing }), each.length ? `an update: ${each.join(", ")}` : ""].filter(Boolean).join("; ");
}

/** The clock's time of each record of a lane; made once, kept on the lane. */
export function times(lane, clock) {
  lane.times[clock] ??= Float64Array.from(lane.update, (u, k) =>
    clock === "samples" && lane.samplesSpent ? lane.samplesSpent[k] : CLOCKS[clock].of(lane, u),
  );
  return lane.times[clock];
}

/** Where the clock ends: the latest record of all lanes. */
export const span = (lanes, clock) =>
  lanes.reduce((end, lane) => Math.max(end, times(lane, clock)[lane.records - 1]), 0);

/** The newest record of a lane that is not later than t. */
export function recordAt(lane, clock, t) {
  const all = times(lane, clock);
  const limit = t + 1e-9 * Math.abs(t);
  let low = 0;
  let high = all.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (all[middle] <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The next (+1) or the previous (-1) time at which any lane has a record. */
export function neighbour(lanes, clock, t, direction) {
  let best = direction > 0 ? span(lanes, clock) : 0;
  const near = 1e-9 * Math.abs(t);
  for (const lane of lanes) {
    const all = times(lane, clock);
    let k = recordAt(lane, clock, t);
    if (direction > 0) {
      if (k + 1 < all.length) best = Math.min(best, all[k + 1]);
    } else {
      while (k > 0 && all[k] >= t - near) k -= 1;
      if (all[k] < t - near) best = Math.max(best, all[k]);
    }
  }
  return best;
}

/** A time in words: "update 120 of 640", "epoch 3.5 of 20". */
export function timeText(clock, t, end) {
  if (clock === "updates") return `update ${count(t)} of ${count(end)}`;
  if (clock === "samples") return `${count(t)} of ${count(end)} samples`;
  if (CLOCKS[clock].cost) return `${seconds(t)} of ${seconds(end)}`;
  const exact = end < 1 ? num(t) : Number(t.toFixed(end > 100 ? 1 : 2));
  return `epoch ${exact} of ${num(end)}`;
}
