/** Puts the instruments in their places: what stands where, and in which order a keyboard walks through it. */

import { h } from "./dom.js";

/** The element that holds all of a bench's instruments. The style's grid places them. */
export function layout({ headline, page, panels, timeline, loss, handles, tabs }) {
  return h(
    "div",
    { class: "mb-bench" },
    headline.element,
    page.lesson,
    h("div", { class: "mb-pictures" }, panels.element, page.caption),
    timeline.element,
    loss.element,
    handles.element,
    tabs.element,
  );
}
