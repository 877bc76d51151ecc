/** Loss curves on a canvas: decimated for display only, by the lowest and highest value of each pixel column. */

import { dashOf } from "./theme.js";

/** Traces a curve; where several points share a pixel column, only the first, lowest, highest and last are drawn. */
export function traceCurve(context, xs, ys, toX, toY, left, right) {
  let column = null;
  let pen = false;
  const flush = () => {
    if (!column) return;
    const { x, first, low, high, last } = column;
    if (pen) context.lineTo(x, first);
    else context.moveTo(x, first);
    pen = true;
    if (low !== high) {
      context.lineTo(x, low);
      context.lineTo(x, high);
      context.lineTo(x, last);
    }
    column = null;
  };
  for (let i = 0; i < xs.length; i += 1) {
    const x = toX(xs[i]);
    const y = toY(ys[i]);
    if (x < left - 200 || x - x !== 0) continue;
    if (y - y !== 0) {
      flush();
      if (ys[i] !== ys[i] || ys[i] === Infinity) pen = false; // a gap: the run has diverged
      continue;
    }
    if (column && x - column.x < 0.5) {
      column.low = Math.min(column.low, y);
      column.high = Math.max(column.high, y);
      column.last = y;
    } else {
      flush();
      column = { x, first: y, low: y, high: y, last: y };
    }
    if (x > right + 200) break;
  }
  flush();
}

/** Traces the area between two curves. */
function traceBand(context, xs, lower, upper, toX, toY) {
  for (let i = 0; i < xs.length; i += 1) {
    if (i) context.lineTo(toX(xs[i]), toY(upper[i]));
    else context.moveTo(toX(xs[i]), toY(upper[i]));
  }
  for (let i = xs.length - 1; i >= 0; i -= 1) context.lineTo(toX(xs[i]), toY(lower[i]));
  context.closePath();
}

/** Draws all curves of a chart. */
export function drawCurves(context, series, { toX, toY, left, right }) {
  context.lineJoin = "round";
  for (const { lane, xs, ys, plane, band } of series) {
    if (band) {
      context.beginPath();
      traceBand(context, xs, band.lower, band.upper, toX, toY);
      context.globalAlpha = 0.18;
      context.fillStyle = lane.color;
      context.fill();
      context.globalAlpha = 1;
    }
    context.strokeStyle = lane.color;
    if (plane) {
      context.setLineDash([3, 3]);
      context.lineWidth = 0.9;
      context.beginPath();
      traceCurve(context, xs, plane, toX, toY, left, right);
      context.stroke();
    }
    context.setLineDash(xs.length > 1000 ? [] : dashOf(lane.dash)); // dashes drown in a noisy curve
    context.lineWidth = xs.length > 1000 ? 1.2 : 2;
    context.beginPath();
    traceCurve(context, xs, ys, toX, toY, left, right);
    context.stroke();
    context.setLineDash([]);
  }
}
