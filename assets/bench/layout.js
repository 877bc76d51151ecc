/** Puts the instruments in their places, in the order in which a keyboard walks through them. */

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

/**
 * Puts a bench into its place on the page; whether it was elsewhere before. A keyboard begins there and not at the top
 * of the page, unless it is somewhere already.
 */
export function place(root, parent, { embed }) {
  if (root.parentElement === parent) return false;
  parent.append(root);
  if (document.activeElement === document.body && !embed) root.focus({ preventScroll: true });
  return true;
}

/** Keys that mean the same everywhere on a bench; whether a hand has touched it; a change of the theme. */
export function listen(bench) {
  const { root } = bench;
  root.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select, textarea, summary, [role=tab], .mb-scroll")) return;
    if (event.key === " " && event.target.closest("button")) return;
    bench.timeline.keys(event);
  });
  for (const name of ["pointerdown", "keydown"])
    root.addEventListener(name, () => bench.change({ touched: true }), true);
  root.addEventListener("transitionend", (event) => {
    if (event.target === root) bench.retheme();
  });
}
