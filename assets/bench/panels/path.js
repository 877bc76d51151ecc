/** Paths on the surface: the surface drawn once by Plotly, the paths of one lane or of several above it on canvas. */

import { h, sheet, svg } from "../dom.js";
import { isFull } from "../payload.js";
import { Draft } from "./draft.js";
import { arrowScale, DASHES, drawMarks, freshMarks } from "./marks.js";
import { listen } from "./pointer.js";
import { surfaceLayout, surfaceTraces, viewOf } from "./surface.js";
import { leaveTabOrder, settings } from "./toolbar.js";
import { Trail } from "./trail.js";

const SPREADS = "2 sigma of other batches of this size: measured; predicted with and without replacement";
const OWN = "2 sigma of the lane's own batches, which come back in every epoch: measured";

/** A short line for the legend. */
const key = (dash) =>
  svg(
    "svg",
    { viewBox: "0 0 18 8", class: "mb-key" },
    svg("line", {
      x1: 0,
      y1: 4,
      x2: 18,
      y2: 4,
      stroke: "currentColor",
      "stroke-width": 1.6,
      "stroke-dasharray": dash.join(" "),
    }),
  );

/** One surface with its lanes' paths. */
class Surface {
  constructor(bench, lanes) {
    this.lanes = lanes; // their numbers
    this.chart = h("div", { class: "mb-chart", "aria-hidden": "true", title: "" });
    this.predicted = h("span", {}, key(DASHES.with), "with", key(DASHES.without), "without repl.");
    this.legend = h("div", { class: "mb-legend", hidden: true }, "2σ:", key([]), "measured", this.predicted);
    this.under = h("div", { class: "mb-under", hidden: true });
    this.element = h("div", { class: "mb-plot" }, this.chart);
    this.visible = true;
    this.ready = false;
    this.echo = false; // whether it follows another's zoom
    this.draft = new Draft(this.element);
    this.trails = new Map(lanes.map((i) => [i, new Trail(this.element, lanes.length > 1)]));
    this.marks = sheet(this.element);
    this.element.append(this.legend, this.under);
    listen(bench, this);
  }

  /** Sizes are read here and not while drawing: reading forces a layout. */
  measure() {
    this.size = [this.element.clientWidth, this.element.clientHeight];
    return this.size;
  }

  reset() {
    this.trails.forEach((trail) => trail.reset());
  }
}

/**
 * Makes a panel of paths for each group of lanes.
 *
 * @param bench The bench.
 * @param {number[][]} groups The lanes of each panel.
 * @param {() => number} picked The lane that lies on top where several share a surface.
 */
export function createPaths(bench, groups, picked) {
  const surfaces = groups.map((lanes) => new Surface(bench, lanes));
  let images = []; // of the surface, until Plotly is there
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries)
        surfaces.find(({ element }) => element === target).visible = isIntersecting;
      bench.invalidate();
    },
    { threshold: 0.05 },
  );
  surfaces.forEach(({ element }) => seen.observe(element));

  /** Zooming one panel zooms all: the same surface is always seen through the same window. */
  function follow(source, event) {
    const keys = Object.keys(event).filter((name) => /^[xy]axis\.(range|autorange)/.test(name));
    if (source.echo || !keys.length) return;
    const { xaxis, yaxis } = source.chart._fullLayout;
    const window = { "xaxis.range": [...xaxis.range], "yaxis.range": [...yaxis.range] };
    for (const other of surfaces) {
      if (other === source || !other.ready) continue;
      other.echo = true;
      bench.Plotly.relayout(other.chart, window).finally(() => (other.echo = false));
    }
  }

  function settle(surface) {
    surface.ready = true;
    surface.draft.remove();
    images = [];
    surface.measure();
    const again = () => {
      surface.reset();
      bench.invalidate();
    };
    surface.chart.on("plotly_relayouting", again);
    surface.chart.on("plotly_afterplot", again);
    surface.chart.on("plotly_relayout", (event) => {
      again();
      follow(surface, event);
    });
  }

  /** Draws the surfaces anew: another problem, another theme. */
  async function repaint() {
    const { Plotly, theme, narrow, arrays } = bench;
    if (!Plotly || !arrays.z) return; // not there yet, or a run that has no record yet
    const traces = surfaceTraces(bench);
    await Promise.all(
      surfaces.map(async (surface) => {
        await Plotly.react(surface.chart, traces, surfaceLayout(bench, theme, narrow, surface.measure()), settings(narrow));
        leaveTabOrder(surface.chart);
        if (!surface.ready) settle(surface);
      }),
    );
  }

  /** Takes a payload. The surface is drawn again only where it is another one. */
  function update({ newPicture }) {
    surfaces.forEach((surface) => surface.reset());
    return newPicture || surfaces.some(({ ready }) => !ready) ? repaint() : Promise.resolve();
  }

  /** Draws all that follows the cursor; before Plotly is there, the surface too. */
  function draw() {
    for (const surface of surfaces) if (!surface.size?.[0]) surface.measure();
    const { problem } = bench.header;
    const first = surfaces.find(({ size }) => size[0]);
    if (!first || !bench.arrays.z) return;
    const records = bench.records.map((k, i) => Math.min(k, bench.lanes[i].last));
    const infos = bench.lanes.map((_, i) => bench.cursorInfo(i));
    const scale = arrowScale(bench.lanes, records, infos, viewOf(first.chart, first.size, problem));
    for (const surface of surfaces) if (surface.visible && surface.size[0]) drawOne(surface, scale, infos);
  }

  function drawOne(surface, scale, infos) {
    const { size, chart, marks, lanes } = surface;
    const view = viewOf(chart, size, bench.header.problem);
    if (!surface.ready) surface.draft.draw(bench, view, size, images);
    const stamp = `${size} ${window.devicePixelRatio}`;
    if (stamp !== surface.stamp) surface.reset();
    surface.stamp = stamp;
    const top = picked();
    const order = [...lanes].sort((a, b) => Number(a === top) - Number(b === top));
    const context = freshMarks(marks, view, size);
    for (const i of order) {
      const lane = bench.lanes[i];
      const k = bench.records[i];
      if (!lane.theta) continue; // its first record is still to come
      const alone = order.length === 1 || i === top; // other batches are drawn of one lane: those of three hide all
      surface.trails.get(i).to(lane, k, view, size);
      drawMarks(context, { lane, k, view, scale, info: alone ? infos[i] : null, arrows: alone });
    }
    context.restore();
    if (!bench.legible) return;
    const told = order[order.length - 1];
    surface.legend.hidden = !infos[told] || isFull(bench.lanes[told]);
    surface.predicted.hidden = !infos[told]?.predicted_with; // the lane repeats its own batches
    surface.legend.title = surface.predicted.hidden ? OWN : SPREADS;
  }

  function resize() {
    for (const surface of surfaces) {
      const before = String(surface.size);
      if (before !== String(surface.measure()) && surface.ready) bench.Plotly.Plots.resize(surface.chart);
    }
  }

  function remove() {
    seen.disconnect();
    for (const { chart, ready } of surfaces) if (ready) bench.Plotly.purge(chart);
  }

  return { elements: surfaces.map(({ element }) => element), update, draw, resize, repaint, remove };
}
