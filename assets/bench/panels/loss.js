/** The loss chart: axes by Plotly, curves on canvas; drawn faintly in full, brightly up to the cursor. */

import { lossLayout } from "./axes.js";
import { CLOCKS, times } from "../clock.js";
import { drawCurves } from "./curves.js";
import { fresh, h, sheet } from "../dom.js";
import { follow } from "./follow.js";
import { traceMarker } from "../theme.js";
import { leaveTabOrder, settings } from "./toolbar.js";

/** Makes the loss chart. */
export function createLoss(player) {
  const chart = h("div", { class: "mb-chart", "aria-hidden": "true" });
  const plot = h("div", { class: "mb-plot" }, chart);
  const toggle = (label, title) => {
    const input = h("input", { type: "checkbox", onchange: () => reclock() });
    return { input, element: h("label", { class: "mb-check", title }, input, label) };
  };
  const logY = toggle("log loss", "Logarithmic loss axis");
  const logX = toggle("log time", "Logarithmic time axis");
  const excess = toggle("above optimum", "Loss minus the optimal loss");
  const element = h(
    "section",
    { class: "mb-loss", "aria-label": "Loss" },
    h(
      "header",
      { class: "mb-head" },
      h("strong", {}, "Loss"),
      h("span", { class: "mb-note" }, "full objective, all lanes"),
      excess.element,
      logY.element,
      logX.element,
    ),
    plot,
  );
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
  logY.input.addEventListener("change", () => (logY.touched = true));

  /** What is taken off every loss: 0, or the optimum. */
  const offset = () => (excess.input.checked && !excess.element.hidden ? player.header.problem.optimal_value : 0);

  /** The losses above the optimum; what float32 cannot tell from it is left out. */
  const lowered = (values) => {
    const floor = offset();
    return floor && values ? values.map((y) => (y - floor > Math.abs(floor) * 2e-7 ? y - floor : NaN)) : values;
  };

  /** The curves in the chosen clock; the lane with most records first, so that it lies below. */
  function collect() {
    const { optimal_value: optimum } = player.header.problem;
    excess.element.hidden = !Number.isFinite(optimum) || optimum === 0;
    series = player.lanes
      .map((lane) => {
        if (!lane.band)
          return { lane, xs: times(lane, player.clock), ys: lowered(lane.loss), plane: lowered(lane.planeLoss) };
        const xs = Float64Array.from(lane.bandUpdate, (u) => CLOCKS[player.clock].of(lane, u));
        const [lower, ys, upper] = [0, 1, 2].map((c) => lowered(Float32Array.from(xs, (_, i) => lane.band[3 * i + c])));
        return { lane, xs, ys, band: { lower, upper } };
      })
      .sort((a, b) => b.xs.length - a.xs.length);
  }

  /** Sets the axes, where they differ from those shown, then draws the curves. */
  function rescale() {
    if (!player.lanes.length) return;
    const log = { x: logX.input.checked, y: logY.input.checked };
    layout = lossLayout(player, series, log, offset());
    const stamp = JSON.stringify(layout);
    if (!player.Plotly || stamp === shown || zoomed) {
      redraw();
      return;
    }
    shown = stamp;
    moving = true;
    player.Plotly.react(chart, [{ type: "scatter", x: [null], y: [null] }], layout, settings(player.narrow)).then(() => {
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
    follow(chart, player);
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
      // hidden for now
      picture = box = null;
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
    const context = fresh(bright, ...size);
    context.save();
    context.beginPath();
    context.rect(left, top, width, height);
    context.clip();
    drawCurves(context, series, picture);
    context.restore();
    const below = fresh(faint, ...size);
    drawLevels(below);
    below.globalAlpha = 0.25;
    below.drawImage(bright, 0, 0, ...size);
    below.globalAlpha = 1;
    player.invalidate();
  }

  /** The target and the optimum, if in sight, as thin lines with their names. */
  function drawLevels(context) {
    const {
      theme,
      header: { problem, target },
    } = player;
    const { left, right, top, height, toY } = picture;
    context.save();
    context.font = `11px ${theme.font}`;
    context.textAlign = "right";
    for (const [value, name, dash] of [
      [target?.loss, target?.text ?? "target", [5, 4]],
      [problem.optimal_value, "optimum", [1.5, 3]],
    ]) {
      const y = Number.isFinite(value) ? toY(value - offset()) : NaN;
      if (!(y >= top && y <= top + height)) continue;
      context.strokeStyle = theme.faint;
      context.setLineDash(dash);
      context.beginPath();
      context.moveTo(left, y);
      context.lineTo(right, y);
      context.stroke();
      context.fillStyle = theme.soft;
      context.fillText(name, right - 4, y - 4);
    }
    context.restore();
  }

  /** Moves the cursor: reveals the bright curves, draws the cursor line, heads and level lines. */
  function draw() {
    if (!picture || !player.lanes.length) return;
    const { theme } = player;
    const { left, top, width, height, right, size, toX, toY } = picture;
    const x = Math.min(right, Math.max(left, toX(Math.max(player.at, logX.input.checked ? 1e-300 : 0))));
    const context = fresh(marks, ...size);
    const ratio = bright.width / size[0];
    if (x > left) context.drawImage(bright, 0, 0, x * ratio, bright.height, 0, 0, x, size[1]);
    context.font = `11px ${theme.font}`;
    context.strokeStyle = theme.faint;
    context.beginPath();
    context.moveTo(x, top);
    context.lineTo(x, top + height);
    context.stroke();
    for (const { lane, xs, ys, band } of series) {
      const k = player.records[lane.index];
      const gone = k > lane.last;
      let i = band ? 0 : Math.min(k, lane.last);
      if (band) while (i + 1 < xs.length && xs[i + 1] <= player.at) i += 1;
      const px = toX(xs[i]);
      const py = Math.min(top + height, Math.max(top, toY(ys[i])));
      if (!(px >= left - 1 && px <= right + 1) || py - py !== 0) continue;
      context.fillStyle = context.strokeStyle = gone ? "#c0161d" : lane.color;
      if (gone) {
        context.lineWidth = 2.4;
        context.beginPath();
        for (const [dx, dy] of [
          [5, 5],
          [5, -5],
        ]) {
          context.moveTo(px - dx, py + 7 - dy);
          context.lineTo(px + dx, py + 7 + dy);
        }
        context.stroke();
        context.lineWidth = 1;
        context.textAlign = px > left + width / 2 ? "right" : "left";
        context.fillText(`${lane.label} diverged`, px + (px > left + width / 2 ? -10 : 10), py + 11);
        continue;
      }
      traceMarker(context, lane.marker, px, py, 4.5);
      context.fill();
      context.strokeStyle = theme.background;
      context.stroke();
    }
  }

  function update({ newKey }) {
    if (newKey) zoomed = false;
    if (!logY.touched) {
      const { target, problem } = player.header;
      logY.input.checked =
        player.lanes.every((lane) => lane.loss.every((y) => !(y <= 0))) &&
        !(target && target.loss <= 0) &&
        !(problem.optimal_value < 0);
    }
    collect();
    rescale();
  }

  /** The clock has changed: a new time axis. */
  function reclock() {
    zoomed = false;
    collect();
    rescale();
  }

  const repaint = () => {
    zoomed = false;
    shown = "";
    rescale();
  };
  const resize = () => {
    const before = String(box);
    box = [plot.clientWidth, plot.clientHeight];
    if (before === String(box)) return;
    if (ready) player.Plotly.Plots.resize(chart).then(redraw);
    else redraw();
  };

  return { element, update, draw, reclock, repaint, resize };
}
