/** One region a lane: what it has learned so far, as a picture and in numbers. */

import { h, write } from "../player/dom.js";
import * as text from "../player/text.js";
import { swatch } from "../player/theme.js";
import { boundary } from "./boundary.js";
import { confusion, filters, gallery } from "./images.js";
import { numbers } from "./numbers.js";

const PICTURES = {
  boundary: [boundary],
  images: [gallery, confusion, filters],
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
    const pictures = PICTURES[stage.header.kind].map((make) => make());
    const region = h(
      "section",
      { class: "mb-panel", role: "region", "aria-label": lane.label },
      h("header", { class: "mb-head" }, swatch(lane), h("strong", {}, lane.label), badge, readout, note),
      h("div", { class: "tr-pictures", "data-kind": stage.header.kind }, pictures.map((picture) => picture.element)),
    );
    return { region, readout, note, badge, pictures };
  }

  function draw() {
    const { lanes, header } = stage;
    const now = JSON.stringify([header.kind, lanes.map((lane) => [lane.label, lane.color, lane.text])]);
    if (now !== shape) {
      shape = now;
      panels = lanes.map(panel);
      element.replaceChildren(...panels.map(({ region }) => region));
    }
    lanes.forEach((lane, i) => {
      const { readout, badge, pictures } = panels[i];
      const epochs = lane.update / lane.updates_per_epoch;
      const last = lane.arrays.accuracy.data.at(-1);
      const right = Number.isFinite(last) ? ` · ${(100 * last).toFixed(1)} % right` : "";
      write(readout, `${text.count(lane.update)} updates, epoch ${Number(epochs.toFixed(1))}${right}`);
      badge.hidden = lane.diverged_at === null;
      for (const picture of pictures) picture.draw(stage, lane);
    });
  }

  return { element, draw };
}
