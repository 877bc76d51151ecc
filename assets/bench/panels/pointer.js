/** The pointer over a panel: a click is a new start, hovering tells the loss there. */

import { write } from "../dom.js";
import * as text from "../format.js";

const STILL = 4; // px: a pointer that moved further was dragging or zooming
const DOUBLE = 250; // ms: in a zoomed panel a click waits, for it may become a double click

/** Data coordinates of a pointer event, or null outside the axes. */
function locate(panel, event) {
  if (!panel.ready) return null;
  const { xaxis, yaxis } = panel.chart._fullLayout;
  const box = panel.chart.getBoundingClientRect();
  const px = event.clientX - box.left - xaxis._offset;
  const py = event.clientY - box.top - yaxis._offset;
  const inside = px >= 0 && py >= 0 && px <= xaxis._length && py <= yaxis._length;
  return inside ? { x: xaxis.p2d(px), y: yaxis.p2d(py) } : null;
}

/** Whether a panel shows another window than the problem's own. */
const zoomed = (bench, panel) => {
  const { xaxis, yaxis } = panel.chart._fullLayout;
  return [...xaxis.range, ...yaxis.range].some(
    (edge, i) => Math.abs(edge - bench.header.problem.view[i]) > 1e-9 * Math.abs(edge),
  );
};

/** Listens to a panel's chart: a click moves the start, the pointer reads the surface. */
export function listen(bench, panel) {
  let down = null;
  let waiting = null;
  panel.chart.addEventListener("pointerdown", (event) => (down = [event.clientX, event.clientY]), true);
  panel.chart.addEventListener(
    "click",
    (event) => {
      if (!down || event.target.closest(".modebar")) return;
      if (Math.hypot(event.clientX - down[0], event.clientY - down[1]) > STILL) return;
      const point = locate(panel, event);
      clearTimeout(waiting);
      if (!point || event.detail > 1) return; // a double click resets the zoom
      if (zoomed(bench, panel)) waiting = setTimeout(() => bench.start(point), DOUBLE);
      else bench.start(point);
    },
    true,
  );
  panel.chart.addEventListener("pointermove", (event) => {
    const point = event.pointerType === "mouse" && locate(panel, event);
    panel.under.hidden = !point;
    if (point) write(panel.under, underText(bench, point));
  });
  panel.chart.addEventListener("pointerleave", () => (panel.under.hidden = true));
}

/** What lies under the pointer: the coordinates and the loss of the nearest grid point. */
function underText({ arrays, header }, { x, y }) {
  const { xs, ys, z } = arrays;
  const nearest = (grid, value) => {
    const n = grid.length;
    return Math.min(n - 1, Math.max(0, Math.round(((value - grid[0]) / (grid[n - 1] - grid[0])) * (n - 1))));
  };
  const loss = z.data[nearest(ys.data, y) * z.shape[1] + nearest(xs.data, x)];
  const hint = header.problem.projection ? "" : "  click: start here"; // a point of a projected plane names no start
  return `${text.num(x)}, ${text.num(y)}  loss ≈ ${text.num(loss)}${hint}`;
}
