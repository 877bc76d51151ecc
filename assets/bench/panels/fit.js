/** The data in original units: the current batch lit up, and the current fit. */

import { fresh, h, sheet } from "../dom.js";
import { batchAt, isFull } from "../payload.js";
import * as text from "../text.js";
import { swatch, traceMarker } from "../theme.js";

const PAD = { left: 46, right: 8, top: 8, bottom: 32 };

const reach = (values) => {
  let low = Infinity;
  let high = -Infinity;
  for (const v of values) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  const room = 0.05 * (high - low || 1);
  return [low - room, high + room];
};

/** Round numbers inside a range. */
function ticks([low, high]) {
  const raw = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= raw);
  const list = [];
  for (let v = Math.ceil(low / step) * step; v <= high; v += step) list.push(Number(v.toPrecision(10)));
  return list;
}

/** Makes the data plot; hidden where the data cannot be drawn in a plane. */
export function createDataPlot(player) {
  const choice = h("select", {
    class: "mb-select",
    "aria-label": "Lane shown in the data plot",
    onchange: () => draw(true),
  });
  const plot = h("div", { class: "mb-plot mb-data", role: "img" });
  const sign = h("span", {});
  const element = h(
    "section",
    { class: "mb-dataplot", "aria-label": "Data", hidden: true },
    h("header", { class: "mb-head" }, h("strong", {}, "Data"), sign, choice),
    plot,
  );
  const base = sheet(plot);
  const live = sheet(plot);
  let frame = null;
  let known = null; // the data that is drawn

  function columns() {
    const { x, y } = { x: player.arrays["data/x"], y: player.arrays["data/y"] };
    if (!player.header.data || !x || !y) return null;
    const features = x.shape[1] ?? 1;
    const { kind } = player.header.data;
    if (features > 2 || (features === 2 && kind === "regression")) return null;
    const column = (j) => Float64Array.from({ length: y.data.length }, (_, i) => x.data[i * features + j]);
    return { features, kind, x: column(0), y: features === 2 ? column(1) : y.data, label: y.data };
  }

  /** Draws the axes and all samples, quietly. */
  function paintBase() {
    const { data } = player.header;
    const { theme } = player;
    const size = [plot.clientWidth, plot.clientHeight];
    const width = size[0] - PAD.left - PAD.right;
    const height = size[1] - PAD.top - PAD.bottom;
    const flat = columns();
    const [rx, ry] = [reach(flat.x), reach(flat.y)];
    const toX = (v) => PAD.left + ((v - rx[0]) / (rx[1] - rx[0])) * width;
    const toY = (v) => PAD.top + ((ry[1] - v) / (ry[1] - ry[0])) * height;
    const context = fresh(base, ...size);
    context.font = `10px ${theme.font}`;
    context.strokeStyle = theme.line;
    context.fillStyle = theme.soft;
    context.textAlign = "center";
    for (const v of ticks(rx)) {
      context.fillText(text.num(v), toX(v), PAD.top + height + 13);
    }
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
    context.fillText(data.x_label, PAD.left + width / 2, size[1] - 5);
    context.save();
    context.translate(10, PAD.top + height / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(data.y_label, 0, 0);
    context.restore();
    context.fillStyle = theme.faint;
    for (let i = 0; i < flat.x.length; i += 1) dot(context, flat, i, toX, toY, 2.3);
    frame = { ...flat, toX, toY, rx, ry, size, width, height };
  }

  /** One sample; the second class is a square, so that classes differ by more than colour. */
  function dot(context, flat, i, toX, toY, r) {
    const square = flat.kind === "classification" && flat.label[i] > 0;
    traceMarker(context, square ? "square" : "circle", toX(flat.x[i]), toY(flat.y[i]), r);
    context.fill();
  }

  /** Draws the fit of theta: a line, a sigmoid, or the decision boundary. */
  function fit(context, lane, k) {
    const { data, problem } = player.header;
    if (problem.projection || k > lane.last) return;
    const theta = [lane.theta[2 * k], lane.theta[2 * k + 1]];
    const { rx, ry, toX, toY, features, kind } = frame;
    const scaled = (x, j) => (x - (data.mean?.[j] ?? 0)) / (data.deviation?.[j] || 1);
    const points = [];
    if (features === 1) {
      const bias = data.intercept ? theta[1] : 0;
      for (let i = 0; i <= 60; i += 1) {
        const x = rx[0] + ((rx[1] - rx[0]) * i) / 60;
        const score = theta[0] * scaled(x, 0) + bias;
        points.push([x, kind === "classification" ? 1 / (1 + Math.exp(-score)) : score]);
      }
    } else if (Math.abs(theta[1]) > Math.abs(theta[0]) * 1e-6) {
      for (const x of rx) {
        // theta_0 x + theta_1 y = 0 in standardised units
        points.push([x, (data.mean?.[1] ?? 0) - ((data.deviation?.[1] || 1) * (theta[0] * scaled(x, 0))) / theta[1]]);
      }
    } else if (theta[0]) for (const y of ry) points.push([data.mean?.[0] ?? 0, y]);
    for (const [style, width] of [
      [player.theme.background, 5],
      [lane.color, 2.4],
    ]) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.beginPath();
      points.forEach(([x, y], i) => (i ? context.lineTo(toX(x), toY(y)) : context.moveTo(toX(x), toY(y))));
      context.stroke();
    }
  }

  function draw(now = false) {
    if (element.hidden) return;
    if (!player.legible && !now) return;
    if (!frame) {
      if (!plot.clientWidth) return; // hidden for now
      paintBase();
    }
    const { size } = frame;
    const lane = player.lanes[Math.min(player.lanes.length - 1, Number(choice.value) || 0)];
    const k = player.records[lane.index];
    const context = fresh(live, ...size);
    context.beginPath();
    context.rect(PAD.left, PAD.top, frame.width, frame.height);
    context.clip();
    const full = isFull(lane);
    const batch = lane.update[k] >= lane.updates ? [] : full ? frame.x.keys() : (batchAt(lane, k) ?? []);
    context.fillStyle = lane.color;
    for (const i of batch) dot(context, frame, i, frame.toX, frame.toY, full ? 2.3 : 4);
    fit(context, lane, k);
    if (sign.dataset.lane !== String(lane.index)) {
      sign.dataset.lane = lane.index;
      sign.replaceChildren(swatch(lane));
    }
  }

  function update() {
    const same = known === player.arrays["data/x"];
    known = player.arrays["data/x"];
    if (!same) {
      element.hidden = !columns();
      frame = null;
    }
    if (element.hidden) return;
    const labels = player.lanes.map((lane) => lane.label);
    if (choice.dataset.labels !== JSON.stringify(labels)) {
      choice.dataset.labels = JSON.stringify(labels);
      const before = choice.value;
      choice.replaceChildren(...labels.map((label, i) => h("option", { value: i }, label)));
      const mini = player.lanes.findIndex((lane) => lane.role === "mini");
      choice.value = before !== "" && Number(before) < labels.length ? before : String(Math.max(0, mini));
      delete sign.dataset.lane;
    }
    const { x_label: x, y_label: y } = player.header.data;
    plot.setAttribute(
      "aria-label",
      `${y} against ${x}: ${player.header.problem.samples} samples, the batch highlighted, and the current fit`,
    );
  }

  const repaint = () => {
    frame = null;
    draw(true);
  };

  const resize = () => {
    if (frame && String(frame.size) !== String([plot.clientWidth, plot.clientHeight])) repaint();
  };

  return { element, update, draw, repaint, resize };
}
