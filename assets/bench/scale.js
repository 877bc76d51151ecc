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
