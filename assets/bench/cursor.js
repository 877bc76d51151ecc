/** "At the cursor": the numbers of each lane's current iterate. */

import { h, write } from "./dom.js";
import { batchAt, isFull } from "./payload.js";
import * as text from "./format.js";
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

/** The newest look at the test rows that is not later than record k. */
function seen(lane, values, k) {
  if (!lane.seen || !values) return NaN;
  let i = lane.seen.length - 1;
  while (i >= 0 && lane.seen[i] > k) i -= 1;
  return i < 0 ? NaN : values[i];
}

const degrees = (x) => (Number.isFinite(x) ? `${x.toFixed(x < 10 ? 1 : 0)}°` : "–");

/** Name, meaning, how a lane's record is read, and the lane's array without which there is nothing to read. */
/** @type {[string, string, (lane: any, k: number) => string, string][]} */
const ROWS = [
  ["loss", "Full objective at the iterate", (lane, k) => text.steady(lane.loss[k]), "loss"],
  ["test loss", "Mean loss of the test rows", (lane, k) => text.steady(seen(lane, lane.testLoss, k)), "testLoss"],
  [
    "test accuracy",
    "Share of the test rows that are right",
    (lane, k) => text.percent(seen(lane, lane.testAccuracy, k)),
    "testAccuracy",
  ],
  ["rate", "Learning rate of the update that led here", (lane, k) => text.num(lane.rate?.[k]), "rate"],
  [
    "|full gradient|",
    "Length of the full gradient (grey arrow)",
    (lane, k) => text.steady(norm(lane.gradient, k)),
    "gradient",
  ],
  [
    "|batch gradient|",
    "Length of the gradient of the next batch (coloured arrow)",
    (lane, k) => text.steady(norm(lane.batchGradient, k)),
    "batchGradient",
  ],
  ["angle", "Between the two", (lane, k) => degrees(angle(lane, k)), "batchGradient"],
  [
    "out of plane",
    "Distance of the iterate from the plane shown",
    (lane, k) => text.steady(lane.outOfPlane?.[k]),
    "outOfPlane",
  ],
  ["next batch", "Indices of the samples of the next update", batchText, "update"],
];

/** Makes the instruments. @param {import("./bench.js").Bench} bench */
export function createCursor(bench) {
  const table = h("table", { class: "mb-numbers" });
  const notes = h("div", { class: "mb-remarks" });
  const element = h(
    "section",
    { class: "mb-cursor", "aria-label": "At the cursor" },
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
      boxes: bench.lanes.map(() => h("td", {})),
    }));
    table.replaceChildren(
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", {}, h("span", { class: "mb-hidden" }, "Quantity")),
          bench.lanes.map((lane) => h("th", { scope: "col" }, swatch(lane), h("span", {}, lane.label))),
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
    notes.classList.toggle("mb-gone", bench.short);
    const rows = ROWS.filter(([, , , needs]) => bench.lanes.some((lane) => lane[needs]));
    const now = JSON.stringify([rows.map(([name]) => name), bench.lanes.map((lane) => [lane.label, lane.color])]);
    if (now === shape) return;
    shape = now;
    build(rows);
  }

  /** Reads the numbers; while it plays, a few times a second. */
  function draw() {
    if (!bench.legible) return;
    for (const { read, boxes } of cells) {
      bench.lanes.forEach((lane, i) => write(boxes[i], read(lane, bench.records[i])));
    }
    if (bench.short) return;
    const remarks = bench.lanes
      .map((lane, i) => [lane.label, bench.cursorInfo(i)?.text])
      .filter(([, remark]) => remark);
    const said = JSON.stringify(remarks);
    if (notes.dataset.said === said) return;
    notes.dataset.said = said;
    notes.replaceChildren(...remarks.map(([label, remark]) => h("p", {}, h("strong", {}, label), " ", remark)));
  }

  return { element, update, draw };
}
