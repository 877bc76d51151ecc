/** A panel a lane: the surface drawn once by Plotly, the path above it on canvas. */

import { h, sheet, svg, write } from "../dom.js";
import { Draft } from "./draft.js";
import { arrowScale, DASHES, drawMarks } from "./marks.js";
import { surfaceLayout, surfaceTraces, viewOf } from "./surface.js";
import { listen } from "./pointer.js";
import { isFull } from "../payload.js";
import * as text from "../text.js";
import { swatch } from "../theme.js";
import { leaveTabOrder, settings } from "./toolbar.js";
import { Trail } from "./trail.js";

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

/** Makes the panels. */
export function createPanels(player) {
  const tabs = h("div", { class: "mb-tabs", role: "group", "aria-label": "Show panel" });
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
    tabs,
    stage,
  );
  let panels = [];
  let shape = "";
  let images = []; // of the surface, until Plotly is there
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        const panel = panels.find((one) => one.section === entry.target);
        if (panel) panel.visible = entry.isIntersecting;
      }
      if (player.narrow) markTab();
      player.invalidate();
    },
    { threshold: 0.05 },
  );

  function build() {
    panels.forEach((panel) => {
      seen.unobserve(panel.section);
      if (panel.ready) player.Plotly.purge(panel.chart);
    });
    panels = player.lanes.map((lane, index) => {
      const readout = h("span", { class: "mb-readout" });
      const note = h("span", { class: "mb-note" });
      const chart = h("div", { class: "mb-chart", "aria-hidden": "true", title: "" });
      const badge = h("div", { class: "mb-badge", hidden: true });
      const legend = h(
        "div",
        {
          class: "mb-legend",
          hidden: true,
          title:
            "2 sigma of other batches of this size: measured; predicted with and without replacement",
        },
        "2σ:",
        key([]),
        "measured",
        key(DASHES.with),
        "with",
        key(DASHES.without),
        "without repl.",
      );
      const under = h("div", { class: "mb-under", hidden: true });
      const summary = h("p", { class: "mb-hidden" });
      const plot = h("div", { class: "mb-plot" }, chart, badge, legend, under);
      const section = h(
        "section",
        { class: "mb-panel", role: "region", "aria-label": lane.label },
        h("header", { class: "mb-head" }, swatch(lane), h("strong", {}, lane.label), readout, note),
        plot,
        summary,
      );
      const panel = {
        index,
        section,
        plot,
        chart,
        readout,
        note,
        badge,
        legend,
        under,
        summary,
        visible: true,
        ready: false,
        draft: new Draft(plot),
        trail: new Trail(plot),
        marks: sheet(plot),
      };
      plot.append(badge, legend, under);
      listen(player, panel);
      seen.observe(section);
      return panel;
    });
    stage.style.setProperty("--mb-count", panels.length);
    stage.replaceChildren(...panels.map((panel) => panel.section));
    tabs.replaceChildren(
      ...player.lanes.map((lane, i) =>
        h(
          "button",
          {
            type: "button",
            class: "mb-tab",
            style: `--mb-lane:${lane.color}`,
            onclick: () =>
              stage.scrollTo({
                left: panels[i].section.offsetLeft - stage.offsetLeft,
                behavior: player.reduced ? "auto" : "smooth",
              }),
          },
          swatch(lane),
          lane.label,
        ),
      ),
    );
    markTab();
  }

  function markTab() {
    const at = Math.round(stage.scrollLeft / Math.max(1, stage.clientWidth));
    [...tabs.children].forEach((tab, i) => tab.setAttribute("aria-pressed", String(i === at)));
  }
  stage.addEventListener("scroll", markTab, { passive: true });

  /** Sizes are read here and not while drawing: reading forces a layout. */
  const measure = (panel) => (panel.size = [panel.plot.clientWidth, panel.plot.clientHeight]);

  /** Zooming one panel zooms all: the same surface is always seen through the same window. */
  function follow(source, event) {
    const keys = Object.keys(event).filter((key) => /^[xy]axis\.(range|autorange)/.test(key));
    if (source.echo || !keys.length) return;
    const { xaxis, yaxis } = source.chart._fullLayout;
    for (const panel of panels) {
      if (panel === source || !panel.ready) continue;
      panel.echo = true;
      player.Plotly.relayout(panel.chart, { "xaxis.range": [...xaxis.range], "yaxis.range": [...yaxis.range] }).finally(
        () => (panel.echo = false),
      );
    }
  }

  async function paintSurfaces() {
    const { Plotly } = player;
    const traces = surfaceTraces(player);
    await Promise.all(
      panels.map(async (panel) => {
        await Plotly.react(panel.chart, traces, surfaceLayout(player, player.theme, player.narrow), settings(player.narrow));
        leaveTabOrder(panel.chart);
        if (panel.ready) return;
        panel.ready = true;
        panel.draft.remove();
        images = [];
        measure(panel);
        const again = () => {
          panel.trail.reset();
          player.invalidate();
        };
        panel.chart.on("plotly_relayouting", again);
        panel.chart.on("plotly_afterplot", again);
        panel.chart.on("plotly_relayout", (event) => {
          again();
          follow(panel, event);
        });
      }),
    );
  }

  /** Takes a payload. The surface is drawn again only where it is another one. */
  function update({ newPicture }) {
    const now = JSON.stringify(player.lanes.map((lane) => [lane.label, lane.color, lane.marker, lane.dash]));
    const rebuilt = now !== shape;
    if (rebuilt) {
      shape = now;
      build();
    }
    panels.forEach((panel, i) => {
      const lane = player.lanes[i];
      write(panel.note, lane.text);
      panel.note.title = lane.text;
      write(panel.summary, lane.summary);
      panel.trail.reset();
    });
    if (player.Plotly && (rebuilt || newPicture)) return paintSurfaces();
    return Promise.resolve();
  }

  /** Draws all that follows the cursor; before Plotly is there, the surface too. */
  function draw() {
    for (const panel of panels) if (!panel.size?.[0]) measure(panel);
    const { problem } = player.header;
    const first = panels.find((panel) => panel.size[0]);
    if (!first) return;
    const scale = arrowScale(
      player.lanes,
      player.records.map((k, i) => Math.min(k, player.lanes[i].last)),
      player.lanes.map((_, i) => player.cursorInfo(i)),
      viewOf(first.chart, first.size, problem),
    );
    panels.forEach((panel, i) => {
      if (!panel.visible || !panel.size[0]) return;
      const lane = player.lanes[i];
      const k = player.records[i];
      const { size } = panel;
      const view = viewOf(panel.chart, size, problem);
      if (!panel.ready) panel.draft.draw(player, view, size, images);
      const stamp = `${size} ${window.devicePixelRatio}`;
      if (stamp !== panel.stamp) panel.trail.reset();
      panel.stamp = stamp;
      const info = player.cursorInfo(i);
      panel.trail.to(lane, k, view, size);
      drawMarks(panel.marks, { lane, k, view, size, scale, info });
      if (!player.legible) return;
      const gone = lane.diverged_at !== null && lane.update[k] >= lane.diverged_at;
      panel.badge.hidden = !gone;
      if (gone) write(panel.badge, `diverged at update ${text.count(lane.diverged_at)}`);
      panel.legend.hidden = !info || isFull(lane);
      write(panel.readout, `loss ${text.steady(lane.loss[k])} · update ${text.count(lane.update[k])}`);
    });
  }

  function resize() {
    for (const panel of panels) {
      const before = String(panel.size);
      if (before !== String(measure(panel)) && panel.ready) player.Plotly.Plots.resize(panel.chart);
    }
  }

  return { element, stage, update, draw, resize, repaint: paintSurfaces };
}
