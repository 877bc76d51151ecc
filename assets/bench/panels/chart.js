/** One chart of curves: axes by Plotly, curves on canvas; drawn faintly in full, brightly up to the cursor. */

import { CLOCKS, span, times } from "../clock.js";
import { fresh, h, sheet } from "../dom.js";
import * as text from "../format.js";
import { traceMarker } from "../theme.js";
import { curveLayout, steady } from "./axes.js";
import { drawCurves } from "./curves.js";
import { follow } from "./follow.js";
import { LINE, writeLabels } from "./labels.js";
import { frameAt } from "./replay.js";
import { leaveTabOrder, settings } from "./toolbar.js";

const LOST = "#c0161d";

/** What can be drawn: its name, how to get it of a lane, whether it is a share of 1. */
export const CURVES = {
  loss: { name: "Train loss", of: (lane) => ({ ys: lane.loss, seen: null }) },
  test_loss: { name: "Test loss", of: (lane) => ({ ys: lane.testLoss, seen: lane.seen }) },
  test_accuracy: { name: "Test accuracy", of: (lane) => ({ ys: lane.testAccuracy, seen: lane.seen }), share: true },
  average_loss: {
    name: "Loss of the average",
    of: (lane) => ({ ys: lane.averageLoss, seen: lane.averageLoss && Uint32Array.from(lane.averageLoss.keys()) }),
  },
};

/**
 * Makes a chart of one curve of every lane.
 *
 * @param bench The bench.
 * @param {string} curve A name of CURVES.
 * @param {() => {log: {x: boolean, y: boolean}, offset: number}} choose Which axes are logarithmic, and what is taken
 *   off every loss.
 */
export function createChart(bench, curve, choose) {
  const { name, of, share = false } = CURVES[curve];
  const chart = h("div", { class: "mb-chart", "aria-hidden": "true" });
  const plot = h("div", { class: "mb-plot", role: "img" }, chart);
  const caption = h("figcaption", {}, name);
  const element = h("figure", { class: "mb-curve" }, caption, plot);
  const faint = sheet(plot);
  const marks = sheet(plot);
  const bright = document.createElement("canvas"); // shown through marks, up to the cursor
  let ready = false;
  let zoomed = false;
  let moving = false; // a change of ours, not the person's zoom
  let shown = "";
  let layout = null; // as it was last asked for
  let picture = null;
  let box = null; // the plot's size, read once: reading forces a layout
  let series = [];
  let ghosts = []; // the curves of the run before, while the next is on its way
  let ghost = null;
  let how = null;

  /** Values above what is taken off; what float32 cannot tell from it is left out. */
  const lowered = (values) => {
    const floor = how.offset;
    return floor && values ? values.map((y) => (y - floor > Math.abs(floor) * 2e-7 ? y - floor : NaN)) : values;
  };

  /** The curves of some lanes in the chosen clock; the lane with most records first, so that it lies below. */
  function curvesOf(lanes) {
    const all = [];
    for (const lane of lanes) {
      const { ys, seen } = of(lane);
      if (!ys) continue;
      const clocked = times(lane, bench.clock);
      if (seen) all.push({ lane, seen, xs: Float64Array.from(seen, (k) => clocked[k]), ys: lowered(ys) });
      else if (!lane.band) all.push({ lane, xs: clocked, ys: lowered(ys), plane: lowered(lane.planeLoss) });
      else {
        const xs = Float64Array.from(lane.bandUpdate, (u) => CLOCKS[bench.clock].of(lane, u));
        const column = (c) => lowered(Float32Array.from(xs, (_, i) => lane.band[3 * i + c]));
        all.push({ lane, xs, ys: column(1), band: { lower: column(0), upper: column(2) } });
      }
    }
    return all.sort((a, b) => b.xs.length - a.xs.length);
  }

  function collect() {
    how = share ? { log: { x: choose().log.x, y: false }, offset: 0 } : choose();
    ghost = bench.ghost;
    series = curvesOf(bench.lanes);
    ghosts = ghost ? curvesOf(ghost.lanes) : [];
    const ends = series.map(({ lane, ys }) => `${lane.label} ${share ? percent(ys.at(-1)) : text.num(ys.at(-1))}`);
    plot.setAttribute("aria-label", `${name}, at the end: ${ends.join(", ")}`);
  }

  /** Sets the axes, where they differ from those shown, then draws the curves. */
  function rescale() {
    if (!bench.lanes.length || !how) return;
    const end = Math.max(bench.end, ghost ? span(ghost.lanes, bench.clock) : 0);
    const target = curve === "loss" ? (bench.header.target?.loss ?? NaN) : NaN;
    const wanted = curveLayout(bench, [...series, ...ghosts], { ...how, end, share, target });
    layout = bench.short ? { ...wanted, yaxis: steady(wanted.yaxis, layout?.yaxis) } : wanted;
    const stamp = JSON.stringify(layout);
    if (!bench.Plotly || stamp === shown || zoomed) {
      redraw();
      return;
    }
    shown = stamp;
    moving = true;
    bench.Plotly.react(chart, [{ type: "scatter", x: [null], y: [null] }], layout, settings(bench.narrow)).then(() => {
      moving = false;
      leaveTabOrder(chart);
      if (!ready) {
        ready = true;
        listen();
      }
      redraw();
    });
  }

  function listen() {
    chart.on("plotly_relayouting", redraw);
    chart.on("plotly_relayout", (event) => {
      if (moving) return;
      zoomed = !Object.keys(event).some((key) => key.endsWith("autorange"));
      if (!zoomed) shown = "";
      rescale();
    });
    chart.on("plotly_doubleclick", () => {
      zoomed = false;
      shown = "";
      rescale();
    });
    follow(chart, bench);
  }

  /** Where the axes are; before Plotly has drawn them, where they will be. */
  function axes([wide, tall]) {
    if (!chart._fullLayout) {
      const { margin, xaxis, yaxis } = layout;
      const { l: left, r, t: top, b } = margin;
      return { left, top, width: wide - left - r, height: tall - top - b, xaxis, yaxis };
    }
    const { xaxis, yaxis } = chart._fullLayout;
    return { left: xaxis._offset, top: yaxis._offset, width: xaxis._length, height: yaxis._length, xaxis, yaxis };
  }

  /** Draws the curves anew: new data, axes, size or theme. */
  function redraw() {
    if (!layout) return;
    box ??= [plot.clientWidth, plot.clientHeight];
    const size = box;
    if (!size[0] || !size[1]) {
      picture = box = null; // hidden for now
      return;
    }
    const { left, top, width, height, xaxis, yaxis } = axes(size);
    const mapper = (axis, offset, length, up) => {
      const [low, high] = axis.range.map(Number);
      const per = length / (high - low);
      const value = axis.type === "log" ? Math.log10 : (v) => v;
      return up ? (v) => offset + (high - value(v)) * per : (v) => offset + (value(v) - low) * per;
    };
    picture = {
      left,
      top,
      width,
      height,
      right: left + width,
      size,
      toX: mapper(xaxis, left, width, false),
      toY: mapper(yaxis, top, height, true),
    };
    drawInside(fresh(bright, ...size), series);
    const below = fresh(faint, ...size);
    below.globalAlpha = 0.3;
    drawInside(below, ghosts);
    below.globalAlpha = 1;
    drawLevels(below);
    below.globalAlpha = 0.25;
    below.drawImage(bright, 0, 0, ...size);
    below.globalAlpha = 1;
    bench.invalidate();
  }

  function drawInside(context, curves) {
    const { left, top, width, height } = picture;
    context.save();
    context.beginPath();
    context.rect(left, top, width, height);
    context.clip();
    drawCurves(context, curves, picture);
    context.restore();
  }

  /** The levels in sight: what needs no learning, the target and the optimum. */
  function levels() {
    const { problem, target } = bench.header;
    const { top, height, toY } = picture;
    const known = [
      [target?.loss, target?.text ?? "target", [5, 4]],
      [problem.optimal_value, "optimum", [1.5, 3]],
    ];
    const own = (problem.levels ?? []).filter((level) => level.curve === curve);
    return [...own.map(({ value, text: words }) => [value, words, [9, 3]]), ...(curve === "loss" ? known : [])]
      .map(([value, words, dash]) => ({ y: Number.isFinite(value) ? toY(value - how.offset) : NaN, words, dash }))
      .filter(({ y }) => y >= top && y <= top + height);
  }

  /** The levels as thin lines; their names come above the curves. */
  function drawLevels(context) {
    const { left, right } = picture;
    context.save();
    context.strokeStyle = bench.theme.faint;
    for (const { y, dash } of levels()) {
      context.setLineDash(dash);
      context.beginPath();
      context.moveTo(left, y);
      context.lineTo(right, y);
      context.stroke();
    }
    context.restore();
  }

  /** Moves the cursor: reveals the bright curves, draws the cursor line, heads, and all words. */
  function draw() {
    if (ghost !== bench.ghost) {
      collect();
      rescale();
    }
    if (!picture || !bench.lanes.length) return;
    const { theme } = bench;
    const { left, top, height, right, size, toX, toY } = picture;
    const x = Math.min(right, Math.max(left, toX(Math.max(bench.at, how.log.x ? 1e-300 : 0))));
    const context = fresh(marks, ...size);
    const ratio = bright.width / size[0];
    if (x > left) context.drawImage(bright, 0, 0, x * ratio, bright.height, 0, 0, x, size[1]);
    context.strokeStyle = theme.faint;
    context.beginPath();
    context.moveTo(x, top);
    context.lineTo(x, top + height);
    context.stroke();
    context.font = `11px ${theme.font}`;
    const words = levels().map(({ y, words: said }) => {
      const wide = context.measureText(said).width;
      return { said, color: theme.soft, x: right - 4 - wide, y: y - 8, width: wide, height: LINE };
    });
    for (const { lane, seen, xs, ys, band } of series) {
      const k = bench.records[lane.index];
      const gone = k > lane.last;
      let i = seen ? frameAt(seen, k) : Math.min(k, lane.last);
      if (band) for (i = 0; i + 1 < xs.length && xs[i + 1] <= bench.at; ) i += 1;
      while (seen && i > 0 && ys[i] !== ys[i]) i -= 1; // a lane that diverged is judged no more
      const px = toX(xs[i]);
      const py = Math.min(top + height, Math.max(top, toY(ys[i])));
      if (!(px >= left - 1 && px <= right + 1) || py !== py) continue;
      if (gone) words.push(part(context, lane, px, py));
      else {
        context.fillStyle = lane.color;
        context.strokeStyle = theme.background;
        traceMarker(context, lane.marker, px, py, 4.5);
        context.fill();
        context.stroke();
      }
    }
    writeLabels(context, words, { top, bottom: top + height, background: theme.background });
  }

  /** A cross where a curve ends because its lane diverged; returns the words beside it. */
  function part(context, lane, px, py) {
    const { left, width } = picture;
    context.strokeStyle = LOST;
    context.lineWidth = 2.4;
    context.beginPath();
    for (const slope of [1, -1]) {
      context.moveTo(px - 5, py + 7 - 5 * slope);
      context.lineTo(px + 5, py + 7 + 5 * slope);
    }
    context.stroke();
    context.lineWidth = 1;
    const said = `${lane.label} diverged`;
    const wide = context.measureText(said).width;
    const x = px > left + width / 2 ? px - 10 - wide : px + 10;
    return { said, color: bench.theme.dark ? "#ff8a80" : LOST, x, y: py + 7, width: wide, height: LINE };
  }

  function update({ newKey }) {
    zoomed &&= !newKey;
    collect();
    rescale();
  }

  /** Time axis or values have changed: other ranges. */
  const reclock = () => update({ newKey: true });

  const repaint = () => {
    shown = "";
    reclock();
  };
  const resize = () => {
    const before = String(box);
    box = [plot.clientWidth, plot.clientHeight];
    if (before === String(box)) return;
    if (ready) bench.Plotly.Plots.resize(chart).then(redraw);
    else redraw();
  };
  const remove = () => ready && bench.Plotly.purge(chart);

  return { element, caption, update, draw, reclock, repaint, resize, remove };
}

const percent = (value) => (Number.isFinite(value) ? `${(100 * value).toFixed(1)} %` : "–");
