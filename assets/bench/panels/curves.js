/** Loss curves on a canvas: decimated for display only, by the lowest and highest value of each pixel column. */

import { dashOf } from "../theme.js";

const CROWDED = 800; // points; beyond, several share a pixel column, and dashes would drown

/** Strokes a curve through every point in sight. */
function strokeCurve(context, xs, ys, { toX, toY, left, right }) {
  let pen = false;
  context.beginPath();
  for (let i = 0; i < xs.length; i += 1) {
    const x = toX(xs[i]);
    const y = toY(ys[i]);
    if (y - y !== 0 || x - x !== 0) {
      pen = false; // a gap: the run has diverged, or a logarithm has nothing to show
    } else if (x >= left - 200) {
      if (pen) context.lineTo(x, y);
      else context.moveTo(x, y);
      pen = true;
    }
    if (x > right + 200) break;
  }
  context.stroke();
}

/**
 * Draws a crowded curve: in each pixel column a line from lowest to highest; lines between far columns. All are one
 * pixel wide and stroked at once: that is several times cheaper than bars.
 */
function strokeColumns(context, xs, ys, { toX, toY, left, right }) {
  let column = -Infinity;
  let low = NaN;
  let high = NaN;
  let last = NaN;
  const flush = () => {
    if (!(low <= high)) return;
    context.moveTo(column + 0.5, low - 0.6);
    context.lineTo(column + 0.5, high + 0.6);
  };
  context.beginPath();
  for (let i = 0; i < xs.length; i += 1) {
    const x = toX(xs[i]);
    const y = toY(ys[i]);
    if (x - x !== 0 || x < left - 2) continue;
    if (x > right + 2) break;
    const here = Math.round(x);
    if (here !== column) {
      flush();
      if (here - column > 2 && last - last === 0 && y - y === 0) {
        context.moveTo(column + 0.5, last);
        context.lineTo(here + 0.5, y);
        low = high = y;
      } else {
        low = Math.min(y, last - last === 0 ? last : y);
        high = Math.max(y, last - last === 0 ? last : y);
      }
      column = here;
    } else if (y - y === 0) {
      low = Math.min(y, low - low === 0 ? low : y);
      high = Math.max(y, high - high === 0 ? high : y);
    }
    last = y;
  }
  flush();
  context.stroke();
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
export function drawCurves(context, series, view) {
  for (const { lane, xs, ys, plane, band } of series) {
    if (band) {
      context.beginPath();
      traceBand(context, xs, band.lower, band.upper, view.toX, view.toY);
      context.globalAlpha = 0.18;
      context.fillStyle = lane.color;
      context.fill();
      context.globalAlpha = 1;
    }
    context.strokeStyle = lane.color;
    context.lineJoin = "round";
    if (plane) {
      context.setLineDash([3, 3]);
      context.lineWidth = 0.9;
      strokeCurve(context, xs, plane, view);
    }
    const crowded = xs.length > CROWDED;
    context.setLineDash(crowded ? [] : dashOf(lane.dash));
    context.lineWidth = crowded ? 1 : 2;
    (crowded ? strokeColumns : strokeCurve)(context, xs, ys, view);
    context.setLineDash([]);
  }
}
