/**
 * One lane's path over its surface: exact iterates joined by straight lines. The newest updates are drawn full, older
 * ones fade, so that a long path does not hide the surface that it crosses.
 */

import { fresh, sheet } from "../dom.js";
import { dashOf } from "../theme.js";

const FULL = 30; // updates drawn full
// Up to which age, in records, a piece of the path has which share of full strength; what is older is the past.
const AGES = [
  [FULL, 1],
  [45, 0.7],
  [65, 0.5],
  [90, 0.38],
  [120, 0.3],
];
const CHUNK = 200; // points a stroke of the past: long self-crossing strokes are slow in software
const DOTTED = 120; // updates; a path of no more of them shows every iterate as a dot
const FAR = 20000; // px; beyond this, segments are cut before they reach the canvas

/**
 * How the path up to record `end` is drawn.
 *
 * @param {number} end The record at the path's head.
 * @returns {{past: number, pieces: {from: number, to: number, strength: number}[]}} The past is records 0 ... past;
 *   the pieces join it to the head, oldest first.
 */
export function fade(end) {
  const pieces = [];
  let to = end;
  for (const [age, strength] of AGES) {
    const from = Math.max(0, end - age);
    if (from < to) pieces.unshift({ from, to, strength });
    to = from;
  }
  return { past: to, pieces };
}

/** Cuts a segment to the square |x|, |y| <= far (Liang and Barsky); null where it misses it. */
export function cut(x0, y0, x1, y1, far = FAR) {
  let from = 0;
  let to = 1;
  const dx = x1 - x0;
  const dy = y1 - y0;
  for (const [p, q] of [
    [-dx, x0 + far],
    [dx, far - x0],
    [-dy, y0 + far],
    [dy, far - y0],
  ]) {
    if (p === 0) {
      if (q < 0) return null;
    } else if (p < 0) from = Math.max(from, q / p);
    else to = Math.min(to, q / p);
  }
  return from <= to ? [x0 + from * dx, y0 + from * dy, x0 + to * dx, y0 + to * dy] : null;
}

/** Three stacked canvases: the other runs, the past (both only ever added to), and what is near the head. */
export class Trail {
  /** @param dashed whether the line has its lane's dash: where several lanes share a surface. */
  constructor(host, dashed) {
    this.dashed = dashed;
    this.cloud = sheet(host, "mb-cloud");
    this.past = sheet(host, "mb-past");
    this.live = sheet(host);
    this.reset();
  }

  /** Forgets what is drawn: after new data, zoom or a new size. */
  reset() {
    this.drawn = -1;
    this.cloudDrawn = 0;
    this.head = -1;
  }

  /** Draws the path up to record k; of the past only what is new, unless the cursor went back. */
  to(lane, k, view, size) {
    const end = Math.min(k, lane.last);
    if (end === this.head) return;
    const { past, pieces } = fade(end);
    if (this.drawn < 0 || past < this.drawn || end < this.head) {
      this.pastContext = clipped(this.past, view, size);
      if (lane.cloud) this.cloudContext = clipped(this.cloud, view, size);
      this.drawn = this.cloudDrawn = this.length = 0;
    }
    if (lane.cloud) this.growCloud(lane, k, view);
    for (let from = this.drawn; from < past; from += CHUNK) this.grow(lane, from, Math.min(past, from + CHUNK), view);
    this.drawn = past;
    this.head = end;
    this.near(lane, pieces, clipped(this.live, view, size), view);
  }

  /** A piece of the past: a light and a dark side make its edge. Lines one pixel wide are the cheapest by far. */
  grow(lane, from, to, view) {
    const path = new Path2D();
    join(path, lane.theta, from, to, view);
    hairline(this.pastContext, path, "rgba(255,255,255,.85)", -0.8);
    hairline(this.pastContext, path, "rgba(0,0,0,.5)", 0.8);
    hairline(this.pastContext, path, lane.color, 0);
    if (this.dashed) this.length += lengthOf(lane.theta, from, to, view);
  }

  /** The pieces near the head: dark edge, white halo, colour; edge and halo of all of them lie below all lines. */
  near(lane, pieces, context, view) {
    const paths = pieces.map(({ from, to }) => {
      const path = new Path2D();
      join(path, lane.theta, from, to, view);
      return path;
    });
    for (const [style, extra] of /** @type {[string, number][]} */ ([
      ["rgba(0,0,0,.55)", 3.6],
      ["rgba(255,255,255,.95)", 2],
    ])) {
      context.strokeStyle = style;
      pieces.forEach(({ strength }, i) => {
        context.globalAlpha = strength;
        context.lineWidth = 1 + strength + extra * strength;
        context.stroke(paths[i]);
      });
    }
    context.strokeStyle = context.fillStyle = lane.color;
    let length = this.length; // of the path so far, in pixels: it holds the dashes in their places
    pieces.forEach(({ from, to, strength }, i) => {
      context.globalAlpha = strength;
      context.lineWidth = 1 + strength;
      if (this.dashed) {
        context.setLineDash(dashOf(lane.dash));
        context.lineDashOffset = length;
        length += lengthOf(lane.theta, from, to, view);
      }
      context.stroke(paths[i]);
    });
    context.setLineDash([]);
    if (lane.last > DOTTED) return;
    for (const { from, to, strength } of pieces) {
      context.globalAlpha = strength;
      for (let k = from + 1; k <= to; k += 1) {
        context.beginPath();
        context.arc(view.x(lane.theta[2 * k]), view.y(lane.theta[2 * k + 1]), 2.4, 0, 2 * Math.PI);
        context.fill();
      }
    }
  }

  /** The other runs, faintly, as far as the cursor has come. */
  growCloud(lane, k, view) {
    const [runs, points] = lane.cloud.shape;
    const end = Math.round((k / Math.max(1, lane.records - 1)) * (points - 1));
    if (end <= this.cloudDrawn) return;
    const context = this.cloudContext;
    for (let run = 0; run < runs; run += 1) {
      const path = new Path2D();
      join(path, lane.cloud.data.subarray(2 * run * points, 2 * (run + 1) * points), this.cloudDrawn, end, view);
      hairline(context, path, "rgba(255,255,255,.5)", -0.8);
      hairline(context, path, lane.color, 0);
    }
    this.cloudDrawn = end;
  }

  /** Takes its canvases away. */
  remove() {
    for (const canvas of [this.cloud, this.past, this.live]) canvas.remove();
  }
}

/** A cleared canvas that draws inside the view alone. */
function clipped(canvas, view, size) {
  const context = fresh(canvas, ...size);
  context.restore();
  context.save();
  context.beginPath();
  context.rect(view.left, view.top, view.width, view.height);
  context.clip();
  context.lineJoin = context.lineCap = "round";
  context.globalAlpha = 1;
  return context;
}

/** Strokes a path one pixel wide, shifted by shift pixels to the right and down. */
function hairline(context, path, style, shift) {
  context.translate(shift, shift);
  context.strokeStyle = style;
  context.lineWidth = 1;
  context.stroke(path);
  context.translate(-shift, -shift);
}

/** How long a piece of a path is, in pixels. */
function lengthOf(points, from, to, view) {
  let length = 0;
  for (let k = from + 1; k <= to; k += 1) {
    const dx = (points[2 * k] - points[2 * k - 2]) * view.perX;
    const dy = (points[2 * k + 1] - points[2 * k - 1]) * view.perY;
    length += Math.hypot(dx, dy);
  }
  return Number.isFinite(length) ? length : 0;
}

/** Adds points from ... to of an (n, 2) array to a path. */
function join(path, points, from, to, view) {
  let x0 = view.x(points[2 * from]);
  let y0 = view.y(points[2 * from + 1]);
  path.moveTo(x0, y0);
  for (let k = from + 1; k <= to; k += 1) {
    const x = view.x(points[2 * k]);
    const y = view.y(points[2 * k + 1]);
    if (x - x !== 0 || y - y !== 0) return; // not finite: this run has left
    if (Math.abs(x) > FAR || Math.abs(y) > FAR || Math.abs(x0) > FAR || Math.abs(y0) > FAR) {
      const piece = cut(x0, y0, x, y);
      if (piece) {
        path.moveTo(piece[0], piece[1]);
        path.lineTo(piece[2], piece[3]);
      }
    } else path.lineTo(x, y);
    x0 = x;
    y0 = y;
  }
}
