/** What stands on top: who is ahead and why, by which clock, and how each lane does. */

import { CLOCKS, clockTitle } from "./clock.js";
import { h, write } from "./dom.js";
import { marker } from "./theme.js";

/** Badges that are bad news. */
const BAD = new Set(["unstable", "diverged", "escaping"]);

/** Makes the headline. @param {import("./bench.js").Bench} bench */
export function createHeadline(bench) {
  const sentence = h("p", { class: "mb-headline", "aria-live": "polite" });
  const group = "mb-clock";
  const clocks = Object.entries(CLOCKS).map(([name, { label }]) => {
    const input = h("input", { type: "radio", name: group, value: name, onchange: () => bench.setClock(name) });
    return { name, input, element: h("label", { class: "mb-segment" }, input, h("span", {}, label)) };
  });
  const tools = h("div", { class: "mb-tools" });
  const badges = h("ul", { class: "mb-badges", "aria-label": "How each lane does" });
  const element = h(
    "header",
    { class: "mb-top" },
    sentence,
    tools,
    badges,
    h(
      "div",
      { class: "mb-clocks", role: "radiogroup", "aria-label": "Clock", title: "What the time axis counts" },
      clocks.map((clock) => clock.element),
    ),
  );
  let rows = [];
  let shape = "";

  function makeBadge(lane, index) {
    const name = h("span", { class: "mb-state" });
    const why = h("p", {});
    const attempt = h("button", {
      type: "button",
      class: "mb-try",
      onclick: () => {
        const { key, value } = bench.header.lanes[index].badge.try;
        box.open = false;
        bench.edit(`try ${index}`, { edits: [{ key, value, lane: index }] });
      },
    });
    const box = h(
      "details",
      {
        class: "mb-badge-of",
        name: "mb-badges",
        onkeydown: (event) => {
          if (event.key !== "Escape" || !box.open) return;
          box.open = false;
          box.firstChild.focus();
        },
        onfocusout: (event) => {
          if (event.relatedTarget && !box.contains(event.relatedTarget)) box.open = false;
        },
      },
      h("summary", { title: "Why?" }, marker(lane), h("strong", {}, lane.label), name),
      h("div", { class: "mb-why-box" }, why, attempt),
    );
    return { item: h("li", {}, box), box, name, why, attempt };
  }

  function update() {
    const { headline, lanes, status } = bench.header;
    const moving = bench.dragging || status.state === "running";
    sentence.setAttribute("aria-busy", String(moving)); // is read out when the hand rests
    write(sentence, headline?.[bench.clock]?.text ?? "");
    for (const { name, input, element: segment } of clocks) {
      input.checked = name === bench.clock;
      segment.title = clockTitle(name, bench.header);
    }
    const now = JSON.stringify(lanes.map((lane) => [lane.label, lane.color, lane.marker]));
    if (now !== shape) {
      shape = now;
      rows = lanes.map(makeBadge);
      badges.replaceChildren(...rows.map(({ item }) => item));
    }
    lanes.forEach(({ badge }, i) => {
      const { item, name, why, attempt } = rows[i];
      item.hidden = !badge;
      if (!badge) return;
      write(name, badge.name);
      item.dataset.kind = BAD.has(badge.name) ? "bad" : badge.name;
      write(why, badge.why);
      attempt.hidden = !badge.try;
      if (badge.try) write(attempt, badge.try.text);
    });
  }

  return { element, tools, update };
}
