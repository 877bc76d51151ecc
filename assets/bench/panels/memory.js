/** What each lane occupies: bytes by what they are for, as bars on a common scale. */

import { h, write } from "../dom.js";
import * as text from "../format.js";
import { swatch } from "../theme.js";

// Greys and blues of their own: lanes have their colours, parts have shades and their names.
const PARTS = ["data", "helpers", "parameters", "gradient", "optimizer state", "activations"];

/** Makes the strip. @param {import("../bench.js").Bench} bench */
export function createMemory(bench) {
  const body = h("div", { class: "mb-bytes" });
  const device = h("span", { class: "mb-note" });
  const legend = h("p", { class: "mb-parts" }, PARTS.map((name, i) => h("span", { "data-part": i }, name)));
  const remarks = h("div", { class: "mb-remarks" });
  const element = h(
    "section",
    { class: "mb-memory", "aria-label": "Memory" },
    h("header", { class: "mb-head" }, h("strong", {}, "Memory, measured"), device),
    body,
    legend,
    remarks,
  );
  let told = "";

  /** Shows what is known; hidden where nothing is. */
  function update() {
    const known = bench.lanes.filter((lane) => lane.memory);
    element.hidden = !known.length;
    const where = bench.header.scene?.device;
    write(device, `${where ? `on ${where}; ` : ""}activations: what a batch saves on the way forward for the way back`);
    const now = JSON.stringify(known.map((lane) => [lane.label, lane.color, lane.memory, lane.memory_remark]));
    if (now === told) return;
    told = now;
    const said = new Map(); // lanes that need the same words share them
    for (const { label, memory_remark: remark } of known)
      if (remark) said.set(remark, [...(said.get(remark) ?? []), label]);
    remarks.replaceChildren(
      ...[...said].map(([remark, labels]) => h("p", {}, h("strong", {}, labels.join(", ")), " ", remark)),
    );
    const sums = known.map(({ memory }) => PARTS.reduce((sum, name) => sum + memory[name], 0));
    const most = Math.max(1, ...sums);
    body.replaceChildren(
      ...known.flatMap((lane, k) => {
        const words = PARTS.map((name) => `${name} ${text.storage(lane.memory[name])}`).join(", ");
        const parts = PARTS.map((name, i) =>
          h("i", {
            "data-part": i,
            style: `width:${(100 * lane.memory[name]) / most}%`,
            title: `${name}: ${text.storage(lane.memory[name])}`,
          }),
        );
        return [
          h("span", { class: "mb-lane" }, swatch(lane), lane.label),
          h("span", { class: "mb-stack", role: "img", "aria-label": `${lane.label}: ${words}` }, parts),
          h("span", { title: words }, text.storage(sums[k])),
        ];
      }),
    );
  }

  return { element, update };
}
