/** Test images with what the model takes them for, and the last batch. */

import { fresh, h, write } from "../dom.js";
import * as text from "../format.js";
import { bitmap, paper } from "./bitmap.js";

const RIGHT = "#009E73";
const WRONG = "#D55E00";
const CELL = 64; // px an image has at most, its edges included

/** A grid of test images, under each what the model says, with a tick or a cross; below it the last batch. */
export function images() {
  const canvas = h("canvas", { role: "img", class: "mb-canvas" });
  const newest = h("canvas", { role: "img", class: "mb-canvas" });
  const caption = h("figcaption", {});
  const below = h("div", { class: "mb-batch" }, caption, newest);
  const element = h("figure", {}, canvas, below);
  let kept = { of: null, bitmaps: [] };

  function gallery({ theme, arrays, header }, lane, { prediction }, width) {
    const { shape, data } = arrays["scene/images"];
    const [count, tall, wide] = shape;
    if (kept.of !== data)
      kept = {
        of: data,
        bitmaps: Array.from({ length: count }, (_, i) => bitmap(data, i * tall * wide, tall, wide, paper)),
      };
    canvas.setAttribute("aria-label", `${lane.summary} The first ${count} test images.`);
    const columns = width >= 12 * CELL ? 12 : width >= 5 * CELL ? 8 : 6;
    const cell = Math.min(CELL, Math.floor(width / columns));
    const size = Math.min(cell - 6, 44);
    const rowHeight = size + 19;
    const context = fresh(canvas, width, Math.ceil(count / columns) * rowHeight);
    context.imageSmoothingEnabled = false;
    context.font = `600 11px ${theme.font}`;
    context.textAlign = "center";
    const truth = arrays["scene/truth"].data;
    for (let i = 0; i < count; i += 1) {
      const x = (i % columns) * cell + (cell - size) / 2;
      const y = Math.floor(i / columns) * rowHeight + 2;
      context.drawImage(kept.bitmaps[i], x, y, size, size);
      if (!prediction) continue;
      const right = prediction.data[i] === truth[i];
      context.lineWidth = right ? 1 : 2.5;
      context.setLineDash(right ? [] : [3, 2]);
      context.strokeStyle = right ? RIGHT : WRONG;
      context.strokeRect(x, y, size, size);
      context.fillStyle = right ? theme.soft : theme.dark ? "#ff9d5c" : "#a84800";
      const name = header.scene.classes[prediction.data[i]];
      context.fillText(`${right ? "✓" : "✗"} ${name}`, x + size / 2, y + size + 12);
    }
    context.setLineDash([]);
  }

  /** What the newest update learned from: the first images of its batch, with the labels that they were given. */
  function batch({ theme, header }, { batch_images: found, batch_labels: labels, batch_rows: rows }, width) {
    const all = rows?.data[0];
    below.hidden = !all;
    if (!all) return;
    const [, tall, wide] = found.shape;
    const names = [...labels.data].map((label) => header.scene.classes[label]).filter((name) => name !== undefined);
    const count = names.length;
    const cell = Math.min(CELL, Math.floor(width / 8));
    const size = Math.min(cell - 12, 30);
    const context = fresh(newest, width, size + 16);
    context.imageSmoothingEnabled = false;
    context.font = `11px ${theme.font}`;
    context.textAlign = "center";
    context.fillStyle = theme.soft;
    for (let i = 0; i < count; i += 1) {
      const x = i * cell + (cell - size) / 2;
      context.drawImage(bitmap(found.data, i * tall * wide, tall, wide, paper), x, 0, size, size);
      context.fillText(names[i], x + size / 2, size + 12);
    }
    write(caption, all > count ? `Last batch, ${count} of its ${text.count(all)} images` : "Last batch");
    newest.setAttribute("aria-label", `The last batch: ${text.plural(all, "image")}, labelled ${names.join(", ")}.`);
  }

  function draw(bench, lane, arrays, [width]) {
    if (!bench.arrays["scene/images"]) return;
    gallery(bench, lane, arrays, width);
    batch(bench, arrays, width);
  }

  return { element, draw };
}
