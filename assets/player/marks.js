/** What is drawn at the cursor of a panel: start, head, gradients, other batches, covariance, the end cloud, divergence. */

import { fresh } from "./dom.js";
import { traceMarker } from "./theme.js";

const REACH = 62; // px of the longest arrow over all panels
const HALO = "rgba(255,255,255,.95)";
const EDGE = "rgba(0,0,0,.6)";

/** Pixels per unit of gradient, common to all panels: lengths may be compared from panel to panel. */
export function arrowScale(lanes, records, view) {
  let longest = 0;
  lanes.forEach((lane, i) => {
    for (const field of [lane.gradient, lane.batchGradient]) {
      if (!field) continue;
      const length = Math.hypot(field[2 * records[i]] * view.perX, field[2 * records[i] + 1] * view.perY);
      if (Number.isFinite(length)) longest = Math.max(longest, length);
    }
  });
  return longest > 0 ? REACH / longest : 0;
}

/** Strokes a path three times: dark edge, white halo, colour. */
function outlined(context, color, width, trace, dash = []) {
  context.lineCap = dash.length ? "butt" : "round";
  for (const [style, extra] of [[EDGE, 2.8], [HALO, 1.8], [color, 0]]) {
    context.strokeStyle = style;
    context.lineWidth = width + extra;
    context.setLineDash(extra ? [] : dash);
    context.beginPath();
    trace(context);
    context.stroke();
  }
  context.setLineDash([]);
}

function arrow(context, x, y, dx, dy, color, width) {
  const length = Math.hypot(dx, dy);
  if (!(length > 3)) return;
  const ux = dx / length;
  const uy = dy / length;
  const head = Math.min(8, length * 0.5);
  outlined(context, color, width, (c) => {
    c.moveTo(x, y);
    c.lineTo(x + dx, y + dy);
    c.moveTo(x + dx - head * (ux + 0.55 * uy), y + dy - head * (uy - 0.55 * ux));
    c.lineTo(x + dx, y + dy);
    c.lineTo(x + dx - head * (ux - 0.55 * uy), y + dy - head * (uy + 0.55 * ux));
  });
}

/** The 2-sigma ellipse of a covariance matrix around (x, y), in gradient units times scale. */
function spread(context, [[a, b], [, c]], x, y, scale, view, color, dash) {
  const first = Math.sqrt(Math.max(a, 0)); // Cholesky: covariance = L L^T
  const cross = first > 0 ? b / first : 0;
  const second = Math.sqrt(Math.max(c - cross * cross, 0));
  const kx = 2 * scale * view.perX;
  const ky = 2 * scale * view.perY;
  outlined(context, color, 1.4, (path) => {
    for (let i = 0; i <= 60; i += 1) {
      const t = (i * Math.PI) / 30;
      const px = x + kx * first * Math.cos(t);
      const py = y - ky * (cross * Math.cos(t) + second * Math.sin(t));
      if (i) path.lineTo(px, py);
      else path.moveTo(px, py);
    }
  }, dash);
}

/** The batches this one might have been: their descent directions, and how they scatter. */
function fan(context, lane, info, x, y, scale, view) {
  const tip = ([gx, gy]) => [x - gx * scale * view.perX, y + gy * scale * view.perY];
  context.lineWidth = 1;
  context.globalAlpha = 0.7;
  for (const gradient of info.fan ?? []) {
    const [px, py] = tip(gradient);
    context.strokeStyle = HALO;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(px, py);
    context.stroke();
  }
  context.globalAlpha = 1;
  for (const gradient of info.fan ?? []) {
    const [px, py] = tip(gradient);
    context.beginPath();
    context.arc(px, py, 2.2, 0, 2 * Math.PI);
    context.fillStyle = lane.color;
    context.strokeStyle = HALO;
    context.lineWidth = 1.5;
    context.stroke();
    context.fill();
  }
  const [cx, cy] = tip(info.gradient);
  if (info.predicted_with) spread(context, info.predicted_with, cx, cy, scale, view, "#222", [6, 4]);
  if (info.predicted_without) spread(context, info.predicted_without, cx, cy, scale, view, "#222", [1.5, 3]);
  if (info.measured) spread(context, info.measured, cx, cy, scale, view, lane.color, []);
}

/** Where all runs end: a dot each, and their 2-sigma ellipse. */
function endings(context, lane, view) {
  const points = lane.ends.data;
  for (let i = 0; i < points.length; i += 2) {
    context.beginPath();
    context.arc(view.x(points[i]), view.y(points[i + 1]), 2.4, 0, 2 * Math.PI);
    context.strokeStyle = HALO;
    context.lineWidth = 2;
    context.stroke();
    context.fillStyle = lane.color;
    context.fill();
  }
  if (!lane.ellipse) return;
  const { centre, axes: [one, two] } = lane.ellipse;
  outlined(context, lane.color, 1.6, (c) => {
    for (let i = 0; i <= 60; i += 1) {
      const t = (i * Math.PI) / 30;
      const x = view.x(centre[0] + one[0] * Math.cos(t) + two[0] * Math.sin(t));
      const y = view.y(centre[1] + one[1] * Math.cos(t) + two[1] * Math.sin(t));
      if (i) c.lineTo(x, y);
      else c.moveTo(x, y);
    }
  });
}

/** A cross where the path leaves: at its last finite point, or where that lies outside, at the edge of the view. */
function parting(context, x, y, view) {
  const px = Math.min(view.left + view.width - 10, Math.max(view.left + 10, x));
  const py = Math.min(view.top + view.height - 10, Math.max(view.top + 10, y));
  outlined(context, "#c0161d", 2.6, (c) => {
    c.moveTo(px - 6, py - 6);
    c.lineTo(px + 6, py + 6);
    c.moveTo(px + 6, py - 6);
    c.lineTo(px - 6, py + 6);
  });
}

/** Draws everything at the cursor of one panel. */
export function drawMarks(canvas, { lane, k, view, size, scale, info }) {
  const context = fresh(canvas, ...size);
  context.save();
  context.beginPath();
  context.rect(view.left, view.top, view.width, view.height);
  context.clip();
  context.lineJoin = "round";
  const at = Math.min(k, lane.last);
  const x = view.x(lane.theta[2 * at]);
  const y = view.y(lane.theta[2 * at + 1]);
  outlined(context, "#fff", 1.5, (c) => c.arc(view.x(lane.theta[0]), view.y(lane.theta[1]), 4, 0, 2 * Math.PI));
  if (lane.ends && k >= lane.records - 1) endings(context, lane, view);
  if (k > lane.last) parting(context, x, y, view);
  else {
    if (info) fan(context, lane, info, x, y, scale, view);
    const point = (field, color, width) => {
      if (field) arrow(context, x, y, -field[2 * at] * view.perX * scale, field[2 * at + 1] * view.perY * scale, color, width);
    };
    point(lane.batchGradient, lane.color, 2.4);
    point(lane.gradient, "#8a8a8a", 1.4);
    context.lineWidth = 3.6;
    for (const style of [EDGE, HALO]) {
      traceMarker(context, lane.marker, x, y, 6);
      context.strokeStyle = style;
      context.stroke();
      context.lineWidth = 2;
    }
    context.fillStyle = lane.color;
    context.fill();
  }
  context.restore();
}
