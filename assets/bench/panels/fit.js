/** The data in original units: each lane's current batch lit up, and its current fit. */

import { fresh, h, sheet } from "../dom.js";
import { batchAt, isFull } from "../payload.js";
import * as text from "../format.js";
import { dashOf, traceMarker } from "../theme.js";

const PAD = { left: 42, right: 12, top: 6, bottom: 34 };

/** The range of some values with a little room. */
export function reach(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const v of values) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  const room = 0.05 * (high - low || 1);
  return [low - room, high + room];
}

/** Round numbers inside a range, about `most` of them at the most. @param {number[]} range */
export function ticks([low, high], most = 4) {
  const raw = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= raw);
  const list = [];
  for (let v = Math.ceil(low / step) * step; v <= high; v += step) list.push(Number(v.toPrecision(10)));
  return list;
}

/** The data's columns as they are drawn; null where they cannot be drawn in a plane. */
function columns({ header, arrays }) {
  const { data } = header;
  const [x, y] = [arrays["data/x"], arrays["data/y"]];
  if (!data || !x || !y) return null;
  const features = x.shape[1] ?? 1;
  if (features > 2 || (features === 2 && data.kind === "regression")) return null;
  const column = (j) => Float64Array.from({ length: y.data.length }, (_, i) => x.data[i * features + j]);
  return { features, kind: data.kind, x: column(0), y: features === 2 ? column(1) : y.data, label: y.data };
}

/**
 * The points of a fit in original units: a line, a sigmoid, or the line between two classes.
 *
 * @param {number[]} theta Weights, then the intercept, in standardised units.
 * @param {{mean?: number[], deviation?: number[], intercept: boolean}} data Of the columns.
 * @param {{features: number, kind: string, rx: number[], ry: number[]}} frame What is drawn, and its ranges.
 */
export function fitPoints(theta, data, { features, kind, rx, ry }) {
  const mean = (j) => data.mean?.[j] ?? 0;
  const deviation = (j) => data.deviation?.[j] || 1;
  const scaled = (x, j) => (x - mean(j)) / deviation(j);
  if (features === 1) {
    const bias = data.intercept ? theta[1] : 0;
    return Array.from({ length: 61 }, (_, i) => {
      const x = rx[0] + ((rx[1] - rx[0]) * i) / 60;
      const score = theta[0] * scaled(x, 0) + bias;
      return [x, kind === "classification" ? 1 / (1 + Math.exp(-score)) : score];
    });
  }
  if (Math.abs(theta[1]) > Math.abs(theta[0]) * 1e-6)
    // theta_0 x + theta_1 y = 0 in standardised units
    return rx.map((x) => [x, mean(1) - (deviation(1) * (theta[0] * scaled(x, 0))) / theta[1]]);
  return theta[0] ? ry.map((y) => [mean(0), y]) : [];
}

/** One plot of the data with the fits of its lanes. */
class Plot {
  constructor(bench, lanes) {
    this.bench = bench;
    this.lanes = lanes; // their numbers
    this.element = h("div", { class: "mb-plot mb-data", role: "img" });
    this.base = sheet(this.element);
    this.live = sheet(this.element);
  }

  /** Draws the axes and all samples, quietly. */
  paintBase(flat) {
    const { data } = this.bench.header;
    const { theme } = this.bench;
    const size = [this.element.clientWidth, this.element.clientHeight];
    if (!size[0] || !size[1]) return; // hidden for now
    const width = size[0] - PAD.left - PAD.right;
    const height = size[1] - PAD.top - PAD.bottom;
    const [rx, ry] = [reach(flat.x), reach(flat.y)];
    const toX = (v) => PAD.left + ((v - rx[0]) / (rx[1] - rx[0])) * width;
    const toY = (v) => PAD.top + ((ry[1] - v) / (ry[1] - ry[0])) * height;
    const context = fresh(this.base, ...size);
    context.font = `10px ${theme.font}`;
    context.strokeStyle = theme.line;
    context.fillStyle = theme.soft;
    context.textAlign = "center";
    for (const v of ticks(rx)) context.fillText(text.num(v), toX(v), PAD.top + height + 13);
    context.textAlign = "right";
    for (const v of flat.kind === "classification" && flat.features === 1 ? [0, 1] : ticks(ry)) {
      context.fillText(text.num(v), PAD.left - 5, toY(v) + 3);
      context.beginPath();
      context.moveTo(PAD.left, toY(v));
      context.lineTo(PAD.left + width, toY(v));
      context.stroke();
    }
    context.font = `11px ${theme.font}`;
    context.textAlign = "center";
    context.fillText(data.x_label, PAD.left + width / 2, size[1] - 6, width);
    context.save();
    context.translate(10, PAD.top + height / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(data.y_label, 0, 0, height);
    context.restore();
    context.fillStyle = theme.faint;
    for (let i = 0; i < flat.x.length; i += 1) dot(context, flat, i, toX, toY, 2.3);
    this.frame = { ...flat, toX, toY, rx, ry, size, width, height };
  }

  draw(flat) {
    if (!this.frame) this.paintBase(flat);
    if (!this.frame) return;
    const { bench, frame } = this;
    const context = fresh(this.live, ...frame.size);
    context.save();
    context.beginPath();
    context.rect(PAD.left, PAD.top, frame.width, frame.height);
    context.clip();
    const alone = this.lanes.length === 1;
    const lanes = this.lanes.map((i) => bench.lanes[i]);
    for (const lane of lanes) {
      const k = bench.records[lane.index];
      const full = isFull(lane);
      if (lane.update[k] >= lane.updates || (full && !alone)) continue; // all points in one lane's colour say nothing
      context.fillStyle = lane.color;
      for (const i of full ? frame.x.keys() : (batchAt(lane, k) ?? []))
        dot(context, frame, i, frame.toX, frame.toY, full ? 2.3 : 4);
    }
    for (const lane of lanes) this.line(context, lane, bench.records[lane.index], alone);
    context.restore();
  }

  /** A lane's fit; where there are several, with the lane's dash, and its marker near the right end. */
  line(context, lane, k, alone) {
    const { theme, header } = this.bench;
    if (header.problem.projection || !lane.theta || k > lane.last) return;
    const { frame } = this;
    const points = fitPoints([lane.theta[2 * k], lane.theta[2 * k + 1]], header.data, frame);
    for (const [style, width] of [
      [theme.background, 5],
      [lane.color, 2.4],
    ]) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.setLineDash(alone || style === theme.background ? [] : dashOf(lane.dash));
      context.beginPath();
      points.forEach(([x, y], i) => {
        if (i) context.lineTo(frame.toX(x), frame.toY(y));
        else context.moveTo(frame.toX(x), frame.toY(y));
      });
      context.stroke();
    }
    context.setLineDash([]);
    if (alone || points.length < 2) return;
    const [[x0, y0], [x1, y1]] = points.slice(-2);
    const x = x1 - (0.03 + 0.05 * lane.index) * (frame.rx[1] - frame.rx[0]); // one beside the other
    const y = points.length > 2 ? nearest(points, x) : x1 === x0 ? y1 : y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
    traceMarker(context, lane.marker, frame.toX(x), frame.toY(y), 5);
    context.fillStyle = lane.color;
    context.fill();
    context.strokeStyle = theme.background;
    context.lineWidth = 1.5;
    context.stroke();
  }

  /** What it shows, in words. */
  tell() {
    const { header, lanes } = this.bench;
    const { x_label: x, y_label: y } = header.data;
    const whose = this.lanes.map((i) => lanes[i].label).join(", ");
    const words = `${y} against ${x}: ${header.problem.samples} samples, the batch highlighted, and the fit of ${whose}`;
    if (this.element.getAttribute("aria-label") !== words) this.element.setAttribute("aria-label", words);
  }
}

/** The height of the point whose x is nearest. */
const nearest = (points, x) =>
  points.reduce((best, point) => (Math.abs(point[0] - x) < Math.abs(best[0] - x) ? point : best))[1];

/** One sample; the second class is a square, so that classes differ by more than colour. */
function dot(context, flat, i, toX, toY, r) {
  const square = flat.kind === "classification" && flat.label[i] > 0;
  traceMarker(context, square ? "square" : "circle", toX(flat.x[i]), toY(flat.y[i]), r);
  context.fill();
}

/** Makes a plot of the data for each group of lanes. @param {import("../bench.js").Bench} bench */
export function createFits(bench, groups) {
  const plots = groups.map((lanes) => new Plot(bench, lanes));
  let known = null; // the data that is drawn
  let flat = null;

  function update() {
    const values = bench.arrays["data/x"];
    if (values !== known) repaint();
    known = values;
    if (flat) plots.forEach((plot) => plot.tell());
  }

  function repaint() {
    flat = columns(bench);
    plots.forEach((plot) => (plot.frame = null));
  }

  function draw() {
    if (flat && bench.legible) plots.forEach((plot) => plot.draw(flat));
  }

  function resize() {
    for (const plot of plots)
      if (plot.frame && String(plot.frame.size) !== String([plot.element.clientWidth, plot.element.clientHeight]))
        plot.frame = null;
  }

  return { elements: plots.map(({ element }) => element), update, draw, resize, repaint, remove() {} };
}
