/** One lane's path over its surface: exact iterates joined by straight lines, appended as they are played. */

import { fresh, sheet } from "../dom.js";

const CHUNK = 200; // points a stroke: long self-crossing strokes are slow in software
const CROWDED = 600; // updates; beyond, the path is drawn with hairlines
const FAR = 20000; // px; beyond this, segments are cut before they reach the canvas

/** Cuts a segment to the square |x|, |y| <= FAR (Liang and Barsky); null where it misses it. */
function cut(x0, y0, x1, y1) {
  let from = 0;
  let to = 1;
  const dx = x1 - x0;
  const dy = y1 - y0;
  for (const [p, q] of [
    [-dx, x0 + FAR],
    [dx, FAR - x0],
    [-dy, y0 + FAR],
    [dy, FAR - y0],
  ]) {
    if (p === 0) {
      if (q < 0) return null;
    } else if (p < 0) from = Math.max(from, q / p);
    else to = Math.min(to, q / p);
  }
  return from <= to ? [x0 + from * dx, y0 + from * dy, x0 + to * dx, y0 + to * dy] : null;
}

/** Two stacked canvases: a white halo with a dark edge, and the coloured line above it. */
export class Trail {
  constructor(host) {
    this.halo = sheet(host);
    this.line = sheet(host);
    this.reset();
  }

  /** Forgets what is drawn: after new data, zoom or a new size. */
  reset() {
    this.drawn = -1;
    this.cloudDrawn = -1;
  }

  /** Draws the path up to record k; only what is new, unless the cursor went back. */
  to(lane, k, view, size) {
    const end = Math.min(k, lane.last);
    if (this.drawn < 0 || end < this.drawn) {
      this.contexts = [this.halo, this.line].map((canvas) => {
        const context = fresh(canvas, ...size);
        context.restore();
        context.save();
        context.beginPath();
        context.rect(view.left, view.top, view.width, view.height);
        context.clip();
        context.lineJoin = lane.last > CROWDED ? "miter" : "round";
        context.lineCap = lane.last > CROWDED ? "butt" : "round";
        return context;
      });
      this.drawn = 0;
      this.cloudDrawn = 0;
    }
    if (lane.cloud) this.growCloud(lane, k, view);
    for (let from = this.drawn; from < end; from += CHUNK) this.stroke(lane, from, Math.min(end, from + CHUNK), view);
    this.drawn = end;
  }

  stroke(lane, from, to, view) {
    const [halo, line] = this.contexts;
    const path = new Path2D();
    join(path, lane.theta, from, to, view);
    if (lane.last > CROWDED) {
      // Lines one pixel wide are eight times cheaper than wider ones: a light and a dark side make the edge.
      hairline(halo, path, "rgba(255,255,255,.85)", -0.8);
      hairline(halo, path, "rgba(0,0,0,.5)", 0.8);
      hairline(line, path, lane.color, 0);
      return;
    }
    halo.strokeStyle = "rgba(255,255,255,.95)";
    halo.lineWidth = 4;
    halo.stroke(path);
    halo.globalCompositeOperation = "destination-over"; // the edge goes under every halo drawn so far
    halo.strokeStyle = "rgba(0,0,0,.55)";
    halo.lineWidth = 5.6;
    halo.stroke(path);
    halo.globalCompositeOperation = "source-over";
    line.strokeStyle = lane.color;
    line.lineWidth = 2;
    line.stroke(path);
    if (lane.last > 120) return;
    line.fillStyle = lane.color; // few updates: every iterate is a dot
    for (let k = from + 1; k <= to; k += 1) {
      const x = view.x(lane.theta[2 * k]);
      const y = view.y(lane.theta[2 * k + 1]);
      line.beginPath();
      line.arc(x, y, 2.4, 0, 2 * Math.PI);
      line.fill();
    }
  }

  /** The other runs, faintly, as far as the cursor has come. */
  growCloud(lane, k, view) {
    const [runs, points] = lane.cloud.shape;
    const end = Math.round((k / Math.max(1, lane.records - 1)) * (points - 1));
    if (end <= this.cloudDrawn) return;
    const [halo] = this.contexts;
    halo.globalCompositeOperation = "destination-over";
    for (const [width, colour, alpha] of [
      [0.9, lane.color, 0.75],
      [2, "#fff", 0.3],
    ]) {
      halo.lineWidth = width;
      halo.strokeStyle = colour;
      halo.globalAlpha = alpha;
      for (let run = 0; run < runs; run += 1) {
        const path = new Path2D();
        join(path, lane.cloud.data.subarray(2 * run * points, 2 * (run + 1) * points), this.cloudDrawn, end, view);
        halo.stroke(path);
      }
    }
    halo.globalAlpha = 1;
    halo.globalCompositeOperation = "source-over";
    this.cloudDrawn = end;
  }
}

/** Strokes a path one pixel wide, shifted by shift pixels to the right and down. */
function hairline(context, path, style, shift) {
  context.translate(shift, shift);
  context.strokeStyle = style;
  context.lineWidth = 1;
  context.stroke(path);
  context.translate(-shift, -shift);
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
