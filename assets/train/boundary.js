/** The decision boundary over two features: colour is the class, strength how sure the model is; points are data, those
 * of the last batch ringed. */

import { fresh, h, write } from "../bench/dom.js";
import * as text from "../bench/text.js";

// Two cues a class: colour and marker. Kept apart from the lanes' colours.
export const CLASSES = [
  ["#3b6fb6", "circle"],
  ["#e08a1e", "square"],
  ["#6a51a3", "triangle"],
  ["#2e8b57", "diamond"],
  ["#b5446e", "cross"],
];
const EDGE = { left: 30, right: 4, top: 4, bottom: 20 };

const rgb = (color) => [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));

function mark(context, kind, x, y, r) {
  context.beginPath();
  if (kind === "square") context.rect(x - r, y - r, 2 * r, 2 * r);
  else if (kind === "triangle") {
    context.moveTo(x, y - 1.3 * r);
    context.lineTo(x + 1.2 * r, y + r);
    context.lineTo(x - 1.2 * r, y + r);
    context.closePath();
  } else if (kind === "diamond") {
    context.moveTo(x, y - 1.4 * r);
    context.lineTo(x + 1.4 * r, y);
    context.lineTo(x, y + 1.4 * r);
    context.lineTo(x - 1.4 * r, y);
    context.closePath();
  } else context.arc(x, y, r, 0, 2 * Math.PI);
}

/** Makes the picture. */
export function boundary() {
  const canvas = h("canvas", { role: "img", class: "tr-canvas" });
  const caption = h("figcaption", {});
  const element = h("figure", { class: "tr-boundary" }, canvas, caption);
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

  function draw(stage, lane) {
    const { theme, scene, header } = stage;
    canvas.setAttribute("aria-label", lane.summary);
    const width = element.clientWidth;
    const height = Math.min(300, Math.max(200, 0.8 * width));
    const context = fresh(canvas, width, height);
    if (!lane.arrays.label) return;
    const background = (theme.background.match(/[\d.]+/g) ?? [255, 255, 255]).map(Number);
    field(lane.arrays, header.classes.length, background);
    const box = [EDGE.left, EDGE.top, width - EDGE.left - EDGE.right, height - EDGE.top - EDGE.bottom];
    context.imageSmoothingEnabled = true;
    context.drawImage(small, ...box);
    const [x0, x1] = [lane.arrays.xs.data[0], lane.arrays.xs.data.at(-1)];
    const [y0, y1] = [lane.arrays.ys.data[0], lane.arrays.ys.data.at(-1)];
    const toX = (x) => box[0] + ((x - x0) / (x1 - x0)) * box[2];
    const toY = (y) => box[1] + ((y1 - y) / (y1 - y0)) * box[3];
    const { x, y } = scene;
    const used = lane.arrays.batch?.data ?? []; // 1 for each of the points that was in it
    for (let i = 0; i < y.data.length; i += 1) {
      const [color, kind] = CLASSES[y.data[i] % CLASSES.length];
      mark(context, kind, toX(x.data[2 * i]), toY(x.data[2 * i + 1]), used[i] ? 3.6 : 2.6);
      context.fillStyle = color;
      context.fill();
      context.strokeStyle = used[i] ? theme.text : theme.background;
      context.lineWidth = used[i] ? 1.4 : 0.8;
      context.stroke();
    }
    const rows = lane.arrays.batch_rows?.data[0];
    write(caption, rows ? `Ringed: the last batch, ${text.plural(rows, "row")} of ${text.count(header.rows.all)}.` : "");
    context.fillStyle = theme.soft;
    context.font = `10px ${theme.font}`;
    context.textBaseline = "alphabetic";
    context.textAlign = "left";
    context.fillText(text.num(x0), box[0], height - 7);
    context.textAlign = "right";
    context.fillText(text.num(x1), box[0] + box[2], height - 7);
    context.fillText(text.num(y0), box[0] - 4, box[1] + box[3]);
    context.fillText(text.num(y1), box[0] - 4, box[1] + 9);
    context.textAlign = "center";
    context.fillText(header.axes[0], box[0] + box[2] / 2, height - 7);
    context.save();
    context.translate(12, box[1] + box[3] / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(header.axes[1], 0, 0);
    context.restore();
  }

  return { element, draw };
}
