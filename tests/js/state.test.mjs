/** The bench's state and view: what a picture, a page and a clock change. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as states from "../../assets/bench/state.js";
import { FRESH, viewFrom, viewQuery } from "../../assets/bench/view.js";

const page = (more = {}) => ({ link: "a", take: 1, clock: "updates", view: null, lesson: null, summary: "", ...more });

/** A picture of one lane with so many updates. */
function picture(updates, { link = "a", state = "done", key = "k", bare = false, label = "SGD" } = {}) {
  const lane = { label, updates: 10, updates_per_epoch: 5, sizes: [1], seconds_per_update: 0.5, looked_at: null };
  const update = Uint32Array.from({ length: updates + 1 }, (_, i) => i);
  const arrays = { "lane0/update": { data: update }, "lane0/loss": { data: Float32Array.from(update, (u) => 10 - u) } };
  return { header: { key, link, status: { state }, lanes: [lane] }, arrays: bare ? {} : arrays };
}

/** The state after these steps: each says what changes. */
const after = (...steps) => steps.reduce((state, step) => ({ ...state, ...step(state) }), states.first());
const comes = (shown, short = false) => (state) => states.taken(state, shown, short, 0);
const opens = (asked) => (state) => states.mounted(state, asked);

test("a picture is shown at its end, and the cursor keeps its place when the next one comes", () => {
  const shown = after(opens(page()), comes(picture(10)));
  assert.deepEqual([shown.at, shown.end, shown.records], [10, 10, [10]]);
  const moved = after(() => shown, (state) => states.sought(state, 4.5), comes(picture(10, { link: "b" }), true));
  assert.deepEqual([moved.at, moved.records, moved.short], [4.5, [4], true]);
  const anew = after(() => moved, comes(picture(8, { key: "other" })));
  assert.deepEqual([anew.at, anew.records], [8, [8]]);
});

test("a run that grows is followed at its end; a cursor that was set stays", () => {
  const grown = after(opens(page()), comes(picture(3, { state: "running" })), comes(picture(6, { state: "running" })));
  assert.equal(grown.at, 6);
  const held = after(() => grown, (state) => states.sought(state, 2), comes(picture(8, { state: "running" })));
  assert.equal(held.at, 2);
});

test("another clock keeps the place in the run", () => {
  const shown = after(opens(page()), comes(picture(10)), (state) => states.sought(state, 5));
  const seconds = after(() => shown, (state) => states.reclocked(state, "seconds"));
  assert.deepEqual([seconds.clock, seconds.at, seconds.end, seconds.records], ["seconds", 2.5, 5, [5]]);
});

test("old curves stay as ghosts until the new run is done", () => {
  const old = after(opens(page()), comes(picture(10)));
  assert.equal(old.ghost, null);
  const waits = after(() => old, comes(picture(0, { link: "b", state: "waiting", bare: true })));
  assert.deepEqual([waits.stale, waits.lanes, waits.ghost.lanes], [true, old.lanes, old.lanes]);
  const grows = after(() => waits, comes(picture(2, { link: "b", state: "running" })));
  assert.deepEqual([grows.stale, grows.ghost.lanes, grows.lanes[0].records], [false, old.lanes, 3]);
  const direct = after(() => old, comes(picture(2, { link: "b", state: "running" })));
  assert.equal(direct.ghost.lanes, old.lanes);
  const done = after(() => grows, comes(picture(10, { link: "b" })));
  assert.equal(done.ghost, null);
});

test("curves of another problem, or of other lanes, do not stay", () => {
  const old = after(opens(page()), comes(picture(10)));
  for (const other of [{ key: "other" }, { label: "BGD" }]) {
    const waits = after(() => old, comes(picture(0, { link: "b", state: "waiting", bare: true, ...other })));
    assert.deepEqual([waits.stale, waits.lanes, waits.ghost, waits.end], [false, [], null, 0]);
  }
});

test("a picture plays by itself where the page says so, unless the link names a moment", () => {
  const fresh = after(opens(page({ autoplay: true })), comes(picture(10)));
  assert.equal(fresh.due, 0);
  const asked = after(opens(page({ autoplay: true, view: { at: "0.4", clock: "epochs" } })), comes(picture(10)));
  assert.deepEqual([asked.due, asked.clock, asked.at, asked.share], [null, "epochs", 0.8, null]);
});

test("a moment of a run that still grows is kept, until a hand moves the cursor", () => {
  const growing = picture(5, { state: "running" });
  const asked = after(opens(page({ view: { at: 0.4 } })), comes(growing), comes(picture(10)));
  assert.equal(asked.at, 4);
  const moved = after(
    opens(page({ view: { at: 0.4 } })),
    comes(growing),
    () => ({ touched: true }),
    (state) => states.sought(state, 1),
    comes(picture(10)),
  );
  assert.equal(moved.at, 1);
});

test("a lesson stays while its knobs are turned, and goes with its problem", () => {
  const lesson = { title: "Three methods" };
  const begun = after(opens(page({ lesson, summary: "A bowl." })));
  const turned = after(() => begun, opens(page({ link: "b", summary: "A bowl." })));
  assert.equal(turned.page.lesson, lesson);
  assert.equal(after(() => turned, opens(page({ link: "c", summary: "A saddle." }))).page.lesson, null);
  assert.equal(after(() => turned, opens(page({ take: 2, summary: "A bowl." }))).page.lesson, null);
});

test("only an answer about the records that are shown is shown", () => {
  const shown = after(opens(page()), comes(picture(10)));
  const info = { index: 10, gradient: [1, 2] };
  const asked = { ...shown, answer: { link: "a", lanes: [info] } };
  assert.equal(states.infoOf(asked, 0), info);
  assert.equal(states.infoOf({ ...asked, records: [9] }, 0), null);
  assert.equal(states.infoOf({ ...asked, playing: true }, 0), null);
  assert.equal(states.infoOf({ ...asked, answer: { link: "b", lanes: [info] } }, 0), null);
});

test("a view travels in the link and comes back; what is as it begins is not said", () => {
  assert.equal(viewQuery(FRESH, "updates", 1), "view.clock=updates");
  assert.equal(viewQuery(FRESH, "updates", 1, "known"), "view.clock=updates&view.box=known");
  const view = { ...FRESH, panels: ["path", "fit"], log_y: false, tab: "cursor", speed: 2 };
  const query = viewQuery(view, "seconds", 0.4);
  assert.equal(query, "view.clock=seconds&view.at=0.4&view.panels=path,fit&view.log_y=false&view.tab=cursor&view.speed=2");
  const read = Object.fromEntries([...new URLSearchParams(query)].map(([name, word]) => [name.slice(5), word]));
  assert.deepEqual(viewFrom(read), view);
  assert.deepEqual(viewFrom({ speed: "fast", log_x: "true", nonsense: 1 }), { ...FRESH, log_x: true });
  assert.deepEqual(viewFrom(null), FRESH);
});
