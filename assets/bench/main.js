/** The player: takes payloads, holds the clock, and lets each instrument draw what it knows. */

import { recordAt, span, CLOCKS } from "./clock.js";
import { createControls } from "./controls.js";
import { createCursor } from "./cursor.js";
import { createDataPlot } from "./panels/fit.js";
import { h, loadPlotly, loadStyle } from "./dom.js";
import { Gate } from "./gate.js";
import { createLoss } from "./panels/loss.js";
import { createPage } from "./page.js";
import { createPanels } from "./panels/index.js";
import { lanesOf, samePicture, unpack } from "./payload.js";
import { readTheme } from "./theme.js";
import { createTimeline } from "./timeline.js";
import { createVerdict } from "./verdict.js";

const NARROW = 640; // px
const REST = 200; // ms the cursor must rest before the program is asked about it
const READ = 100; // ms between two changes of the numbers while it plays or is dragged: faster, nobody can read them
const POLL = 150; // ms between two questions while a run is in progress
const players = new WeakMap();

class Player {
  constructor(parent) {
    this.gate = new Gate(
      (bytes) => this.take({ data: bytes }),
      () => (this.at < this.end ? [this.clock, this.at] : null),
    );
    this.lanes = [];
    this.records = []; // of each lane, at the cursor
    this.at = 0; // the clock's time
    this.end = 0;
    this.clock = "epochs";
    this.playing = false;
    this.ready = false;
    this.debug = window.__mbPlayer = {
      frames: 0,
      updates: 0,
      seq: -1,
      painted: -1,
      updateMs: [],
      ready: {},
      state: this,
      busy: () => !this.gate.idle || this.gate.dragging || this.debug.painted < this.debug.seq,
      link: () => this.header.link,
    };
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.root = h("div", { class: "mb-root", tabindex: -1 });
    this.page = createPage(this);
    this.controls = createControls(this);
    this.panels = createPanels(this);
    this.timeline = createTimeline(this);
    this.loss = createLoss(this);
    this.cursor = createCursor(this);
    this.data = createDataPlot(this);
    this.verdict = createVerdict(this);
    this.root.append(
      this.page.top,
      this.controls.element,
      this.page.bar,
      this.page.alarm,
      this.panels.element,
      this.page.caption,
      this.timeline.element,
      h(
        "div",
        { class: "mb-below" },
        this.loss.element,
        h("div", { class: "mb-side" }, this.cursor.element, this.data.element),
      ),
      this.verdict.element,
      this.page.details,
    );
    this.root.addEventListener("keydown", (event) => {
      if (event.target.closest("input, select, textarea, summary, .mb-scroll")) return;
      if (event.key === " " && event.target.closest("button")) return;
      this.timeline.keys(event);
    });
    this.root.addEventListener("pointerdown", () => (this.touched = true), true);
    this.root.addEventListener("keydown", () => (this.touched = true), true);
    this.root.addEventListener("transitionend", (event) => {
      if (event.target === this.root) this.retheme();
    });
    new ResizeObserver(() => this.resize()).observe(this.root);
    parent.append(this.root);
  }

  get reduced() {
    return this.still.matches;
  }

  /** Takes a payload and shows it. */
  async take(component) {
    const begun = performance.now();
    this.base = component.base ?? this.base;
    const before = this.payload;
    const payload = unpack(component.data);
    const short = Boolean(before && !payload.header.live); // an answer to a drag: the page does not know of it yet
    if (short && !keepOwn(payload, before)) return this.gate.pass(payload.header.seq);
    this.short = short;
    this.payload = payload;
    Object.assign(this, payload);
    const newKey = before?.header.key !== payload.header.key;
    const atEnd = !before || this.at >= this.end;
    const share = this.end ? this.at / this.end : 1;
    this.lanes = lanesOf(payload);
    if (!before || before.header.clock !== this.header.clock)
      this.clock = CLOCKS[this.header.clock] ? this.header.clock : "epochs";
    this.end = span(this.lanes, this.clock);
    if (newKey) {
      this.timeline.pause();
      this.touched = false;
      this.due = this.header.autoplay ? performance.now() : null;
    }
    this.at = atEnd || newKey ? this.end : Math.min(this.end, this.playing ? share * this.end : this.at);
    this.gate.connect(component, this.header);
    if (before?.header.theme !== this.header.theme || !this.theme) this.theme = readTheme(this.root, this.header);
    this.seek(this.at, { quiet: true });
    this.controls.update();
    this.timeline.update();
    this.cursor.update();
    this.data.update();
    if (!short) this.tell();
    const change = { newKey, newPicture: !samePicture(before, payload) };
    const painted = this.panels.update(change);
    this.loss.update(change);
    this.finishTake(begun);
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
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const { plotly } = this.header;
    this.booting ??= loadPlotly(
      /^(https?:)?\/\//.test(plotly) || plotly.startsWith("/")
        ? plotly
        : new URL(plotly, new URL(`${this.base}/`, location.href)).href,
    );
    const Plotly = await this.booting;
    this.debug.ready.plotly = performance.now();
    if (this.Plotly) return;
    this.Plotly = Plotly;
    await this.panels.repaint();
    this.loss.update({ newKey: true });
    this.debug.ready.first = performance.now();
  }

  finishTake(begun) {
    this.debug.seq = this.header.seq;
    this.invalidate();
    this.debug.updateMs.push(performance.now() - begun);
    if (this.debug.updateMs.length > 500) this.debug.updateMs.shift();
    clearTimeout(this.poller);
    if (this.header.status.state === "running" && !this.short)
      this.poller = setTimeout(() => this.root.isConnected && this.gate.send("poll", {}), POLL);
  }

  /** Plays by itself: once on arrival of a picture, and after a click has moved the start. */
  begin() {
    if (!this.Plotly || this.header.status.state === "running") return;
    const clicked = this.clicked && this.header.seq >= this.clicked;
    const fresh = this.due && !this.touched && performance.now() - this.due < 5000;
    if ((clicked || fresh) && !this.reduced && this.lanes.some((lane) => lane.records > 1)) this.timeline.start(true);
    this.due = null;
    if (clicked) this.clicked = null;
  }

  /** Moves the cursor to time t. A preview (hover) asks nobody about it. */
  seek(t, { preview = false, quiet = false } = {}) {
    this.at = Math.min(this.end, Math.max(0, t));
    this.lanes.forEach((lane, i) => (this.records[i] = recordAt(lane, this.clock, this.at)));
    this.records.length = this.lanes.length;
    if (quiet) return;
    if (!this.playing) {
      this.legible = true;
      this.timeline.draw(); // at once: assistive technology reads it
    }
    this.invalidate();
    if (!preview && !this.playing) this.settled();
  }

  /** Says in words and numbers what is shown. */
  tell() {
    if (this.told === this.payload) return;
    this.told = this.payload;
    this.page.update();
    this.verdict.update();
  }

  /** Draws one frame now. */
  paint() {
    const time = performance.now();
    this.legible = !(this.playing || this.short) || time - (this.read ?? 0) > READ;
    clearTimeout(this.later);
    if (this.legible) {
      this.read = time;
      this.tell();
    } else this.later = setTimeout(() => this.invalidate(), READ);
    this.lanes.forEach((lane, i) => (this.records[i] = recordAt(lane, this.clock, this.at)));
    this.panels.draw();
    this.timeline.draw();
    this.loss.draw();
    this.cursor.draw();
    this.data.draw(this.short);
    this.debug.frames += 1;
    this.ready = true;
    this.debug.ready.seen ??= time;
    if (this.debug.painted !== this.header.seq) this.debug.updates += 1;
    this.debug.painted = this.header.seq;
  }

  /** Draws one frame soon; many calls make one frame. */
  invalidate() {
    if (this.frame || this.playing || !this.lanes.length) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      this.paint();
    });
  }

  pause() {
    this.timeline.pause();
  }

  /** A knob is being turned: the whole paths are shown at once. */
  turning() {
    this.due = null;
    if (!this.playing) return;
    this.timeline.pause();
    this.seek(this.end);
  }

  /** The cursor rests: asks the program for other batches and their covariance there, once. */
  settled() {
    clearTimeout(this.rest);
    this.rest = setTimeout(() => {
      if (!this.touched && !this.reduced) return; // a first look shows the bare paths
      if (this.playing || this.short || this.gate.dragging || this.header.status.state === "running") return;
      if (!this.root.isConnected) return;
      const indices = Array.from(this.records);
      const question = JSON.stringify([this.header.link, this.header.key, indices]);
      if (question === this.asked || this.lanes.every((_, i) => this.cursorInfo(i))) return;
      this.asked = question;
      this.gate.send("cursor", { indices });
    }, REST);
  }

  /** What the program said about lane i at the cursor; null while it plays or has moved on. */
  cursorInfo(i) {
    const info = this.playing ? null : this.header.cursor?.lanes?.[i];
    return info && info.index === this.records[i] && info.gradient ? info : null;
  }

  /** A click on a surface: a new common start. */
  start({ x, y }) {
    this.gate.send("start", { x, y });
    this.clicked = this.gate.seq + (this.gate.waiting.has("start") ? 1 : 0);
  }

  setClock(clock) {
    const share = this.end ? this.at / this.end : 1;
    this.clock = clock;
    this.end = span(this.lanes, clock);
    this.timeline.update();
    this.loss.reclock();
    this.verdict.update();
    this.seek(share * this.end);
  }

  async retheme() {
    if (!this.header) return;
    this.theme = readTheme(this.root, this.header);
    if (this.Plotly) await this.panels.repaint();
    this.loss.repaint();
    this.data.repaint();
    this.invalidate();
  }

  resize() {
    if (!this.ready || !this.root.clientWidth) return;
    const narrow = this.root.clientWidth < NARROW;
    const crossed = narrow !== this.narrow;
    this.narrow = narrow;
    this.panels.resize();
    this.loss.resize();
    this.data.resize();
    if (crossed) this.retheme();
    this.invalidate();
  }
}

/**
 * An answer to a drag knows nothing of the visitor's page, and brings only what is new: the rest stays as it is.
 * False where it stays no longer, since the picture that the answer is about is gone.
 */
function keepOwn({ header, arrays }, before) {
  const { kept, key } = header;
  if (kept.length && key !== before.header.key) return false;
  for (const name of kept) arrays[name] = before.arrays[name];
  for (const name of ["theme", "embed", "plotly", "clock", "live", "look_for"]) header[name] = before.header[name];
  return true;
}

/** Shows a payload in the component's element; called again for each new payload. */
export async function render(component) {
  const { data, parentElement, base } = component;
  if (!data?.byteLength) return;
  const ready = loadStyle(`${base}/bench.css`);
  let player = players.get(parentElement);
  if (!player) {
    await ready;
    player = players.get(parentElement) ?? new Player(parentElement);
    players.set(parentElement, player);
  }
  if (player.root.parentElement !== parentElement) parentElement.append(player.root);
  try {
    await player.take(component);
  } catch (error) {
    player.page.fail(error);
    throw error;
  }
}
