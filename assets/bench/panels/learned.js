/** Panels that show what the model of one lane has learned, drawn again only where what they show has changed. */

import { h } from "../dom.js";
import { learnedAt } from "./replay.js";

/**
 * The panels of one kind of picture.
 *
 * @param {() => {element: HTMLElement, draw: Function}} make Makes one picture: draw(bench, lane, arrays, [width,
 *   height]) draws what `arrays` hold, in a plot of that size.
 * @returns {(bench, groups: number[][]) => Object} Makes a panel for each group of one lane.
 */
export const createLearned = (make) => (bench, groups) => {
  const panels = groups.map(([index]) => {
    const picture = make();
    return { index, picture, element: h("div", { class: "mb-picture" }, picture.element), shown: "", size: null };
  });
  let seq = 0; // payloads and themes taken: each is drawn anew

  const measure = (panel) => (panel.size = [panel.picture.element.clientWidth, panel.picture.plot?.clientHeight ?? 0]);

  function draw() {
    for (const panel of panels) {
      const lane = bench.lanes[panel.index];
      if (!lane || !bench.header.scene) continue;
      if (!panel.size?.[0]) measure(panel);
      if (!panel.size[0]) continue; // hidden for now
      const { frame, arrays } = learnedAt(lane, bench.records[panel.index]);
      const now = `${seq} ${frame} ${panel.size} ${window.devicePixelRatio}`;
      if (now === panel.shown) continue;
      panel.shown = now;
      panel.picture.draw(bench, lane, arrays, panel.size);
    }
  }

  function update() {
    seq += 1;
  }

  const resize = () => panels.forEach(measure);
  return { elements: panels.map(({ element }) => element), update, draw, resize, repaint: update, remove() {} };
};
