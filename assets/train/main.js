/** The Train page's stage: takes payloads and lets each part draw what it knows. */

import { CLOCKS, span } from "../bench/clock.js";
import { h, icon, loadPlotly, loadStyle, write } from "../bench/dom.js";
import { unpack } from "../bench/payload.js";
import * as text from "../bench/text.js";
import { readTheme } from "../bench/theme.js";
import { createTimeline } from "../bench/timeline.js";
import { createCharts } from "./charts.js";
import { createCost } from "./cost.js";
import { createFilm } from "./film.js";
import { createLanes } from "./lanes.js";
import { createTable } from "./table.js";

const NARROW = 640; // px
const LINK =
  "M10.6 13.4a3 3 0 0 0 4.2 0l3.6-3.6a3 3 0 0 0-4.2-4.2l-1 1M13.4 10.6a3 3 0 0 0-4.2 0l-3.6 3.6a3 3 0 0 0 4.2 4.2l1-1";
const stages = new WeakMap();

/** The lanes of a payload, each with its arrays by name, {data, shape}, and with what the clock asks for. */
function lanesOf({ header, arrays }) {
  return header.lanes.map((lane, index) => {
    const own = {};
    for (const name of Object.keys(arrays)) {
      if (name.startsWith(`lane${index}/`)) own[name.slice(`lane${index}/`.length)] = arrays[name];
    }
    const seen = own.update.data; // after how many updates each look was
    const times = { seconds: Float64Array.from(own.seconds.data) };
    const clocked = { update: seen, records: seen.length, samplesSpent: own.samples.data, times };
    return { ...lane, ...clocked, made: lane.update, index, arrays: own };
  });
}

class Stage {
  constructor(parent) {
    this.root = h("div", { class: "mb-root mb-train", tabindex: -1 });
    this.hint = h("p", { class: "mb-hint" });
    this.said = h("span", { class: "mb-said", role: "status", "aria-live": "polite" });
    const share = h(
      "button",
      {
        type: "button",
        class: "mb-share",
        title: "Copies a link to exactly this experiment",
        onclick: () => this.copy(),
      },
      icon(LINK),
      "Copy link",
    );
    this.bar = h(
      "div",
      { class: "tr-bar", role: "progressbar", "aria-label": "Progress", "aria-valuemin": 0, "aria-valuemax": 100 },
      h("i"),
    );
    this.pace = h("span", { class: "tr-pace" });
    this.alarm = h("p", { class: "mb-alarm", role: "alert", hidden: true });
    this.lanes = [];
    this.clock = "epochs";
    this.at = 0; // the clock's time
    this.end = 0;
    this.playing = false;
    this.legible = true;
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.film = createFilm(this);
    this.panels = createLanes(this);
    this.timeline = createTimeline(this);
    this.charts = createCharts(this);
    this.table = createTable(this);
    this.cost = createCost(this);
    this.words = h("div", {});
    this.root.append(
      h("div", { class: "mb-top" }, this.hint, this.said, share),
      h("div", { class: "tr-progress" }, this.bar, this.pace),
      this.alarm,
      this.panels.element,
      this.timeline.element,
      this.charts.element,
      this.table.element,
      this.cost.element,
      h("details", { class: "mb-words-of-pictures" }, h("summary", {}, "Describe the pictures"), this.words),
    );
    parent.append(this.root);
    this.debug = window.__mbTrain = { painted: 0, frames: 0, stage: this, link: () => this.header.link };
    this.root.addEventListener("pointerdown", () => (this.touched = true), true);
    this.root.addEventListener("keydown", (event) => {
      this.touched = true;
      if (!this.ready || event.target.closest("input, select, summary, button, .mb-scroll")) return;
      this.timeline.keys(event);
    });
    new ResizeObserver(() => this.resize()).observe(this.root);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.root.addEventListener("transitionend", (event) => event.target === this.root && this.draw());
  }

  async copy() {
    const address = `${location.origin}${location.pathname}?${this.header.link}`;
    try {
      await navigator.clipboard.writeText(address);
      write(this.said, "Link copied");
    } catch {
      write(this.said, address);
    }
    setTimeout(() => write(this.said, ""), 4000);
  }

  /** Shows a payload. */
  take(bytes) {
    const payload = unpack(bytes);
    this.header = payload.header;
    this.scene = Object.fromEntries(
      Object.entries(payload.arrays)
        .filter(([name]) => name.startsWith("scene/"))
        .map(([name, values]) => [name.slice(6), values]),
    );
    const atEnd = this.at >= this.end;
    this.lanes = lanesOf(payload);
    if (this.shown !== this.header.key) {
      this.shown = this.header.key;
      this.clock = CLOCKS[this.header.clock] ? this.header.clock : "epochs";
      this.touched = false;
      this.charts.reset();
    }
    this.film.take();
    if (!this.film.ready()) this.timeline.pause();
    this.end = span(this.lanes, this.clock);
    this.at = atEnd || !this.film.ready() ? this.end : Math.min(this.at, this.end);
    this.timeline.update();
    const { key, theme, film, status } = this.header;
    const lanes = this.lanes.map(({ label, color, text: words, records, why }) => [label, color, words, records, why]);
    const seen = JSON.stringify([key, theme, film, status.state, lanes]);
    if (seen === this.seen) this.count(); // no new look: the pictures and curves stand
    else this.draw();
    this.seen = seen;
    if (!this.Plotly && this.header.plotly) {
      loadPlotly(new URL(this.header.plotly, `${this.base}/`).href).then(
        (Plotly) => {
          this.Plotly = Plotly;
          this.charts.draw();
        },
        (error) => this.warn(error.message),
      );
    }
  }

  /** Draws the numbers that run on between two looks. */
  count() {
    write(this.hint, this.header.look_for);
    this.progress();
    this.panels.show();
    this.table.draw();
    this.cost.draw();
    this.debug.painted += 1;
  }

  draw() {
    if (!this.header) return;
    this.theme = readTheme(this.root, this.header);
    this.narrow = this.root.clientWidth < NARROW;
    write(this.hint, this.header.look_for);
    this.progress();
    this.root.dataset.film = this.film.ready();
    this.panels.draw();
    this.timeline.draw();
    this.charts.draw();
    this.table.draw();
    this.cost.draw();
    const told = this.lanes.map((lane) => lane.summary);
    if (this.words.dataset.told !== told.join("\n")) {
      this.words.dataset.told = told.join("\n");
      this.words.replaceChildren(...told.map((words) => h("p", {}, words)));
    }
    this.debug.painted += 1;
  }

  get reduced() {
    return this.still.matches;
  }

  get ready() {
    return this.film.ready();
  }

  /** The film of a run is here; who has not seen it learn sees it now. */
  filmed(key) {
    if (key !== this.header.key) return;
    this.draw();
    if (this.film.short() && !this.touched && !this.reduced && this.root.isConnected) this.timeline.start(true);
  }

  /** Moves the clock to time t. */
  seek(t) {
    this.at = Math.min(this.end, Math.max(0, t));
    this.paint();
  }

  /** Draws what depends on the clock. */
  paint() {
    this.panels.show();
    this.charts.point();
    this.timeline.draw();
    this.debug.frames += 1;
  }

  settled() {}

  pause() {
    this.timeline.pause();
  }

  setClock(clock) {
    const share = this.end ? this.at / this.end : 1;
    this.clock = clock;
    this.end = span(this.lanes, clock);
    this.at = share * this.end;
    this.charts.reset();
    this.timeline.update();
    this.draw();
  }

  progress() {
    const { status } = this.header;
    const percent = Math.floor(100 * status.progress);
    this.bar.setAttribute("aria-valuenow", percent);
    this.bar.firstChild.style.width = `${percent}%`;
    this.bar.dataset.state = status.state;
    const samples = this.lanes.reduce((sum, lane) => sum + lane.samples, 0);
    const spent = this.lanes.reduce((sum, lane) => sum + lane.seconds, 0);
    const rate = spent ? `${text.num(samples / spent)} samples/s` : "";
    const left = status.state === "running" && status.left ? `about ${text.seconds(status.left)} left` : "";
    const state = { running: `${percent} %`, done: "finished" }[status.state] ?? `${status.state} at ${percent} %`;
    write(this.pace, [state, rate, left].filter(Boolean).join(" · "));
    this.warn(status.state === "failed" ? status.message : "");
  }

  warn(message) {
    this.alarm.hidden = !message;
    write(this.alarm, message);
  }

  resize() {
    const width = this.root.clientWidth;
    if (!width || width === this.width) return;
    this.width = width;
    this.draw();
    this.charts.resize();
  }
}

/** Streamlit calls this with every payload. */
export function render({ parentElement, data, base }) {
  let stage = stages.get(parentElement);
  const first = !stage;
  if (first) {
    stage = new Stage(parentElement);
    stages.set(parentElement, stage);
    stage.base = base;
    stage.styled = Promise.all([loadStyle(`${base}/../bench/bench.css`), link(`${base}/train.css`)]);
  }
  stage.styled.then(() => stage.take(data));
}

function link(address) {
  if (document.querySelector("link[data-mb-train]")) return Promise.resolve();
  return new Promise((done) => {
    const element = h("link", { rel: "stylesheet", href: address, "data-mb-train": true, onload: done, onerror: done });
    document.head.append(element);
  });
}
