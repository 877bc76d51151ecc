/** The curves of all lanes: train loss, test loss, test accuracy; all side by side where there is room, else one. */

import { h, write } from "../dom.js";
import * as text from "../format.js";
import { createChart, CURVES } from "./chart.js";

const ROOM = 290; // px a chart needs beside others

/** Makes the section. @param {import("../bench.js").Bench} bench */
export function createLoss(bench) {
  const toggle = (label, title, key) => {
    const input = h("input", {
      type: "checkbox",
      onchange: () => {
        bench.changeView({ [key]: input.checked });
        reclock();
      },
    });
    return { input, element: h("label", { class: "mb-check", title }, input, label) };
  };
  const logY = toggle("log loss", "Logarithmic loss axis", "log_y");
  const logX = toggle("log time", "Logarithmic time axis", "log_x");
  const excess = toggle("above optimum", "Loss minus the optimal loss", "excess");
  const title = h("strong", {}, "Loss");
  const note = h("span", { class: "mb-note" });
  const choice = h("div", { class: "mb-scopes", role: "radiogroup", "aria-label": "Curve" });
  const row = h("div", { class: "mb-curves" });
  const element = h(
    "section",
    { class: "mb-loss", "aria-label": "Loss" },
    h(
      "header",
      { class: "mb-head" },
      title,
      choice,
      note,
      h("span", { class: "mb-switches" }, excess.element, logY.element, logX.element),
    ),
    row,
  );
  let charts = []; // those in sight
  let shape = "";
  let width = 0;

  const offered = () => (bench.header.curves ?? ["loss"]).filter((name) => name in CURVES);
  const chosen = (names) => (names.includes(bench.view.curve) ? bench.view.curve : names[0]);

  /** Which axes are logarithmic, and what is taken off every loss: 0, or the optimum. */
  const choose = () => ({
    log: { x: logX.input.checked, y: logY.input.checked },
    offset: excess.input.checked && !excess.element.hidden ? bench.header.problem.optimal_value : 0,
  });

  /** Makes the charts that there is room for; true where there are others than before. */
  function build() {
    const names = offered();
    width ||= element.clientWidth;
    const all = names.length > 1 && width >= ROOM * names.length;
    const now = JSON.stringify([names, all, all || chosen(names)]);
    if (now === shape) return false;
    shape = now;
    charts.forEach((chart) => chart.remove());
    charts = (all ? names : [chosen(names)]).map((name) => createChart(bench, name, choose));
    charts.forEach((chart) => (chart.caption.hidden = !all));
    row.replaceChildren(...charts.map((chart) => chart.element));
    choice.hidden = all || names.length < 2;
    title.hidden = !choice.hidden;
    choice.replaceChildren(
      ...names.map((name) =>
        h(
          "label",
          { class: "mb-option" },
          h("input", { type: "radio", name: "mb-curve", checked: name === chosen(names), onchange: () => show(name) }),
          h("span", {}, CURVES[name].name),
        ),
      ),
    );
    return true;
  }

  function show(curve) {
    bench.changeView({ curve });
    update({ newKey: true });
    bench.invalidate();
  }

  /** Sets the switches as the view has them; the loss axis is logarithmic where nothing is chosen and all is > 0. */
  function settle() {
    const { problem, target, scene } = bench.header;
    const positive = (values) => !values || values.every((y) => !(y <= 0));
    const automatic =
      bench.lanes.every((lane) => positive(lane.loss) && positive(lane.testLoss)) &&
      (target?.loss ?? 1) > 0 &&
      (problem.optimal_value ?? 0) >= 0;
    logY.input.checked = bench.view.log_y ?? automatic;
    logX.input.checked = bench.view.log_x ?? false;
    excess.input.checked = bench.view.excess ?? false;
    excess.element.hidden = !Number.isFinite(problem.optimal_value) || problem.optimal_value === 0;
    const { train, all } = scene?.rows ?? {};
    write(note, train < all ? `train loss over ${text.count(train)} of ${text.count(all)} rows` : "");
  }

  function update(change) {
    if (!bench.lanes.length) return;
    settle();
    const rebuilt = build();
    charts.forEach((chart) => chart.update(rebuilt ? { newKey: true, newPicture: true } : change));
  }

  /** The clock has changed, or what the axes show. */
  function reclock() {
    charts.forEach((chart) => chart.reclock());
  }

  function resize() {
    width = element.clientWidth;
    if (bench.lanes.length && build()) charts.forEach((chart) => chart.update({ newKey: true }));
    charts.forEach((chart) => chart.resize());
  }

  const draw = () => charts.forEach((chart) => chart.draw());
  const repaint = () => charts.forEach((chart) => chart.repaint());

  return { element, update, draw, reclock, repaint, resize };
}
