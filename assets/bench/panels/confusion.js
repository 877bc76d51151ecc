/** The confusion matrix: rows are the truth, columns what the model says; the diagonal is right. */

import { fresh, h, write } from "../dom.js";
import * as text from "../format.js";

const RIGHT = "#009E73";
const WRONG = "#D55E00";

/** Makes the picture. */
export function confusion() {
  const canvas = h("canvas", { role: "img", class: "mb-canvas" });
  const plot = h("div", { class: "mb-plot" }, canvas);
  const caption = h("figcaption", {});
  const element = h("figure", {}, plot, caption);

  function draw({ theme, header }, lane, { confusion: counts }, [width, height]) {
    const { classes: names, rows } = header.scene;
    const classes = names.length;
    write(caption, `Truth (rows) against prediction (columns), ${rows.test ? "test" : "training"} rows`);
    const side = Math.min(width, height, 60 * classes + 60);
    const context = fresh(canvas, side, side);
    if (!counts) return;
    const left = classes > 10 || Math.max(...names.map((name) => name.length)) > 2 ? 62 : 18;
    const cell = (side - left) / classes;
    const tall = (side - 16) / classes;
    context.font = `${Math.min(12, cell * 0.5)}px ${theme.font}`;
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
      context.fillText(names[i].slice(0, 11), left - 5, i * tall + tall / 2);
      context.textAlign = "center";
      const room = Math.max(1, Math.floor(cell / 6)); // letters
      context.fillText(names[i].slice(0, room), left + (i + 0.5) * cell, side - 7);
    }
    canvas.setAttribute("aria-label", `Confusion matrix. ${lane.summary}`);
  }

  return { element, plot, draw };
}
