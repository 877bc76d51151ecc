/** One region a lane: what it has learned so far, as a picture and in numbers. */

import { h, write } from "../bench/dom.js";
import * as text from "../bench/text.js";
import { swatch } from "../bench/theme.js";
import { boundary } from "./boundary.js";
import { batch, confusion, filters, gallery } from "./images.js";
import { numbers } from "./numbers.js";

const PICTURES = {
  boundary: [boundary],
  images: [gallery, batch, confusion, filters],
  classes: [confusion],
  numbers: [numbers],
};

/** Makes the row of lanes. */
export function createLanes(stage) {
  const element = h("div", { class: "mb-stage tr-stage" });
  let shape = "";
  let panels = [];

  function panel(lane) {
    const readout = h("span", { class: "mb-readout" });
    const note = h("span", { class: "mb-note" }, lane.text);
    const badge = h("span", { class: "mb-badge", hidden: true }, "diverged");
    const why = h("p", { class: "tr-why", hidden: true });
    const pictures = PICTURES[stage.header.kind].map((make) => make());
    const region = h(
      "section",
      { class: "mb-panel", role: "region", "aria-label": lane.label },
      h("header", { class: "mb-head" }, swatch(lane), h("strong", {}, lane.label), badge, readout, note),
      why,
      h("div", { class: "tr-pictures", "data-kind": stage.header.kind }, pictures.map((picture) => picture.element)),
    );
    return { region, readout, badge, why, pictures };
  }

  function draw() {
    const { lanes, header } = stage;
    const now = JSON.stringify([header.kind, lanes.map((lane) => [lane.label, lane.color, lane.text])]);
    if (now !== shape) {
      shape = now;
      panels = lanes.map(panel);
      element.dataset.lanes = lanes.length;
      element.replaceChildren(...panels.map(({ region }) => region));
    }
    lanes.forEach((lane, i) => {
      panels[i].badge.hidden = lane.diverged_at === null;
      panels[i].why.hidden = !lane.why;
      write(panels[i].why, lane.why ?? "");
      panels[i].shown = null;
    });
    show();
  }

  /** Every lane at the clock's time: as it is at the end, or as the film has it. */
  function show() {
    stage.lanes.forEach((lane, i) => {
      const { readout, pictures } = panels[i];
      const past = stage.film.ready() && stage.at < stage.end ? stage.film.at(lane, stage.at) : null;
      const look = past ? past.look : lane.records - 1;
      const update = past ? lane.update[look] : lane.made;
      const epochs = update / lane.updates_per_epoch;
      const share = lane.arrays.accuracy.data[look];
      const right = Number.isFinite(share) ? ` · test ${(100 * share).toFixed(1)} %` : "";
      write(readout, `${text.plural(update, "update")}, epoch ${Number(epochs.toFixed(1))}${right}`);
      const frame = past ? past.frame : "newest";
      if (frame === panels[i].shown) return;
      panels[i].shown = frame;
      for (const picture of pictures) picture.draw(stage, past ? past.lane : lane);
    });
  }

  return { element, draw, show };
}
