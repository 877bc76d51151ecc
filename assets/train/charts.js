/** Train loss, test loss and test accuracy of all lanes, against the chosen clock; a line stands where the clock is. */

import { h, write } from "../bench/dom.js";
import { follow } from "../bench/panels/follow.js";
import { count, num } from "../bench/text.js";

const CLOCKS = {
  epochs: ["epochs", (lane) => lane.arrays.update.data.map((u) => u / lane.updates_per_epoch)],
  updates: ["updates", (lane) => lane.arrays.update.data],
  samples: ["samples spent", (lane) => lane.arrays.samples.data],
  seconds: ["seconds of training (measured)", (lane) => lane.arrays.seconds.data],
};
const DASHES = { solid: "solid", dot: "dot", dash: "dash", dashdot: "dashdot", longdash: "longdash" };
const CHARTS = [
  { name: "train", title: "Train loss", log: true },
  { name: "test", title: "Test loss", log: true },
  { name: "accuracy", title: "Test accuracy", log: false },
];

/** Makes the charts. */
export function createCharts(stage) {
  const note = h("span", { class: "mb-note" });
  const plots = CHARTS.map(({ title }) => {
    const chart = h("div", { class: "mb-chart", role: "img" });
    follow(chart, stage);
    const caption = h("figcaption", {}, title);
    const now = h("i", { class: "tr-now", hidden: true });
    const figure = h("figure", { class: "tr-chart" }, caption, h("div", { class: "mb-plot" }, chart, now));
    return { chart, caption, figure, now };
  });
  const element = h(
    "section",
    { class: "tr-curves", "aria-label": "Curves" },
    h("header", { class: "mb-head" }, h("strong", {}, "How it learns"), note),
    h("div", { class: "tr-charts" }, plots.map(({ figure }) => figure)),
  );
  let key = 0;

  /** The line at the clock's time. */
  function point() {
    for (const { chart, figure, now } of plots) {
      const axis = chart._fullLayout?.xaxis;
      const x = axis && !figure.hidden ? axis.l2p(stage.at) : NaN;
      now.hidden = !(stage.at < stage.end && x >= 0 && x <= axis._length);
      if (!now.hidden) now.style.transform = `translateX(${axis._offset + x}px)`;
    }
  }

  function draw() {
    const { Plotly, theme, lanes, header } = stage;
    if (!header) return;
    const { train, all } = header.rows;
    write(note, train < all ? `Train loss over ${count(train)} of ${count(all)} rows, drawn once.` : "");
    CHARTS.forEach(({ name, title, log }, i) => {
      const { figure, chart, caption } = plots[i];
      const known = lanes.some((lane) => lane.arrays[name].data.some(Number.isFinite));
      figure.hidden = !known;
      if (!known || !Plotly) return;
      const values = lanes.flatMap((lane) => [...lane.arrays[name].data].filter(Number.isFinite));
      const logarithmic = log && values.every((v) => v > 0);
      caption.textContent = logarithmic ? `${title} (log)` : title;
      chart.setAttribute("aria-label", `${title}: ${ends(lanes, name)}`);
      const traces = lanes.map((lane) => ({
        type: "scatter",
        mode: lane.arrays[name].data.length < 3 ? "lines+markers" : "lines",
        name: lane.label,
        x: CLOCKS[stage.clock][1](lane),
        y: lane.arrays[name].data,
        line: { color: lane.color, dash: DASHES[lane.dash] ?? "solid", width: 2 },
        hovertemplate: `%{y:.4g} at %{x:.4g}<extra>${plain(lane.label)}</extra>`,
      }));
      const wanted = layout(theme, logarithmic, name === "accuracy", CLOCKS[stage.clock][0]);
      const ceiling = log ? 100 * Math.max(...lanes.map((lane) => lane.arrays[name].data[0])) : Infinity;
      if (logarithmic && Math.max(...values) > ceiling) {
        // A lane that diverges leaves through the top, or the others would be flat.
        const low = Math.log10(Math.min(...values));
        wanted.yaxis.range = [low - 0.05 * (Math.log10(ceiling) - low), Math.log10(ceiling)];
      }
      Plotly.react(chart, traces, wanted, {
        displayModeBar: false,
        responsive: false,
      });
    });
    point();
  }

  function layout(theme, log, share, clock) {
    const axis = { color: theme.soft, gridcolor: theme.line, zeroline: false, tickfont: { size: 10 }, nticks: 6 };
    return {
      margin: { l: 46, r: 8, t: 4, b: 34 },
      showlegend: false,
      hovermode: "closest",
      dragmode: stage.narrow ? false : "zoom",
      uirevision: `${stage.header.key}-${key}`,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: theme.text, family: theme.font },
      hoverlabel: { font: { size: 11 } },
      xaxis: {
        ...axis,
        fixedrange: stage.narrow,
        rangemode: "tozero",
        title: { text: clock, font: { size: 11 }, standoff: 4 },
      },
      yaxis: {
        ...axis,
        fixedrange: stage.narrow,
        type: log ? "log" : "linear",
        exponentformat: "power",
        tickformat: share ? ".0%" : undefined,
      },
    };
  }

  const plain = (label) => label.replace(/[<>&]/g, "");
  const ends = (lanes, name) => lanes.map((lane) => `${lane.label} ${num(lane.arrays[name].data.at(-1))}`).join(", ");

  const reset = () => (key += 1);
  const resize = () => {
    if (!stage.Plotly) return;
    for (const { chart, figure } of plots) if (!figure.hidden && chart._fullLayout) stage.Plotly.Plots.resize(chart);
    point();
  };
  return { element, draw, point, reset, resize };
}
