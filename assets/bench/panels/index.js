/** The lanes' panels: a region a lane, or all lanes in one panel; a switch for what the panels show. */

import { h, write } from "../dom.js";
import * as text from "../format.js";
import { swatch } from "../theme.js";
import { boundary } from "./boundary.js";
import { confusion } from "./confusion.js";
import { filters } from "./filters.js";
import { createFits } from "./fit.js";
import { images } from "./images.js";
import { createLearned } from "./learned.js";
import { numbers } from "./numbers.js";
import { createPaths } from "./path.js";
import { frameAt } from "./replay.js";

const ROOMY = 1100; // px of the window; below, all lanes share one panel until the person says otherwise
const LEAST = 150; // px a lane's panel needs beside others
const PAIRED = 180; // ... and beside a panel of all lanes; else both show all lanes
const GAP = 16; // px between two

/** What a panel can show: its name on the switch, how it is made, and whether several lanes fit into one. */
const KINDS = {
  path: { name: "Path", make: createPaths, shared: true },
  fit: { name: "Data and fit", make: createFits, shared: true },
  boundary: { name: "Boundary", make: createLearned(boundary) },
  images: { name: "Images", make: createLearned(images) },
  confusion: { name: "Confusion", make: createLearned(confusion) },
  filters: { name: "Filters", make: createLearned(filters) },
  numbers: { name: "Predictions", make: createLearned(numbers) },
};

/**
 * What the switch offers, each a list of panels: those that stand side by side at first, or that a link puts so, then
 * every panel alone.
 *
 * @param {string[]} offered The panels of this problem.
 * @param {string[]} first What is shown at first.
 * @param {string[]} wanted What a link says.
 */
export function choices(offered, first, wanted = []) {
  const known = offered.filter((name) => name in KINDS);
  const [pair, other] = [first, wanted].map((names) => known.filter((name) => names.includes(name)));
  const together = [pair, String(other) === String(pair) ? [] : other].filter((names) => names.length > 1);
  return [...together, ...known.map((name) => [name])];
}

/**
 * Which lanes share a panel: a list of groups for each of the panels shown.
 *
 * @param {string[]} shown One panel, or two that stand side by side.
 * @param {number} lanes How many there are.
 * @param {boolean} overlay Whether all lanes share one panel; of those that show one lane, the picked one.
 * @param {number} picked The lane that is picked.
 */
export function groupsOf(shown, lanes, overlay, picked) {
  const all = Array.from({ length: lanes }, (_, i) => i);
  return shown.map((name, place) => {
    if (overlay) return [KINDS[name].shared ? all : [picked]];
    return place && KINDS[name].shared ? [all] : all.map((i) => [i]); // beside each lane's own panels stands one of all
  });
}

/**
 * In how many columns the lanes' panels stand: as many as there is room for, in rows that are equally long.
 *
 * @param {number} panels How many there are.
 * @param {number} width Of all of them, in px; 0 where nobody knows yet.
 * @param {number} least What one needs, in px.
 */
export function columnsFor(panels, width, least = LEAST) {
  const most = width ? Math.max(1, Math.floor((width + GAP) / (least + GAP))) : panels;
  return Math.ceil(panels / Math.ceil(panels / most));
}

/** Makes the panels. @param {import("../bench.js").Bench} bench */
export function createPanels(bench) {
  const panelSwitch = h("div", { class: "mb-scopes", role: "radiogroup", "aria-label": "Panel" });
  const overlayButton = h(
    "button",
    { type: "button", class: "mb-toggle", title: "All lanes in one panel", onclick: () => arrange(!overlaid()) },
    "Overlay",
  );
  const bar = h("div", { class: "mb-choices" }, panelSwitch, overlayButton);
  const stage = h("div", { class: "mb-stage" });
  const element = h(
    "div",
    {
      class: "mb-panels",
      role: "group",
      "aria-label": "Player",
      tabindex: 0,
      title: "Space plays, the arrows step; click a surface to start there",
    },
    bar,
    stage,
  );
  let regions = []; // one a lane
  let views = []; // one for each panel shown
  let picked = null; // the lane on top, or the one shown
  let shape = ""; // what the panels were built for
  let together = false; // whether all lanes share one panel

  /** Whether all lanes share one panel: as was chosen, or where a small screen has no room for more. */
  function overlaid() {
    const lanes = bench.lanes.length;
    if (lanes < 2 || bench.view.layout) return lanes > 1 && bench.view.layout === "overlay";
    const pair = shown().length > 1; // then a panel of all lanes stands in the same row
    return window.innerWidth < ROOMY || (pair && columnsFor(lanes + 1, element.clientWidth, PAIRED) <= lanes);
  }

  /** Lays the lanes' panels out in rows. */
  function lay() {
    const beside = stage.querySelectorAll(".mb-beside").length;
    const width = element.clientWidth;
    const all = regions.length + beside;
    const columns = columnsFor(all, width) === all ? all : columnsFor(regions.length, width);
    stage.style.setProperty("--mb-columns", together ? 1 : columns);
    stage.dataset.rows = together ? 1 : Math.ceil(regions.length / columns) + (columns < all ? beside : 0);
  }

  /** The panels that are shown: what was chosen, where this problem offers it. */
  function shown() {
    const wanted = [...(bench.view.panels ?? bench.header.default_panels ?? [])].sort();
    const all = offered();
    return all.find((choice) => String([...choice].sort()) === String(wanted)) ?? all[0] ?? [];
  }

  function offered() {
    return choices(bench.header.panels ?? [], bench.header.default_panels ?? [], bench.view.panels ?? []);
  }

  function arrange(overlay) {
    bench.changeView({ layout: overlay ? "overlay" : "lanes" });
    refresh();
  }

  function choose(panels) {
    bench.changeView({ panels });
    refresh();
  }

  /** The lane picked, lies on top or is the one shown. */
  function pick(index) {
    picked = index;
    refresh();
  }

  async function refresh() {
    await update({ newKey: false, newPicture: false });
    bench.invalidate();
  }

  function showSwitch(now) {
    const all = offered();
    panelSwitch.hidden = all.length < 2;
    overlayButton.hidden = bench.lanes.length < 2;
    bar.hidden = panelSwitch.hidden && overlayButton.hidden;
    overlayButton.setAttribute("aria-pressed", String(overlaid()));
    const options = JSON.stringify(all);
    if (panelSwitch.dataset.options !== options) {
      panelSwitch.dataset.options = options;
      panelSwitch.replaceChildren(
        ...all.map((choice) =>
          option("mb-panel", choice.map((name) => KINDS[name].name).join(" + "), () => choose(choice)),
        ),
      );
    }
    all.forEach((choice, i) => (panelSwitch.children[i].firstChild.checked = String(choice) === String(now)));
  }

  /** A lane's region: its name, and how far it has come; in the overlay a row, with the switch that picks the lane. */
  function region(lane, overlay, alone) {
    const [loss, updates, tests] = ["mb-reached", "mb-updates", "mb-tested"].map((kind) => h("span", { class: kind }));
    const badge = h("span", { class: "mb-badge", hidden: true });
    const readout = h("span", { class: "mb-readout" }, loss, updates, tests, badge);
    const note = h("span", { class: "mb-note" });
    const summary = h("p", { class: "mb-hidden" });
    const name = [swatch(lane), h("strong", {}, lane.label)];
    const title = alone ? "Shows this lane" : "On top, with its gradients and other batches";
    const sign = overlay ? option("mb-lane-shown", name, () => pick(lane.index), title) : name;
    const section = h(
      "section",
      { class: overlay ? "mb-row" : "mb-panel", role: "region", "aria-label": lane.label },
      h("header", { class: "mb-head" }, sign, readout, note),
      summary,
    );
    if (overlay) section.querySelector("input").checked = lane.index === picked;
    return { section, loss, updates, tests, note, badge, summary };
  }

  function build(panels, overlay) {
    views.forEach((view) => view.remove());
    const groups = groupsOf(panels, bench.lanes.length, overlay, picked);
    const alone = panels.every((name) => !KINDS[name].shared);
    regions = bench.lanes.map((lane) => region(lane, overlay, alone));
    views = panels.map((name, i) => KINDS[name].make(bench, groups[i], () => picked));
    stage.dataset.layout = overlay ? "overlay" : "lanes";
    const sections = regions.map(({ section }) => section);
    if (overlay) {
      const shared = h("div", { class: "mb-shared" }, views.flatMap(({ elements }) => elements));
      stage.replaceChildren(shared, h("div", { class: "mb-rows" }, sections));
    } else {
      const beside = [];
      views.forEach(({ elements }, i) => {
        if (groups[i].length === regions.length) elements.forEach((one, j) => regions[j].section.append(one));
        else beside.push(besideAll(KINDS[panels[i]].name, elements));
      });
      stage.replaceChildren(...sections, ...beside);
    }
    lay();
  }

  /** Takes a payload. Panels are made again only where there are others to show. */
  function update(change) {
    if (!bench.lanes.length) return Promise.resolve();
    if (!bench.lanes[picked]) picked = Math.max(0, bench.lanes.findIndex(({ role }) => role === "mini"));
    const overlay = (together = overlaid());
    const panels = shown();
    showSwitch(panels);
    const looks = bench.lanes.map(({ label, color, marker, dash }) => [label, color, marker, dash]);
    const alone = overlay && panels.some((name) => !KINDS[name].shared) ? picked : null;
    const now = JSON.stringify([panels, overlay, alone, looks]);
    const rebuilt = now !== shape;
    if (rebuilt) {
      shape = now;
      build(panels, overlay);
    }
    regions.forEach(({ note, summary }, i) => {
      const lane = bench.lanes[i];
      write(note, lane.text);
      note.title = lane.text;
      write(summary, lane.summary);
    });
    return Promise.all(views.map((view) => view.update(rebuilt ? { newKey: true, newPicture: true } : change)));
  }

  /** Draws all that follows the cursor. */
  function draw() {
    views.forEach((view) => view.draw());
    if (!bench.legible) return;
    regions.forEach(({ loss, updates, tests, badge }, i) => {
      const lane = bench.lanes[i];
      const k = bench.records[i];
      const gone = lane.diverged_at !== null && lane.update[k] >= lane.diverged_at;
      badge.hidden = !gone;
      if (gone) write(badge, `diverged at update ${text.count(lane.diverged_at)}`);
      write(loss, gone ? "" : `loss ${text.steady(lane.loss[k])}`);
      write(updates, gone ? "" : ` · update ${text.count(lane.update[k])}`);
      write(tests, gone ? "" : tested(lane, k));
    });
  }

  function resize() {
    if (!bench.lanes.length) return;
    if (overlaid() !== together) refresh();
    lay();
    views.forEach((view) => view.resize());
  }

  const repaint = () => Promise.all(views.map((view) => view.repaint()));

  return { element, update, draw, resize, repaint };
}

/** A panel of all lanes that stands beside each lane's own. */
const besideAll = (name, elements) =>
  h(
    "div",
    { class: "mb-panel mb-beside" },
    h(
      "header",
      { class: "mb-head" },
      h("strong", {}, name),
      h("span", { class: "mb-readout" }, "all lanes"),
      h("span", { class: "mb-note" }),
    ),
    elements,
  );

/** One choice of several: a radio button whose words can be seen. */
function option(name, words, choose, title) {
  return h(
    "label",
    { class: "mb-option", title },
    h("input", { type: "radio", name, onchange: choose }),
    h("span", {}, words),
  );
}

/** The share of test rows that were right when they were last judged, in words. */
function tested(lane, k) {
  if (!lane.testAccuracy || !lane.seen) return "";
  const share = lane.testAccuracy[frameAt(lane.seen, k)];
  return Number.isFinite(share) ? ` · test ${(100 * share).toFixed(1)} %` : "";
}
