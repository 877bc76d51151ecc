/** The weights that each unit of the first layer looks with: blue below zero, orange above. */

import { fresh, h } from "../dom.js";
import { bitmap } from "./bitmap.js";

const COLUMNS = 8;

/** Blue, white or orange for a weight as a byte: 0 is the most negative, 255 the most positive. */
export function shade(byte) {
  const weight = byte / 127.5 - 1; // of the largest
  const s = Math.abs(weight);
  return weight < 0 ? [255 - 255 * s, 255 - 141 * s, 255 - 77 * s] : [255 - 42 * s, 255 - 161 * s, 255 - 255 * s];
}

/** Makes the picture. */
export function filters() {
  const canvas = h("canvas", { role: "img", class: "mb-canvas" });
  const plot = h("div", { class: "mb-plot" }, canvas);
  const caption = h("figcaption", {}, "First layer's filters: blue below zero, orange above");
  const element = h("figure", {}, plot, caption);

  function draw(bench, lane, { filters: found }, [width, height]) {
    if (!found) return;
    const [count, tall, wide] = found.shape;
    const columns = Math.min(COLUMNS, count);
    const cell = Math.floor(Math.min(width / Math.max(columns, 4), height / Math.ceil(count / columns)));
    const context = fresh(canvas, columns * cell, Math.ceil(count / columns) * cell);
    context.imageSmoothingEnabled = false;
    for (let i = 0; i < count; i += 1) {
      const picture = bitmap(found.data, i * tall * wide, tall, wide, shade);
      context.drawImage(picture, (i % columns) * cell, Math.floor(i / columns) * cell, cell - 5, cell - 5);
    }
    canvas.setAttribute("aria-label", `${lane.label}: ${count} filters of the first layer.`);
  }

  return { element, plot, draw };
}
