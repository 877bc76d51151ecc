/** The verdict's table: rows in the order that the chosen clock gives them. Ranked and put into words in Python. */

import { CLOCKS } from "./clock.js";
import { h, write } from "./dom.js";
import { swatch } from "./theme.js";

const WORDS = new Set(["badge", "why"]); // columns of words; all others hold numbers

/** Of the columns that say what the target cost, the chosen clock's. */
const shownAt = (clock) => (column) =>
  !Object.keys(CLOCKS).some((other) => other !== clock && column.key.startsWith(`${other}_`));

/** Makes the verdict. @param {import("./bench.js").Bench} bench */
export function createVerdict(bench) {
  const head = h("tr", {});
  const body = h("tbody", {});
  const element = h(
    "div",
    { class: "mb-scroll", tabindex: 0, role: "group", "aria-label": "Verdict table, scrolls sideways" },
    h("table", { class: "mb-verdict", "aria-label": "Verdict" }, h("thead", {}, head), body),
  );
  let columns = [];
  let rows = []; // of each lane
  let shape = "";

  function build(lanes) {
    const heads = columns.map(({ key, label, title }) =>
      h("th", { scope: "col", title, class: WORDS.has(key) ? "mb-words" : null }, label),
    );
    head.replaceChildren(h("th", { scope: "col" }, "lane"), ...heads);
    rows = lanes.map((lane, index) => {
      const cells = columns.map(({ key }) => h("td", { class: WORDS.has(key) ? (key === "why" ? "mb-words mb-why" : "mb-words") : null }));
      const name = h("th", { scope: "row" }, h("span", { class: "mb-lane" }, swatch(lane), lane.label));
      return { line: h("tr", { "data-lane": index }, name, cells), cells };
    });
    body.replaceChildren();
  }

  /** Fills the table; rows that change places slide there. */
  function update() {
    const { lanes, columns: all, ranking, best } = bench.header;
    columns = all.filter(shownAt(bench.clock));
    const now = JSON.stringify([columns, lanes.map((lane) => [lane.label, lane.color, lane.marker])]);
    const fresh = now !== shape;
    if (fresh) {
      shape = now;
      build(lanes);
    }
    const order = ranking[bench.clock] ?? lanes.map((_, i) => i);
    order.forEach((lane, place) => {
      const { line, cells } = rows[lane];
      line.classList.toggle("mb-first", place === 0);
      columns.forEach(({ key }, c) => {
        write(cells[c], lanes[lane].cells[key] ?? "–");
        cells[c].classList.toggle("mb-best", best?.[key] === lane);
      });
    });
    place(
      order.map((lane) => rows[lane].line),
      !fresh && !bench.reduced && !bench.dragging,
    );
  }

  function place(lines, slides) {
    if (lines.every((line, i) => body.children[i] === line)) return;
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
