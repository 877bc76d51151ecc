/** Test images with what the model takes them for, the last batch, the confusion matrix, the first layer's filters. */

import { fresh, h, write } from "../bench/dom.js";
import * as text from "../bench/text.js";

const RIGHT = "#009E73";
const WRONG = "#D55E00";
const CELL = 64; // px an image has at most, its edges included

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

const paper = (v) => Array(3).fill(255 - v);

/** A grid of test images; under each what the model says, with a tick or a cross. */
export function gallery() {
  const canvas = h("canvas", { role: "img", class: "tr-canvas" });
  const element = h("div", { class: "tr-gallery" }, canvas);
  let kept = { of: null, bitmaps: [] };

  function draw(stage, lane) {
    const { theme, scene, header } = stage;
    const [count, tall, wide] = scene.images.shape;
    if (kept.of !== header.key) {
      const bitmaps = Array.from({ length: count }, (_, i) =>
        bitmap(scene.images.data, i * tall * wide, tall, wide, paper),
      );
      kept = { of: header.key, bitmaps };
    }
    canvas.setAttribute("aria-label", `${lane.summary} The first ${count} test images.`);
    const columns = 8;
    const width = element.clientWidth;
    const cell = Math.min(CELL, Math.floor(width / columns));
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

/** What the newest update learned from: the first images of its batch, with the labels that they were given. */
export function batch() {
  const canvas = h("canvas", { role: "img", class: "tr-canvas" });
  const caption = h("figcaption", {});
  const element = h("figure", { class: "tr-gallery" }, caption, canvas);

  function draw(stage, lane) {
    const { theme, header } = stage;
    const { batch_images: images, batch_labels: labels, batch_rows: rows } = lane.arrays;
    const all = rows?.data[0];
    element.hidden = !all;
    if (!all) return;
    const [, tall, wide] = images.shape;
    const names = [...labels.data].map((label) => header.classes[label]).filter((name) => name !== undefined);
    const count = names.length;
    const cell = Math.min(CELL, Math.floor(element.clientWidth / 8));
    const size = Math.min(cell - 12, 30);
    const context = fresh(canvas, element.clientWidth, size + 16);
    context.imageSmoothingEnabled = false;
    context.font = `11px ${theme.font}`;
    context.textAlign = "center";
    context.fillStyle = theme.soft;
    for (let i = 0; i < count; i += 1) {
      const x = i * cell + (cell - size) / 2;
      context.drawImage(bitmap(images.data, i * tall * wide, tall, wide, paper), x, 0, size, size);
      context.fillText(names[i], x + size / 2, size + 12);
    }
    write(caption, all > count ? `Last batch, ${count} of its ${text.count(all)} images` : "Last batch");
    canvas.setAttribute("aria-label", `The last batch: ${text.plural(all, "image")}, labelled ${names.join(", ")}.`);
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

/** The weights that each unit of the first layer looks with: blue below zero, orange above. */
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
    const shade = (byte) => {
      const w = byte / 127.5 - 1; // of the largest
      const s = Math.abs(w);
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
