/** The axes of a chart of curves: ranges that stay put while a slider is dragged. Pure functions. */

import { axisTitle } from "../clock.js";

const MARGIN = { l: 48, r: 10, t: 6, b: 36 };
const DIPS = 0.03; // share of a curve's lowest values that get no room of their own: lucky dips of a noisy lane
const SAMPLE = 2000; // values of a curve that are sorted to find them
const BURST = 1e4; // times the start: a curve that rises so far leaves through the top, whether it diverged or not
const SUITS = 0.5; // share of an axis that the curves need
const ROOM = { log: 100, linear: 2 }; // times the start that the axis then shows

/** @typedef {Float64Array} Floats Or any other list of numbers. */

/**
 * Rounds a range outward, so that axes stay put while a slider is dragged.
 *
 * @param {number[]} range
 * @param {boolean} log
 */
export function roomy([low, high], log) {
  if (!(high > low))
    return log ? [low - 0.5, high + 0.5] : [low - 0.5 * Math.abs(low || 1), high + 0.5 * Math.abs(high || 1)];
  const step = log ? (high - low < 2 ? 0.1 : 0.5) : 10 ** Math.floor(Math.log10(high - low)) / 2;
  return [Math.floor(low / step) * step, Math.ceil(high / step) * step];
}

/** The axis that is shown, while a slider is dragged and as long as it suits: Plotly takes long for another. */
export function steady(wanted, shown) {
  if (!shown || shown.type !== wanted.type || shown.tickformat !== wanted.tickformat) return wanted;
  const [low, high] = wanted.range;
  const [from, to] = shown.range;
  return low >= from && high <= to && high - low >= SUITS * (to - from) ? shown : wanted;
}

/** The lowest value of a curve that is worth a place on the axis; its last one always is. */
function lowest(values, usable) {
  const stride = Math.ceil(values.length / SAMPLE);
  const sorted = Float64Array.from(values.filter((y, i) => i % stride === 0 && usable(y))).sort();
  if (!sorted.length) return Infinity;
  const last = values[values.length - 1];
  return Math.min(sorted[Math.floor(DIPS * (sorted.length - 1))], usable(last) ? last : Infinity);
}

/**
 * The lowest and highest value worth a place on the axis, as logarithms where the axis is logarithmic.
 *
 * @param {{ys: Floats, band?: {lower: Floats, upper: Floats}}[]} series The curves.
 * @param {boolean} log Whether the axis is logarithmic.
 * @param {number} target A level that is drawn, NaN if none is.
 * @param {boolean} diverged Whether a lane diverged.
 */
export function extent(series, log, target, diverged) {
  const lists = series.flatMap(({ ys, band }) => (band ? [band.lower, band.upper] : [ys])).filter(({ length }) => length);
  const start = Math.max(...series.map(({ ys }) => ys[0]).filter((y) => y === y));
  const room = start * (log ? ROOM.log : ROOM.linear);
  const top = Math.max(...lists.map((list) => list.reduce((most, y) => (y > most ? y : most), -Infinity)));
  const ceiling = start > 0 && (diverged || top > BURST * start) ? room : Infinity;
  const usable = (y) => y <= ceiling && (!log || y > 0);
  let low = Math.min(...lists.map((list) => lowest(list, usable)));
  let high = Math.min(top, ceiling);
  if (target === target && (!log || target > 0)) low = Math.min(low, target);
  if (!(low <= high)) return log ? [-1, 1] : [0, 1];
  return log ? [Math.log10(low), Math.log10(high)] : [low, high];
}

/**
 * Plotly's layout of a chart.
 *
 * @param bench The bench: its theme, clock and width.
 * @param series The curves, {lane, xs, ys, band}.
 * @param {{log: {x: boolean, y: boolean}, offset: number, end: number, share: boolean, target: number}} how Which axes
 *   are logarithmic, what was taken off every value, where the clock ends, whether values are shares of 1, the target.
 */
export function curveLayout(bench, series, { log, offset, end, share, target }) {
  const { theme, narrow } = bench;
  const firsts = series.map(({ xs }) => xs.find((t) => t > 0)).filter(Boolean);
  const last = end || 1;
  const rangeX = log.x ? [Math.log10(Math.min(...firsts, last)), Math.log10(last)] : [0, last];
  const lost = bench.lanes.some((lane) => lane.diverged_at !== null);
  const rangeY = roomy(extent(series, log.y, target - offset, lost && !share), log.y);
  const decades = rangeY[1] - rangeY[0];
  const axis = {
    tickfont: { size: 10 },
    zeroline: false,
    gridcolor: theme.line,
    color: theme.soft,
    nticks: 7,
    fixedrange: narrow,
  };
  return {
    margin: MARGIN,
    showlegend: false,
    hovermode: false,
    dragmode: narrow ? false : "zoom",
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: theme.text, family: theme.font },
    xaxis: {
      ...axis,
      type: log.x ? "log" : "linear",
      range: rangeX,
      separatethousands: true,
      exponentformat: log.x ? "power" : "none",
      dtick: log.x ? 1 : undefined,
      title: { text: axisTitle(bench.clock, bench.header), font: { size: 11 }, standoff: 4 },
    },
    yaxis: {
      ...axis,
      type: log.y ? "log" : "linear",
      range: share ? [Math.max(0, rangeY[0]), Math.min(1.005, rangeY[1])] : rangeY,
      tickformat: share ? ".0%" : undefined,
      exponentformat: "power",
      dtick: !log.y ? undefined : decades < 2 ? "D2" : Math.ceil(decades / 7),
    },
  };
}
