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
  let rows = []; // of each lane
  let shape = "";

  function row(lane) {
    const cells = [...COLUMNS, "target", "noise"].map(() => h("td", {}));
    cells.push(h("td", {}), h("td", { class: "mb-words mb-why" }));
    const name = h("th", { scope: "row" }, h("span", { class: "mb-lane" }, swatch(lane), lane.label));
    return { line: h("tr", { "data-lane": lane.index }, name, cells), cells };
  }

  /** Writes a lane's numbers into its row: what stays the same costs the browser nothing. */
  function fill({ line, cells }, { verdict }, first) {
    const { clock } = player;
    const spent = verdict[`${clock}_to_target`];
    const reached = spent !== null && spent !== undefined;
    const told = [cost(verdict, clock), text.num(verdict.noise), verdict.stable, verdict.why];
    [...COLUMNS.map(([, , read]) => read(verdict)), ...told].forEach((words, i) => write(cells[i], words));
    line.className = first && reached ? "mb-first" : "";
    cells[COLUMNS.length].className = reached ? "" : "mb-missed";
    cells[COLUMNS.length + 2].className = `mb-words mb-${verdict.stable}`;
  }

  /** Fills the table; rows that change places slide there. */
  function update() {
    write(sentence, player.header.sentence?.[player.clock] ?? "");
    target.title = player.header.target?.text ?? "";
    write(target, `to target, ${player.clock}`);
    const now = JSON.stringify(player.lanes.map((lane) => [lane.label, lane.color]));
    const fresh = now !== shape;
    if (fresh) {
      shape = now;
      rows = player.lanes.map(row);
      body.replaceChildren();
    }
    const order = ranking(player.lanes, player.clock);
    order.forEach((lane, i) => fill(rows[lane.index], lane, i === 0));
    const lines = order.map((lane) => rows[lane.index].line);
    if (lines.every((line, i) => body.children[i] === line)) return;
    const slides = !fresh && !player.reduced && !player.gate.dragging;
    const tops = slides ? lines.map((line) => line.offsetTop) : [];
    body.replaceChildren(...lines);
    tops.forEach((top, i) => {
      const shift = top - lines[i].offsetTop;
      if (!shift) return;
      const from = { transform: `translateY(${shift}px)` };
      lines[i].animate([from, { transform: "none" }], { duration: 450, easing: "ease-in-out" });
    });
  }

  return { element, update };
}
