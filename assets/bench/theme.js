/** Colours, dashes and markers. A lane is told apart by colour, and by dash, marker and label. */

import { svg } from "./dom.js";

const DASHES = {
  solid: [],
  dash: [7, 4],
  dot: [1.5, 3.5],
  dashdot: [8, 3, 1.5, 3],
  longdash: [13, 4],
  longdashdot: [13, 3, 1.5, 3],
};

/** A dash pattern for canvas and SVG. */
export const dashOf = (name) => DASHES[name] ?? [];

/** The corner points of a marker of radius 1; null = a circle. */
const CORNERS = {
  square: [
    [-0.9, -0.9],
    [0.9, -0.9],
    [0.9, 0.9],
    [-0.9, 0.9],
  ],
  triangle: [
    [0, -1.2],
    [1.1, 0.85],
    [-1.1, 0.85],
  ],
  "triangle-down": [
    [0, 1.2],
    [1.1, -0.85],
    [-1.1, -0.85],
  ],
  diamond: [
    [0, -1.3],
    [1.15, 0],
    [0, 1.3],
    [-1.15, 0],
  ],
  cross: [
    [-0.4, -1.1],
    [0.4, -1.1],
    [0.4, -0.4],
    [1.1, -0.4],
    [1.1, 0.4],
    [0.4, 0.4],
    [0.4, 1.1],
    [-0.4, 1.1],
    [-0.4, 0.4],
    [-1.1, 0.4],
    [-1.1, -0.4],
    [-0.4, -0.4],
  ],
  star: Array.from({ length: 10 }, (_, i) => {
    const r = i % 2 ? 0.6 : 1.35;
    return [r * Math.sin((i * Math.PI) / 5), -r * Math.cos((i * Math.PI) / 5)];
  }),
};

/** Traces a marker's outline on a canvas. */
export function traceMarker(context, kind, x, y, r) {
  context.beginPath();
  const corners = CORNERS[kind];
  if (!corners) context.arc(x, y, r, 0, 2 * Math.PI);
  else
    corners.forEach(([dx, dy], i) =>
      i ? context.lineTo(x + r * dx, y + r * dy) : context.moveTo(x + r * dx, y + r * dy),
    );
  context.closePath();
}

/** A marker as a shape: its middle, its radius. */
function shape(lane, x, y, r) {
  const corners = CORNERS[lane.marker];
  if (!corners) return svg("circle", { cx: x, cy: y, r, fill: lane.color });
  const points = corners.map(([dx, dy]) => `${x + r * dx},${y + r * dy}`).join(" ");
  return svg("polygon", { points, fill: lane.color });
}

/** A lane's marker alone. */
export const marker = (lane) =>
  svg("svg", { viewBox: "-8 -8 16 16", class: "mb-marker", "aria-hidden": "true" }, shape(lane, 0, 0, 5.5));

/** A lane's sign: a short line in its colour and dash, with its marker. */
export function swatch(lane) {
  const line = svg("line", {
    x1: 1,
    y1: 7,
    x2: 33,
    y2: 7,
    stroke: lane.color,
    "stroke-width": 2.5,
    "stroke-dasharray": dashOf(lane.dash).join(" "),
  });
  return svg("svg", { viewBox: "0 0 34 14", class: "mb-swatch", "aria-hidden": "true" }, line, shape(lane, 17, 7, 4.5));
}

function luminance(color) {
  const [r, g, b] = (color.match(/[\d.]+/g) ?? [255, 255, 255]).map(Number);
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}

/** The theme in force: Streamlit's variables where there are any, else what the header says, else the system. */
export function readTheme(root, header) {
  const streamlit = getComputedStyle(root.parentElement ?? root)
    .getPropertyValue("--st-background-color")
    .trim();
  const fallback = header?.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  if (!streamlit) root.dataset.theme = fallback;
  else root.dataset.theme = "given";
  const style = getComputedStyle(root);
  const dark = luminance(style.backgroundColor) < 0.5;
  root.dataset.dark = dark;
  return {
    dark,
    text: style.color,
    background: style.backgroundColor,
    font: style.fontFamily,
    soft: dark ? "rgba(255,255,255,.66)" : "rgba(0,0,0,.62)",
    line: dark ? "rgba(255,255,255,.16)" : "rgba(0,0,0,.11)",
    faint: dark ? "rgba(255,255,255,.35)" : "rgba(0,0,0,.32)",
  };
}
