/** The verdict: one sentence, and a table sorted by what the chosen clock says. */

import { h, write } from "./dom.js";
import * as text from "./text.js";
import { swatch } from "./theme.js";

const COLUMNS = [
  ["updates", "Updates made", (v) => text.count(v.updates)],
  ["samples", "Gradients of single samples computed", (v) => text.count(v.samples)],
  ["epochs", "Passes over the data", (v) => text.num(v.epochs)],
  ["seconds", "Measured computing time", (v) => text.seconds(v.seconds)],
  ["final loss", "Full objective at the end", (v) => text.steady(v.final_loss)],
  ["best loss", "Lowest full objective on the way", (v) => text.steady(v.best_loss)],
  ["excess", "Final loss above the optimum", (v) => text.steady(v.excess)],
];

/** What the target cost, in the clock's unit. */
function cost(verdict, clock) {
  const value = verdict[`${clock}_to_target`];
  if (value === null || value === undefined) return "not reached";
  if (clock === "seconds") return text.seconds(value);
  if (clock === "epochs") return `${text.num(value)} ${value === 1 ? "epoch" : "epochs"}`;
  return text.plural(value, clock.slice(0, -1));
}

/** The lanes from best to worst: by the target's cost; those that miss it by their final loss. */
function ranking(lanes, clock) {
  const key = ({ verdict }) => [verdict[`${clock}_to_target`] ?? Infinity, verdict.final_loss ?? Infinity];
  return [...lanes].sort((a, b) => {
    const [p, q] = [key(a), key(b)];
    return p[0] === q[0] ? (p[1] === q[1] ? 0 : p[1] - q[1]) : p[0] - q[0];
  });
}

/** Makes the verdict. */
export function createVerdict(player) {
  const sentence = h("p", { class: "mb-sentence", "aria-live": "polite" });
  const target = h("th", { scope: "col", "aria-sort": "ascending" }, "to target");
  const body = h("tbody", {});
  const table = h(
    "table",
    { class: "mb-verdict", "aria-label": "Verdict" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, "lane"),
        COLUMNS.map(([name, title]) => h("th", { scope: "col", title }, name)),
        target,
        h("th", { scope: "col", title: "Spread of the batch gradients" }, "noise"),
        h("th", { scope: "col", class: "mb-words" }, "stable?"),
        h("th", { scope: "col", class: "mb-words" }, "why"),
      ),
    ),
    body,
  );
  const element = h(
    "section",
    { class: "mb-judgement", "aria-label": "Verdict of the comparison" },
    sentence,
    h(
      "div",
      { class: "mb-scroll", tabindex: 0, role: "group", "aria-label": "Verdict table, scrolls sideways" },
      table,
    ),
  );
  let rows = new Map();

  function row(lane, first) {
    const { verdict } = lane;
    const reached = verdict[`${player.clock}_to_target`] !== null && verdict[`${player.clock}_to_target`] !== undefined;
    return h(
      "tr",
      { class: first && reached ? "mb-first" : null, "data-lane": lane.index },
      h("th", { scope: "row" }, h("span", { class: "mb-lane" }, swatch(lane), lane.label)),
      COLUMNS.map(([, , read]) => h("td", {}, read(verdict))),
      h("td", { class: reached ? null : "mb-missed" }, cost(verdict, player.clock)),
      h("td", {}, text.num(verdict.noise)),
      h("td", { class: `mb-words mb-${verdict.stable}` }, verdict.stable),
      h("td", { class: "mb-words mb-why" }, verdict.why),
    );
  }

  /** Fills the table; rows that change places slide there. */
  function update() {
    write(sentence, player.header.sentence?.[player.clock] ?? "");
    target.title = player.header.target?.text ?? "";
    write(target, `to target, ${player.clock}`);
    const moved = rows.size > 0 && !player.reduced && !player.gate.dragging;
    const before = new Map(moved ? [...rows].map(([lane, tr]) => [lane, tr.offsetTop]) : []);
    const order = ranking(player.lanes, player.clock);
    rows = new Map(order.map((lane, i) => [lane.label, row(lane, i === 0)]));
    body.replaceChildren(...rows.values());
    if (!moved) return;
    for (const [lane, tr] of rows) {
      const shift = before.get(lane) - tr.offsetTop;
      if (shift)
        tr.animate([{ transform: `translateY(${shift}px)` }, { transform: "none" }], {
          duration: 450,
          easing: "ease-in-out",
        });
    }
  }

  return { element, update };
}
