/** The axes of the loss chart: ranges that stay put while a slider is dragged. Pure functions. */

import { CLOCKS } from "../clock.js";

const MARGIN = { l: 52, r: 10, t: 6, b: 36 };

/** Rounds a range outward, so that axes stay put while a slider is dragged. */
function roomy([low, high], log) {
  if (!(high > low))
    return log ? [low - 0.5, high + 0.5] : [low - 0.5 * Math.abs(low || 1), high + 0.5 * Math.abs(high || 1)];
  const step = log ? (high - low < 2 ? 0.1 : 0.5) : 10 ** Math.floor(Math.log10(high - low)) / 2;
  return [Math.floor(low / step) * step, Math.ceil(high / step) * step];
}

/** The lowest and highest loss worth a place on the axis; a diverging curve may leave through the top. */
function extent({ lanes, header }, series, log, offset) {
  const start = Math.max(...lanes.map((lane) => lane.loss[0]));
  const ceiling = lanes.some((lane) => lane.diverged_at !== null) && start > 0 ? 100 * start : Infinity;
  let low = Infinity;
  let high = -Infinity;
  for (const { ys, band } of series) {
    for (const list of band ? [band.lower, band.upper] : [ys]) {
      for (const y of list) {
        if (!(y <= ceiling) || (log && !(y > 0))) continue;
        if (y < low) low = y;
        if (y > high) high = y;
      }
    }
  }
  const target = Number.isFinite(header.target?.loss) ? header.target.loss - offset : NaN;
  if (Number.isFinite(target) && (!log || target > 0)) low = Math.min(low, target);
  if (low > high) return log ? [-1, 1] : [0, 1];
  return log ? [Math.log10(low), Math.log10(high)] : [low, high];
}

/** Plotly's layout of the loss chart; offset is what was taken off every loss. */
export function lossLayout(player, series, log, offset) {
  const { theme, narrow } = player;
  const firsts = series.map(({ xs }) => xs.find((t) => t > 0)).filter(Boolean);
  const end = player.end || 1;
  const rangeX = log.x ? [Math.log10(Math.min(...firsts, end)), Math.log10(end)] : [0, end];
  const rangeY = roomy(extent(player, series, log.y, offset), log.y);
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
      title: { text: CLOCKS[player.clock].title, font: { size: 11 }, standoff: 4 },
    },
    yaxis: {
      ...axis,
      type: log.y ? "log" : "linear",
      range: rangeY,
      exponentformat: "power",
      dtick: !log.y ? undefined : decades < 2 ? "D2" : Math.ceil(decades / 7),
    },
  };
}
