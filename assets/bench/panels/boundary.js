/** The decision boundary over two features: colour is the class, strength how sure the model is; points are data, those
 * of the last batch ringed. */

import { fresh, h, write } from "../dom.js";
import * as text from "../format.js";
import { traceMarker } from "../theme.js";

// Two cues a class: colour and marker. Kept apart from the lanes' colours.
const CLASSES = [
  ["#3b6fb6", "circle"],
  ["#e08a1e", "square"],
  ["#6a51a3", "triangle"],
  ["#2e8b57", "diamond"],
  ["#b5446e", "cross"],
];
const EDGE = { left: 36, right: 4, top: 4, bottom: 20 };

const rgb = (color) => [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));

/** Makes the picture. */
export function boundary() {
  const canvas = h("canvas", { role: "img", class: "mb-canvas" });
  const plot = h("div", { class: "mb-plot" }, canvas);
  const caption = h("figcaption", {});
  const element = h("figure", {}, plot, caption);
  const small = document.createElement("canvas"); // a pixel a point of the grid

  function field({ label, chance, xs, ys }, classes, background) {
    small.width = xs.data.length;
    small.height = ys.data.length;
    const context = small.getContext("2d");
    const image = context.createImageData(small.width, small.height);
    const least = 1 / Math.max(classes, 2);
    for (let i = 0; i < label.data.length; i += 1) {
      const row = small.height - 1 - Math.floor(i / small.width); // upwards
      const at = 4 * (row * small.width + (i % small.width));
      const share = 0.08 + (0.62 * (chance.data[i] / 255 - least)) / (1 - least);
      const color = rgb(CLASSES[label.data[i] % CLASSES.length][0]);
      for (let c = 0; c < 3; c += 1) image.data[at + c] = share * color[c] + (1 - share) * background[c];
      image.data[at + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  function draw(bench, lane, arrays, [width, height]) {
    const { theme, header } = bench;
    const { scene } = header;
    canvas.setAttribute("aria-label", lane.summary);
    const context = fresh(canvas, width, height);
    if (!arrays.label) return;
    const background = (theme.background.match(/[\d.]+/g) ?? [255, 255, 255]).map(Number);
    field(arrays, scene.classes.length, background);
    const box = [EDGE.left, EDGE.top, width - EDGE.left - EDGE.right, height - EDGE.top - EDGE.bottom];
    context.imageSmoothingEnabled = true;
    context.drawImage(small, ...box);
    const [x0, x1] = [arrays.xs.data[0], arrays.xs.data.at(-1)];
    const [y0, y1] = [arrays.ys.data[0], arrays.ys.data.at(-1)];
    const toX = (x) => box[0] + ((x - x0) / (x1 - x0)) * box[2];
    const toY = (y) => box[1] + ((y1 - y) / (y1 - y0)) * box[3];
    const x = bench.arrays["scene/x"].data;
    const y = bench.arrays["scene/y"].data;
    const used = arrays.batch?.data ?? []; // 1 for each of the points that was in it
    for (let i = 0; i < y.length; i += 1) {
      const [color, kind] = CLASSES[y[i] % CLASSES.length];
      traceMarker(context, kind, toX(x[2 * i]), toY(x[2 * i + 1]), used[i] ? 3.6 : 2.6);
      context.fillStyle = color;
      context.fill();
      context.strokeStyle = used[i] ? theme.text : theme.background;
      context.lineWidth = used[i] ? 1.4 : 0.8;
      context.stroke();
    }
    const rows = arrays.batch_rows?.data[0];
    write(caption, rows ? `Ringed: last batch, ${text.count(rows)} of ${text.count(scene.rows.all)} rows` : "");
    context.fillStyle = theme.soft;
    context.font = `10px ${theme.font}`;
    context.textAlign = "left";
    context.fillText(text.num(x0), box[0], height - 7);
    context.textAlign = "right";
    context.fillText(text.num(x1), box[0] + box[2], height - 7);
    context.fillText(text.num(y0), box[0] - 4, box[1] + box[3]);
    context.fillText(text.num(y1), box[0] - 4, box[1] + 9);
    context.textAlign = "center";
    context.fillText(scene.axes[0], box[0] + box[2] / 2, height - 7, box[2] - 70);
    context.save();
    context.translate(12, box[1] + box[3] / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(scene.axes[1], 0, 0, box[3] - 50);
    context.restore();
  }

  return { element, plot, draw };
}
