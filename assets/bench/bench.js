/** The bench: shows the pictures that come, holds the clock, and lets each instrument draw what it knows. */

import { Channel } from "./channel.js";
import { createCursor } from "./cursor.js";
import { h, loadPlotly } from "./dom.js";
import { createHandles } from "./handles.js";
import { createHeadline } from "./headline.js";
import { createHolding } from "./holding.js";
import { layout, listen, place } from "./layout.js";
import { createPage } from "./page.js";
import { createPainter } from "./painter.js";
import { createPanels } from "./panels/index.js";
import { createLoss } from "./panels/loss.js";
import { createMemory } from "./panels/memory.js";
import { samePicture } from "./payload.js";
import { createQuestions } from "./questions.js";
import { sign } from "./signs.js";
import * as states from "./state.js";
import { createTabs } from "./tabs.js";
import { readTheme } from "./theme.js";
import { createTimeline } from "./timeline.js";
import { createVerdict } from "./verdict.js";

const NARROW = 520; // px, as in the style

export class Bench {
  /** @param owner the id that this tab alone knows. */
  constructor(owner) {
    this.state = states.first();
    this.base = ""; // where these files lie
    this.Plotly = null;
    this.theme = null;
    this.narrow = false;
    this.arriving = false; // Streamlit's page does not stand yet
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.channel = new Channel(owner, this, (address, request) => fetch(address, request));
    this.root = h("div", { class: "mb-root", tabindex: -1, "data-state": "busy" });
    this.headline = createHeadline(this);
    this.page = createPage(this);
    this.panels = createPanels(this);
    this.timeline = createTimeline(this);
    this.loss = createLoss(this);
    this.handles = createHandles(this);
    this.verdict = createVerdict(this);
    this.cursor = createCursor(this);
    this.memory = createMemory(this);
    this.tabs = createTabs(this, [
      { name: "verdict", label: "Verdict", element: this.verdict.element },
      { name: "cursor", label: "At the cursor", element: this.cursor.element },
      { name: "memory", label: "Memory", element: this.memory.element },
      { name: "describe", label: "Describe", element: this.page.words },
    ]);
    this.questions = createQuestions(this);
    this.painter = createPainter(this);
    this.holding = createHolding((kind, edit) => this.channel.edit(kind, edit));
    this.root.append(layout(this), this.page.bar);
    listen(this);
    new ResizeObserver(() => this.resize()).observe(this.root);
  }

  /** @returns {import("./types").RunHeader | null} of the newest picture */
  get header() {
    return this.state.picture?.header ?? null;
  }
  get arrays() {
    return this.state.picture?.arrays ?? {};
  }
  get lanes() {
    return this.state.lanes;
  }
  get ghost() {
    return this.state.ghost;
  }
  get records() {
    return this.state.records;
  }
  get clock() {
    return this.state.clock;
  }
  get at() {
    return this.state.at;
  }
  get end() {
    return this.state.end;
  }
  get playing() {
    return this.state.playing;
  }
  get legible() {
    return this.state.legible;
  }
  get short() {
    return this.state.short;
  }
  get touched() {
    return this.state.touched;
  }
  get view() {
    return this.state.view;
  }
  get ready() {
    return this.painter.frames > 0;
  }
  get reduced() {
    return this.still.matches;
  }
  get dragging() {
    return this.holding.full || this.channel.dragging;
  }

  change(news) {
    Object.assign(this.state, news);
  }

  /** Shows the component in its place, and what the page asks for in it. */
  mount({ parentElement, base, root, setTriggerValue }, page) {
    this.base = base;
    this.arriving = !setTriggerValue;
    const before = this.state.page;
    this.change(states.mounted(this.state, page));
    const moved = place(this.root, parentElement, page);
    if (before?.link !== page.link) this.page.alarm("");
    if (moved || before?.theme !== page.theme) this.theme = readTheme(this.root, page);
    this.page.mounted();
    this.tabs.update();
    this.timeline.update();
    this.channel.mount({ root, setTriggerValue }, page);
    const { picture } = this.channel;
    if (picture && (picture !== this.state.picture || !this.Plotly)) this.take(picture, false);
    else if (moved && picture) this.retheme();
    this.changed();
  }

  /** Takes a picture. While another page of the app is in sight, it waits in the channel. */
  take(picture, short) {
    if (!this.root.isConnected) return;
    this.show(picture, short).catch((error) => {
      this.page.alarm(error.message);
      console.error(error);
    });
  }

  async show(picture, short) {
    const before = this.state.picture;
    const newKey = before?.header.key !== picture.header.key;
    if (newKey) this.timeline.pause();
    this.change(states.taken(this.state, picture, short, performance.now()));
    this.timeline.update();
    this.handles.update();
    this.cursor.update();
    if (!short) this.painter.tell();
    const change = { newKey, newPicture: !samePicture(before, picture) };
    const painted = this.panels.update(change);
    this.loss.update(change);
    this.changed();
    this.invalidate();
    if (!this.Plotly || change.newPicture) {
      await (this.Plotly ? painted : this.boot());
      this.invalidate();
    }
    this.begin();
    if (!this.playing) this.settled();
  }

  /** The first time: lets the browser show what there is, loads Plotly, then draws the charts. */
  async boot() {
    this.narrow = this.root.clientWidth < NARROW;
    if (this.arriving) return; // running Plotly would hold up the page for a second
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const Plotly = await loadPlotly(new URL(this.state.page.plotly, new URL(`${this.base}/`, location.href)).href);
    if (this.Plotly) return;
    this.Plotly = Plotly;
    await this.panels.repaint();
    this.loss.update({ newKey: true, newPicture: true });
    if (this.state.due !== null) this.change({ due: performance.now() }); // only now the page stands
    this.root.dataset.charts = "ready";
  }

  /** Plays by itself: once on arrival of a picture, and after a click has moved the start. */
  begin() {
    if (!this.Plotly || !this.header || this.header.status.state === "running") return;
    if (states.plays(this.state, performance.now()) && !this.reduced) this.timeline.start(true);
    this.change({ due: null, clicked: false });
  }

  /** Moves the cursor to time t. A preview (hover) asks nobody about it. */
  seek(t, { preview = false } = {}) {
    this.change(states.sought(this.state, t));
    if (!this.playing) {
      this.change({ legible: true });
      this.timeline.draw(); // at once: assistive technology reads it
    }
    this.invalidate();
    if (!preview && !this.playing) this.settled();
  }

  /** The cursor moves on while it plays. */
  advance(time) {
    this.change(states.sought(this.state, this.at + time));
  }

  paint() {
    this.painter.paint();
  }

  invalidate() {
    this.painter.invalidate();
  }

  pause() {
    this.timeline.pause();
  }

  /** Changes the experiment that is shown, by hand. */
  edit(kind, edit) {
    this.change({ due: null });
    this.page.alarm("");
    if (this.playing) {
      this.timeline.pause(); // the whole paths are shown at once
      this.seek(this.end);
    }
    this.holding.take(kind, edit, this.header.status.estimate);
    this.changed();
  }

  /** A click on a surface: a new common start. */
  start({ x, y }) {
    if (this.header.problem.projection) return; // a point of a projected plane names no start
    this.change({ clicked: true });
    this.edit("start", { start: [x, y] });
  }

  /** The cursor rests. */
  settled() {
    this.questions.rest();
  }

  /** What the server said about lane i at the cursor; null while it plays or has moved on. */
  cursorInfo(i) {
    return states.infoOf(this.state, i);
  }

  setClock(clock) {
    this.change(states.reclocked(this.state, clock));
    this.timeline.update();
    this.loss.reclock();
    this.headline.update();
    this.verdict.update();
    this.seek(this.at);
  }

  /** Looks in another way: other panels, axes, tab or speed. */
  changeView(news) {
    this.change({ view: { ...this.view, ...news } });
    this.tabs.update();
    this.invalidate();
    const { shown, panels } = this.header ?? {};
    if (shown && news.panels?.some((name) => panels.includes(name) && !shown.includes(name))) this.channel.look();
  }

  // What the channel tells.

  answer(answer) {
    this.change({ answer });
    this.invalidate();
  }

  connection(connection) {
    this.change({ connection });
    this.page.update();
    this.changed();
  }

  refused(sentence) {
    this.page.alarm(sentence);
    this.handles.update(); // back to what is shown
    this.changed();
  }

  looked() {
    return { at: this.at < this.end ? [this.clock, this.at] : null, panels: this.view.panels ?? [] };
  }

  changed() {
    const { picture, connection, stale } = this.state;
    const { painter, channel, holding } = this;
    sign(this.root, { picture, painted: painter.painted, connection, stale, channel, held: holding.full });
    if (this.root.dataset.state === "idle") this.settled();
  }

  async retheme() {
    if (!this.state.page) return;
    this.theme = readTheme(this.root, this.state.page);
    if (!this.header) return;
    if (this.Plotly) await this.panels.repaint();
    this.loss.repaint();
    this.invalidate();
  }

  resize() {
    if (!this.ready || !this.root.clientWidth) return;
    const narrow = this.root.clientWidth < NARROW;
    const crossed = narrow !== this.narrow;
    this.narrow = narrow;
    this.panels.resize();
    this.loss.resize();
    if (crossed) this.retheme();
    this.invalidate();
  }
}
