/** Test images with what the model takes them for, the confusion matrix, the first layer's filters. */

import { fresh, h } from "../player/dom.js";
import * as text from "../player/text.js";

const RIGHT = "#009E73";
const WRONG = "#D55E00";

/** An image of numbers as a small canvas, scaled from low to high. */
function bitmap(data, offset, height, width, shade) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    const [r, g, b] = shade(data[offset + i]);
    image.data.set([r, g, b, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** A grid of test images; under each what the model says, with a tick or a cross. */
export function gallery() {
  const canvas = h("canvas", { role: "img", class: "tr-canvas" });
  const element = h("div", { class: "tr-gallery" }, canvas);
  let kept = { of: null, bitmaps: [] };

  function draw(stage, lane) {
    const { theme, scene, header } = stage;
    const [count, tall, wide] = scene.images.shape;
    if (kept.of !== header.key) {
      const paper = (v) => Array(3).fill(255 * (1 - v));
      const bitmaps = Array.from({ length: count }, (_, i) =>
        bitmap(scene.images.data, i * tall * wide, tall, wide, paper),
      );
      kept = { of: header.key, bitmaps };
    }
    canvas.setAttribute("aria-label", `${lane.summary} The first ${count} test images.`);
    const columns = 8;
    const width = element.clientWidth;
    const cell = Math.floor(width / columns);
    const size = Math.min(cell - 6, 44);
    const rowHeight = size + 19;
    const context = fresh(canvas, width, Math.ceil(count / columns) * rowHeight);
    const { prediction } = lane.arrays;
    context.imageSmoothingEnabled = false;
    context.font = `600 11px ${theme.font}`;
    context.textAlign = "center";
    for (let i = 0; i < count; i += 1) {
      const x = (i % columns) * cell + (cell - size) / 2;
      const y = Math.floor(i / columns) * rowHeight;
      context.drawImage(kept.bitmaps[i], x, y, size, size);
      if (!prediction) continue;
      const right = prediction.data[i] === scene.truth.data[i];
      context.lineWidth = right ? 1 : 2.5;
      context.setLineDash(right ? [] : [3, 2]);
      context.strokeStyle = right ? RIGHT : WRONG;
      context.strokeRect(x, y, size, size);
      context.fillStyle = right ? theme.soft : theme.dark ? "#ff9d5c" : "#a84800";
      const name = header.classes[prediction.data[i]];
      context.fillText(`${right ? "✓" : "✗"} ${name}`, x + size / 2, y + size + 12);
    }
    context.setLineDash([]);
  }

  return { element, draw };
}

/** Rows are the truth, columns what the model says; the diagonal is right. */
export function confusion() {
  const canvas = h("canvas", { role: "img", class: "tr-canvas" });
  const element = h(
    "figure",
    { class: "tr-figure" },
    h("figcaption", {}, "Truth (rows) against prediction (columns), test rows"),
    canvas,
  );

  function draw(stage, lane) {
    const { theme, header } = stage;
    const { confusion: counts } = lane.arrays;
    const classes = header.classes.length;
    const side = Math.min(element.clientWidth, 44 * classes + 60, 216);
    const context = fresh(canvas, side, side);
    if (!counts) return;
    const left = classes > 10 || Math.max(...header.classes.map((name) => name.length)) > 2 ? 58 : 18;
    const cell = (side - left) / classes;
    const tall = (side - 16) / classes;
    context.font = `${Math.min(11, cell * 0.5)}px ${theme.font}`;
    context.textBaseline = "middle";
    for (let i = 0; i < classes; i += 1) {
      const row = counts.data.subarray(i * classes, (i + 1) * classes);
      const all = row.reduce((a, b) => a + b, 0) || 1;
      for (let j = 0; j < classes; j += 1) {
        const share = row[j] / all;
        const [x, y] = [left + j * cell, i * tall];
        context.globalAlpha = row[j] ? 0.12 + 0.88 * share : 0;
        context.fillStyle = i === j ? RIGHT : WRONG;
        context.fillRect(x, y, cell - 1, tall - 1);
        context.globalAlpha = 1;
        context.textAlign = "center";
        context.fillStyle = share > 0.5 ? "#fff" : theme.text;
        if (row[j]) context.fillText(text.count(row[j]), x + cell / 2, y + tall / 2);
      }
      context.fillStyle = theme.soft;
      context.textAlign = "right";
      context.fillText(header.classes[i].slice(0, 11), left - 5, i * tall + tall / 2);
      context.textAlign = "center";
      const room = Math.max(1, Math.floor(cell / 6)); // letters
      context.fillText(header.classes[i].slice(0, room), left + (i + 0.5) * cell, side - 7);
    }
    canvas.setAttribute("aria-label", `Confusion matrix. ${lane.summary}`);
  }

  return { element, draw };
}

/** The weights that each unit of the first layer looks with: blue below zero, red above. */
export function filters() {
  const canvas = h("canvas", { role: "img", class: "tr-canvas" });
  const element = h("figure", { class: "tr-figure" }, h("figcaption", {}, "First layer's filters"), canvas);

  function draw(stage, lane) {
    const found = lane.arrays.filters;
    element.hidden = !found;
    if (!found) return;
    const [count, tall, wide] = found.shape;
    const columns = Math.min(8, count);
    const side = Math.min(element.clientWidth, 216);
    const cell = Math.floor(side / Math.max(columns, 4));
    const context = fresh(canvas, columns * cell, Math.ceil(count / columns) * cell);
    let most = 1e-9;
    for (const w of found.data) most = Math.max(most, Math.abs(w));
    const shade = (w) => {
      const s = Math.min(1, Math.abs(w) / most);
      return w < 0 ? [255 - 255 * s, 255 - 141 * s, 255 - 77 * s] : [255 - 42 * s, 255 - 161 * s, 255 - 255 * s];
    };
    context.imageSmoothingEnabled = false;
    for (let i = 0; i < count; i += 1) {
      const picture = bitmap(found.data, i * tall * wide, tall, wide, shade);
      context.drawImage(picture, (i % columns) * cell, Math.floor(i / columns) * cell, cell - 5, cell - 5);
    }
    canvas.setAttribute("aria-label", `${count} filters of the first layer: blue below zero, orange above.`);
  }

  return { element, draw };
}
