/** From a knob's value to the slider's place (0 ... 1) and back, linear or logarithmic. */

const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

/** Rounds to what a person would write: 0.0501 -> 0.05, 0.10593 -> 0.106. */
function tidy(value) {
  const short = Number(value.toPrecision(2));
  return Math.abs(short / value - 1) < 0.008 ? short : Number(value.toPrecision(3));
}

/** The smallest step of a linear knob: a round number, at least 50 steps over the range. */
const grain = (spec) => 10 ** Math.floor(Math.log10((spec.max - spec.min) / 50));

/** Rounds a raw value to one the knob can take. */
export function settle(spec, raw) {
  let value = raw;
  if (spec.integer) value = Math.round(raw);
  else if (spec.scale === "log") value = tidy(raw);
  else value = Number((Math.round(raw / grain(spec)) * grain(spec)).toPrecision(6));
  return clamp(value, spec.min, spec.max);
}

/** The slider's place of a value. */
export function placeOf(spec, value) {
  if (spec.max <= spec.min) return 0;
  const share =
    spec.scale === "log"
      ? Math.log(value / spec.min) / Math.log(spec.max / spec.min)
      : (value - spec.min) / (spec.max - spec.min);
  return clamp(share, 0, 1);
}

/** The value at a place of the slider. */
export function valueAt(spec, place) {
  const raw =
    spec.scale === "log" ? spec.min * (spec.max / spec.min) ** place : spec.min + place * (spec.max - spec.min);
  return settle(spec, raw);
}

/** The value one key press further; big = page up and page down. */
export function stepped(spec, value, direction, big) {
  if (spec.integer) return settle(spec, big ? value * 2 ** direction : value + direction);
  if (spec.scale === "log") return settle(spec, value * 10 ** ((big ? 0.25 : 0.025) * direction));
  return settle(spec, value + direction * grain(spec) * (big ? 10 : 1));
}

/**
 * Where a linked handle goes when another one moves: the ratio of their values stays, on a linear scale the difference.
 *
 * @param spec the knob.
 * @param from where the other one was when it was taken hold of.
 * @param to where it is now.
 * @param value where the linked one was then.
 */
export function linked(spec, from, to, value) {
  return settle(spec, spec.scale === "log" ? (value * to) / from : value + to - from);
}

/** How far apart two handles must be not to cover each other. */
const APART = 16; // px

/**
 * Rows for handles that lie on the same spot, so that each can be grabbed: offsets from the middle of the track.
 *
 * @param places of the handles, 0 ... 1.
 * @param width of the track in px.
 * @param room above and below the middle in px.
 */
export function fan(places, width, room) {
  const order = places.map((_, i) => i).sort((a, b) => places[a] - places[b] || a - b);
  const rows = places.map(() => 0);
  for (let i = 0; i < order.length; ) {
    let j = i + 1;
    while (j < order.length && (places[order[j]] - places[order[j - 1]]) * width < APART) j += 1;
    const spot = order.slice(i, j).sort((a, b) => a - b);
    const step = Math.min(APART, (2 * room) / Math.max(1, spot.length - 1));
    spot.forEach((handle, k) => (rows[handle] = (k - (spot.length - 1) / 2) * step));
    i = j;
  }
  return rows;
}
