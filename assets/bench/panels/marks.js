/** What is drawn at the cursor of a panel: start, head, gradients, other batches, covariance, divergence. */

import { fresh } from "../dom.js";
import { isFull } from "../payload.js";
import { traceMarker } from "../theme.js";

const REACH = 62; // px of the longest arrow over all panels
const HALO = "rgba(255,255,255,.95)";
const EDGE = "rgba(0,0,0,.6)";

/** Dashes of the predicted covariances. */
export const DASHES = { with: [6, 4], without: [1.5, 3] };

/** Pixels per unit of gradient, common to all panels: lengths may be compared from panel to panel. */
export function arrowScale(lanes, records, infos, view) {
  let longest = 0;
  lanes.forEach((lane, i) => {
    const scatter = isFull(lane) ? null : infos[i]?.measured; // room for the 2-sigma ellipse too
    if (scatter)
      longest = Math.max(
        longest,
        1.2 * Math.hypot(Math.sqrt(scatter[0][0]) * view.perX, Math.sqrt(scatter[1][1]) * view.perY),
      );
    for (const field of [lane.gradient, lane.batchGradient]) {
      if (!field) continue;
      const length = Math.hypot(field[2 * records[i]] * view.perX, field[2 * records[i] + 1] * view.perY);
      if (Number.isFinite(length)) longest = Math.max(longest, length);
    }
  });
  return longest > 0 ? REACH / longest : 0;
}

/** Strokes a path three times: dark edge, white halo, colour. */
function outlined(context, color, width, trace) {
  context.lineCap = "round";
  context.beginPath();
  trace(context);
  for (const [style, extra] of [
    [EDGE, 2.8],
    [HALO, 1.8],
    [color, 0],
  ]) {
    context.strokeStyle = style;
    context.lineWidth = width + extra;
    context.stroke();
  }
}

/** An ellipse through centre + cos t * one + sin t * two, in pixels. */
function ellipse(context, [x, y], one, two) {
  for (let i = 0; i <= 60; i += 1) {
    const t = (i * Math.PI) / 30;
    const px = x + one[0] * Math.cos(t) + two[0] * Math.sin(t);
    const py = y + one[1] * Math.cos(t) + two[1] * Math.sin(t);
    if (i) context.lineTo(px, py);
    else context.moveTo(px, py);
  }
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

/** The 2-sigma ellipse of a covariance matrix around a point, in gradient units times scale. */
function spread(context, [[a, b], [, c]], centre, scale, view, color, dash) {
  const first = Math.sqrt(Math.max(a, 0)); // Cholesky: covariance = L L^T
  const cross = first > 0 ? b / first : 0;
  const second = Math.sqrt(Math.max(c - cross * cross, 0));
  const [kx, ky] = [2 * scale * view.perX, -2 * scale * view.perY];
  const trace = (path) => ellipse(path, centre, [kx * first, ky * cross], [0, ky * second]);
  if (!dash) {
    outlined(context, color, 1.6, trace);
    return;
  }
  context.lineCap = "butt";
  context.beginPath();
  trace(context);
  for (const [style, width, pattern] of [
    ["rgba(255,255,255,.5)", 3, []],
    [color, 1.4, dash],
  ]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.setLineDash(pattern);
    context.stroke();
  }
  context.setLineDash([]);
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
  const centre = tip(info.gradient);
  if (info.measured) spread(context, info.measured, centre, scale, view, lane.color, null);
  if (info.predicted_with) spread(context, info.predicted_with, centre, scale, view, "#111", DASHES.with);
  if (info.predicted_without) spread(context, info.predicted_without, centre, scale, view, "#111", DASHES.without);
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
  const { centre, axes } = lane.ellipse;
  const [one, two] = axes.map(([dx, dy]) => [dx * view.perX, -dy * view.perY]);
  outlined(context, lane.color, 1.6, (c) => ellipse(c, [view.x(centre[0]), view.y(centre[1])], one, two));
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

/** A cleared canvas for marks, clipped to the view; restore() it when all is drawn. */
export function freshMarks(canvas, view, size) {
  const context = fresh(canvas, ...size);
  context.save();
  context.beginPath();
  context.rect(view.left, view.top, view.width, view.height);
  context.clip();
  context.lineJoin = "round";
  return context;
}

/** Draws everything at the cursor of one lane; `arrows`: its gradients too. */
export function drawMarks(context, { lane, k, view, scale, info, arrows }) {
  const at = Math.min(k, lane.last);
  const x = view.x(lane.theta[2 * at]);
  const y = view.y(lane.theta[2 * at + 1]);
  outlined(context, "#fff", 1.5, (c) => c.arc(view.x(lane.theta[0]), view.y(lane.theta[1]), 4, 0, 2 * Math.PI));
  if (lane.ends && k >= lane.records - 1) endings(context, lane, view);
  if (k > lane.last) {
    parting(context, x, y, view);
    return;
  }
  if (info && !isFull(lane)) fan(context, lane, info, x, y, scale, view);
  const point = (field, color, width) => {
    if (field && arrows)
      arrow(context, x, y, -field[2 * at] * view.perX * scale, field[2 * at + 1] * view.perY * scale, color, width);
  };
  point(lane.batchGradient, lane.color, 2.4);
  if (!isFull(lane) || !Number.isFinite(lane.batchGradient?.[2 * at])) point(lane.gradient, "#8a8a8a", 1.4);
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
