/** "At the cursor": the numbers of each lane's current iterate. */

import { h, write } from "./dom.js";
import { batchAt, isFull } from "./payload.js";
import * as text from "./text.js";
import { swatch } from "./theme.js";

const FEW = 3; // batch indices shown

const norm = (field, k) => (field ? Math.hypot(field[2 * k], field[2 * k + 1]) : NaN);

/** The angle between full and batch gradient in degrees. */
function angle(lane, k) {
  if (!lane.gradient || !lane.batchGradient) return NaN;
  const [a, b] = [lane.gradient, lane.batchGradient];
  const cosine = (a[2 * k] * b[2 * k] + a[2 * k + 1] * b[2 * k + 1]) / (norm(a, k) * norm(b, k));
  return (Math.acos(Math.min(1, Math.max(-1, cosine))) * 180) / Math.PI;
}

function batchText(lane, k) {
  if (k > lane.last) return "diverged";
  if (lane.update[k] >= lane.updates) return "run over";
  if (isFull(lane)) return `all ${text.count(lane.samples)}`;
  const batch = batchAt(lane, k);
  if (!batch) return text.plural(lane.sizes[lane.update[k] % Math.max(1, lane.sizes.length)], "sample");
  const first = Array.from(batch.subarray(0, FEW), (i) => `#${i}`).join(" ");
  const listed = batch.length > FEW ? `${first} … of ${text.count(batch.length)}` : first;
  const different = new Set(batch).size;
  return different < batch.length ? `${listed}, ${text.count(different)} different` : listed;
}

const ROWS = [
  ["loss", "Full objective at the iterate", (lane, k) => text.steady(lane.loss[k])],
  ["rate", "Learning rate of the update that led here", (lane, k) => text.num(lane.rate?.[k])],
  ["|full gradient|", "Length of the full gradient (grey arrow)", (lane, k) => text.steady(norm(lane.gradient, k))],
  [
    "|batch gradient|",
    "Length of the gradient of the next batch (coloured arrow)",
    (lane, k) => text.steady(norm(lane.batchGradient, k)),
  ],
  [
    "angle",
    "Between the two",
    (lane, k) => {
      const a = angle(lane, k);
      return Number.isFinite(a) ? `${a.toFixed(a < 10 ? 1 : 0)}°` : "–";
    },
  ],
  ["next batch", "Indices of the samples of the next update", batchText],
];
const PLANE = [
  "out of plane",
  "Distance of the iterate from the plane shown",
  (lane, k) => text.steady(lane.outOfPlane?.[k]),
];

/** Makes the instruments. */
export function createCursor(player) {
  const table = h("table", { class: "mb-numbers" });
  const notes = h("div", { class: "mb-remarks" });
  const element = h(
    "section",
    { class: "mb-cursor", "aria-label": "At the cursor" },
    h(
      "header",
      { class: "mb-head" },
      h("strong", {}, "At the cursor"),
      h("span", { class: "mb-note" }, "arrows: grey full, coloured batch"),
    ),
    h("div", { class: "mb-scroll", tabindex: 0, role: "group", "aria-label": "Numbers at the cursor" }, table),
    notes,
  );
  let cells = [];
  let shape = "";

  function build(rows) {
    cells = rows.map(([name, title, read]) => ({
      name,
      title,
      read,
      boxes: player.lanes.map(() => h("td", {})),
    }));
    table.replaceChildren(
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", {}, h("span", { class: "mb-hidden" }, "Quantity")),
          player.lanes.map((lane) => h("th", { scope: "col" }, swatch(lane), h("span", {}, lane.label))),
        ),
      ),
      h(
        "tbody",
        {},
        cells.map(({ name, title, boxes }) => h("tr", {}, h("th", { scope: "row", title }, name), boxes)),
      ),
    );
  }

  function update() {
    // While a knob is dragged the remarks are about another run: out of sight, but in their place, or all would jump.
    notes.classList.toggle("mb-gone", player.short);
    const rows = player.lanes.some((lane) => lane.outOfPlane) ? [...ROWS, PLANE] : ROWS;
    const now = JSON.stringify([rows.length, player.lanes.map((lane) => [lane.label, lane.color])]);
    if (now === shape) return;
    shape = now;
    build(rows);
  }

  /** Reads the numbers; while it plays, a few times a second. */
  function draw() {
    if (!player.legible) return;
    for (const { read, boxes } of cells) {
      player.lanes.forEach((lane, i) => write(boxes[i], read(lane, player.records[i])));
    }
    if (player.short) return;
    const remarks = player.lanes
      .map((lane, i) => [lane.label, player.cursorInfo(i)?.text])
      .filter(([, remark]) => remark);
    const said = JSON.stringify(remarks);
    if (notes.dataset.said === said) return;
    notes.dataset.said = said;
    notes.replaceChildren(...remarks.map(([label, remark]) => h("p", {}, h("strong", {}, label), " ", remark)));
  }

  return { element, update, draw };
}
