/** The verdict: one row a lane, the best of each column marked. */

import { h, write } from "../bench/dom.js";
import * as text from "../bench/text.js";
import { swatch } from "../bench/theme.js";

const last = (lane, name) => lane.arrays[name].data.at(-1);
const percent = (x) => (Number.isFinite(x) ? `${(100 * x).toFixed(2)} %` : "–");
const rate = (x) => (Number.isFinite(x) ? text.count(Number(x.toPrecision(3))) : "–");
const COLUMNS = [
  ["updates", "Updates made", (lane) => lane.made, text.count],
  ["samples", "Gradients of single samples computed", (lane) => lane.samples, text.count],
  ["train loss", "The objective, without dropout", (lane) => last(lane, "train"), text.steady, Math.min],
  ["test loss", "Mean loss of the test rows, without penalty", (lane) => last(lane, "test"), text.steady, Math.min],
  ["test accuracy", "Share of the test rows that are right", (lane) => last(lane, "accuracy"), percent, Math.max],
  ["samples/s", "While training, on this machine", (lane) => lane.samples / lane.seconds, rate, Math.max],
  ["seconds", "In training alone", (lane) => lane.seconds, text.seconds],
];

/** Makes the table. */
export function createTable(stage) {
  const body = h("tbody", {});
  const heads = COLUMNS.map(([name, title]) => h("th", { scope: "col", title }, name));
  const table = h(
    "table",
    { "aria-label": "Verdict" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "lane"), heads)),
    body,
  );
  const scroll = { class: "mb-scroll", tabindex: 0, role: "group", "aria-label": "Verdict table, scrolls sideways" };
  const named = { class: "mb-judgement", "aria-label": "Verdict of the training" };
  const sentence = h("p", { class: "mb-sentence" });
  const element = h("section", named, sentence, h("div", scroll, table));
  let rows = [];
  let shape = "";

  function draw() {
    write(sentence, stage.header.sentence);
    const now = JSON.stringify(stage.lanes.map((lane) => [lane.label, lane.color]));
    if (now !== shape) {
      shape = now;
      rows = stage.lanes.map((lane) => {
        const cells = COLUMNS.map(() => h("td", {}));
        const name = h("th", { scope: "row" }, h("span", { class: "mb-lane" }, swatch(lane), lane.label));
        return { cells, line: h("tr", {}, name, cells) };
      });
      body.replaceChildren(...rows.map(({ line }) => line));
    }
    COLUMNS.forEach(([, , read, say, best], c) => {
      const values = stage.lanes.map(read);
      const sound = values.filter((value, i) => Number.isFinite(value) && stage.lanes[i].diverged_at === null);
      const ranked = best && new Set(sound).size > 1; // nobody wins where all are alike
      const hidden = best !== undefined && !values.some(Number.isFinite);
      heads[c].hidden = hidden;
      values.forEach((value, i) => {
        const cell = rows[i].cells[c];
        const first = ranked && stage.lanes[i].diverged_at === null && value === best(...sound);
        cell.hidden = hidden;
        write(cell, say(value));
        cell.className = first ? "tr-best" : "";
      });
    });
  }

  return { element, draw };
}
