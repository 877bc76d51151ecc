/** What a lane occupies: bytes by what they are for, as bars on a common scale. */

import { h, write } from "../bench/dom.js";
import * as text from "../bench/text.js";
import { swatch } from "../bench/theme.js";

// Greys and one hatch: lanes have the colours, parts have the shades and their names.
const PARTS = ["data", "parameters", "gradient", "optimizer state", "activations"];

/** 268144 -> "268 kB". */
function bytes(n) {
  const units = ["B", "kB", "MB", "GB"];
  let i = 0;
  while (n >= 1000 && i < units.length - 1) {
    n /= 1000;
    i += 1;
  }
  return `${text.num(n)} ${units[i]}`;
}

/** Makes the section. */
export function createCost(stage) {
  const body = h("div", { class: "tr-bars" });
  const device = h("span", { class: "mb-note" });
  const legend = h("p", { class: "tr-legend" }, PARTS.map((name, i) => h("span", { "data-part": i }, name)));
  const element = h(
    "section",
    { class: "tr-cost", "aria-label": "Memory" },
    h("header", { class: "mb-head" }, h("strong", {}, "Memory, measured"), device),
    body,
    legend,
  );
  let told = "";

  function draw() {
    const known = stage.lanes.filter((lane) => lane.memory);
    element.hidden = !known.length;
    write(device, `on ${stage.header.device}; activations: what one batch saves on the way forward for the way back`);
    const now = JSON.stringify(known.map((lane) => [lane.label, lane.memory]));
    if (now === told) return;
    told = now;
    const most = Math.max(1, ...known.map(({ memory }) => PARTS.reduce((sum, name) => sum + memory[name], 0)));
    body.replaceChildren(
      ...known.map((lane) => {
        const all = PARTS.reduce((sum, name) => sum + lane.memory[name], 0);
        const words = PARTS.map((name) => `${name} ${bytes(lane.memory[name])}`).join(", ");
        const parts = PARTS.map((name, i) =>
          h("i", {
            "data-part": i,
            style: `width:${(100 * lane.memory[name]) / most}%`,
            title: `${name}: ${bytes(lane.memory[name])}`,
          }),
        );
        return h(
          "div",
          { class: "tr-memory" },
          h("span", { class: "mb-lane" }, swatch(lane), lane.label),
          h("span", { class: "tr-stack", role: "img", "aria-label": `${lane.label}: ${words}` }, parts),
          h("span", { class: "tr-bytes" }, bytes(all)),
          h("span", { class: "tr-split" }, words),
        );
      }),
    );
  }

  return { element, draw };
}
