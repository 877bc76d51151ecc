/**
 * A surface before Plotly is there: the same bands, colours and axes on a canvas, where the chart will stand.
 * The charts' script takes a good part of a second to start; a first look need not wait for it.
 */

import { fresh, h } from "../dom.js";
import { LEVELS, MARGIN, levels, titleFor } from "./surface.js";
import { traceMarker } from "../theme.js";

/** Plotly's "Cividis", in equal steps. */
const CIVIDIS = (
  "00204c 002a66 00346e 273f6c 3c4a6b 4c556b 5b5f6d 686a70 757575 838178 928c78 a19876 b0a572 c0b16d d1bf66 e1cc5c " +
  "f3db4f ffe945"
)
  .split(" ")
  .map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));

/** The colour of each band, that of its middle, with so much white in it, as the four bytes of a pixel. */
const bandColours = (white) =>
  Uint32Array.from({ length: LEVELS }, (_, k) => {
    const place = ((k + 0.5) / LEVELS) * (CIVIDIS.length - 1);
    const below = Math.floor(place);
    const [r, g, b] = CIVIDIS[below].map((c, j) => {
      const colour = c + (CIVIDIS[below + 1][j] - c) * (place - below);
      return Math.round(colour + (255 - colour) * white);
    });
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
const FILLS = bandColours(0);
const LINES = bandColours(0.17); // between two bands

/** Round numbers inside a range, at most 6, as Plotly chooses them. */
function ticks(low, high) {
  const raw = (high - low) / 6;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [2, 5, 10].map((f) => f * power).find((s) => s >= raw * (1 - 1e-9));
  const list = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1) list.push(k * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return list.map((value) => [value, String(Number(value.toFixed(Math.min(20, digits)))).replace("-", "−")]);
}

/** The surface as an image of wide x tall pixels. */
function image({ header, arrays }, wide, tall) {
  const [rows, columns] = arrays.z.shape;
  const { shown, low, high } = levels(header.problem, arrays.z.data);
  const size = (high - low) / LEVELS || 1;
  const bands = new Int8Array(wide * tall);
  for (let py = 0; py < tall; py += 1) {
    const y = Math.min(rows - 1, Math.max(0, ((tall - 0.5 - py) / tall) * (rows - 1)));
    const row = Math.min(rows - 2, Math.floor(y));
    const up = y - row;
    for (let px = 0; px < wide; px += 1) {
      const x = ((px + 0.5) / wide) * (columns - 1);
      const column = Math.min(columns - 2, Math.floor(x));
      const right = x - column;
      const at = row * columns + column;
      const lower = shown[at] + (shown[at + 1] - shown[at]) * right;
      const upper = shown[at + columns] + (shown[at + columns + 1] - shown[at + columns]) * right;
      const band = Math.floor((lower + (upper - lower) * up - low) / size);
      bands[py * wide + px] = Number.isFinite(band) ? Math.min(LEVELS - 1, Math.max(0, band)) : -1;
    }
  }
  const picture = new ImageData(wide, tall);
  const pixels = new Uint32Array(picture.data.buffer);
  for (let i = 0; i < bands.length; i += 1) {
    if (bands[i] < 0) continue; // not finite
    const edge = bands[i] !== bands[Math.max(0, i - wide)] || (i % wide && bands[i] !== bands[i - 1]);
    pixels[i] = (edge ? LINES : FILLS)[bands[i]];
  }
  const canvas = Object.assign(document.createElement("canvas"), { width: wide, height: tall });
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}

/** The canvas below a panel's chart. */
export class Draft {
  constructor(host) {
    this.canvas = h("canvas", { class: "mb-draft", "aria-hidden": "true" });
    host.prepend(this.canvas);
  }

  /** Draws surface and axes, where they are not drawn yet; `images` are shared with the other panels. */
  draw(bench, view, size, images) {
    const { arrays, header, theme } = bench;
    const ratio = window.devicePixelRatio || 1;
    const stamp = [arrays.z, theme, String(size), ratio];
    if (this.stamp?.every((part, i) => part === stamp[i])) return;
    this.stamp = stamp;
    const [wide, tall] = [view.width, view.height].map((length) => Math.max(1, Math.round(length * ratio)));
    const known = images.find((one) => one.z === arrays.z && one.surface.width === wide && one.surface.height === tall);
    const { surface } = known ?? { surface: image(bench, wide, tall) };
    if (!known) images.push({ z: arrays.z, surface });
    const context = fresh(this.canvas, ...size);
    context.drawImage(surface, view.left, view.top, view.width, view.height);
    this.axes(context, header.problem, theme, view, size);
    this.marks(context, header.problem, view);
  }

  axes(context, { view: [x0, x1, y0, y1], axes }, theme, view, size) {
    const bottom = view.top + view.height;
    context.font = `10px ${theme.font}`;
    context.strokeStyle = theme.faint;
    context.fillStyle = theme.soft;
    context.beginPath();
    context.textAlign = "center";
    for (const [value, words] of ticks(x0, x1)) {
      context.moveTo(view.x(value), bottom);
      context.lineTo(view.x(value), bottom + 3);
      context.fillText(words, view.x(value), bottom + 15);
    }
    context.textAlign = "right";
    for (const [value, words] of ticks(y0, y1)) {
      context.moveTo(view.left - 3, view.y(value));
      context.lineTo(view.left, view.y(value));
      context.fillText(words, view.left - 6, view.y(value) + 3.5);
    }
    context.stroke();
    context.font = `11px ${theme.font}`;
    context.textAlign = "center";
    context.fillText(titleFor(axes[0], view.width), view.left + view.width / 2, size[1] - MARGIN.b + 30);
    context.translate(22, view.top + view.height / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(titleFor(axes[1], view.height), 0, 0);
    context.rotate(Math.PI / 2);
    context.translate(-22, -view.top - view.height / 2);
  }

  marks(context, { minimizers, saddles }, view) {
    context.fillStyle = "#fff";
    for (const [x, y] of minimizers ?? []) {
      traceMarker(context, "star", view.x(x), view.y(y), 6);
      context.strokeStyle = "rgba(0,0,0,.75)";
      context.lineWidth = 1.2;
      context.fill();
      context.stroke();
    }
    context.strokeStyle = "#fff";
    context.lineWidth = 2;
    for (const [x, y] of saddles ?? []) {
      for (const slope of [1, -1]) {
        context.beginPath();
        context.moveTo(view.x(x) - 4, view.y(y) - 4 * slope);
        context.lineTo(view.x(x) + 4, view.y(y) + 4 * slope);
        context.stroke();
      }
    }
  }

  remove() {
    this.canvas.remove();
  }
}
