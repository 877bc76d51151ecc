/** The knobs: one track each, with one handle a lane on it, that move the picture while they are dragged. */

import { h, icon, write } from "./dom.js";
import { fan, linked, placeOf, settle, stepped, valueAt } from "./scale.js";
import * as text from "./format.js";
import { marker } from "./theme.js";

const ROOM = 15; // px above and below the middle of a track, for handles that lie on the same spot
const THUMB = 20; // px, as in the style
const KEYS = { ArrowRight: [1], ArrowLeft: [-1], PageUp: [1, true], PageDown: [-1, true] };
const LANES = { ArrowUp: -1, ArrowDown: 1 };
const HOW = "Arrows left and right change the value, up and down go to another lane's handle.";
const CHAIN =
  "M10.6 13.4a3 3 0 0 0 4.2 0l3.6-3.6a3 3 0 0 0-4.2-4.2l-1 1M13.4 10.6a3 3 0 0 0-4.2 0l-3.6 3.6a3 3 0 0 0 4.2 4.2l1-1";

const labels = (lanes) => lanes.map((lane) => lane.label).join(", ");

/** Makes the row of knobs. @param {import("./bench.js").Bench} bench */
export function createHandles(bench) {
  const tracks = h("div", { class: "mb-tracks" });
  const chain = h(
    "button",
    {
      type: "button",
      class: "mb-chain",
      "aria-pressed": "true",
      title: "Linked handles move together, and the ratios of their values stay (of momenta: the differences)",
      onclick: () => {
        together = !together;
        chain.setAttribute("aria-pressed", String(together));
        for (const knob of knobs) knob.grip = null;
      },
    },
    icon(CHAIN),
    h("span", {}, "Linked"),
  );
  const element = h("div", { class: "mb-knobs" }, tracks, chain);
  let together = true;
  let knobs = [];
  let shape = "";
  new ResizeObserver(() => knobs.forEach(spread)).observe(tracks);
  window.addEventListener("pointerup", () => knobs.forEach((knob) => knob.release()), true); // it may end anywhere

  function makeKnob(spec, lanes) {
    const has = lanes.map((lane, index) => ({ lane, index })).filter(({ lane }) => known(lane.knobs[spec.key]));
    const without = lanes.filter((lane) => !known(lane.knobs[spec.key]));
    const words = h("span", { class: "mb-values", "aria-hidden": "true" });
    const track = h("div", { class: "mb-track" });
    const none = without.length ? `No ${spec.label.toLowerCase()}: ${labels(without)}` : "";
    const group = h(
      "div",
      {
        class: `mb-knob${has.length ? "" : " mb-off"}`,
        role: "group",
        "aria-label": spec.label,
        title: [spec.help, none && `${none}.`, HOW].filter(Boolean).join(" "),
      },
      h(
        "div",
        { class: "mb-label" },
        h("span", {}, spec.label, none && h("small", { class: "mb-none" }, ` ${none}`)),
        words,
      ),
      track,
    );
    const knob = { spec, element: group, track, words, handles: [], grip: null, held: false, release: null };
    knob.handles = has.map(({ lane, index }) => makeHandle(knob, lane, index));
    track.append(...knob.handles.map((handle) => handle.element));
    listen(knob);
    return knob;
  }

  function makeHandle(knob, lane, index) {
    const { spec } = knob;
    const input = h("input", {
      type: "range",
      min: 0,
      max: 1,
      step: "any",
      tabindex: -1,
      "aria-label": `${spec.label} of ${lane.label}`,
    });
    const element = h("span", { class: "mb-handle" }, input, marker(lane));
    const handle = { index, lane, input, element, value: spec.min, row: 0, pinned: false };
    input.addEventListener("input", () => {
      const value = valueAt(spec, Number(input.value));
      if (handle.pinned) input.value = placeOf(spec, handle.value);
      else if (value !== handle.value) turn(knob, handle, value);
    });
    input.addEventListener("focus", () => {
      for (const one of knob.handles) one.input.tabIndex = one === handle ? 0 : -1;
    });
    input.addEventListener("keydown", (event) => {
      if (!(event.altKey || event.ctrlKey || event.metaKey) && press(knob, handle, event.key)) event.preventDefault();
    });
    return handle;
  }

  /** A key on a handle; whether it means something there. */
  function press(knob, handle, key) {
    const { spec, handles } = knob;
    if (LANES[key]) {
      handles.at((handles.indexOf(handle) + LANES[key]) % handles.length).input.focus();
      return true;
    }
    let value = null;
    if (KEYS[key]) value = stepped(spec, handle.value, ...KEYS[key]);
    else if (key === "Home") value = settle(spec, spec.min);
    else if (key === "End") value = settle(spec, spec.max);
    if (value === null) return false;
    if (!handle.pinned && value !== handle.value) turn(knob, handle, value);
    spread(knob);
    return true;
  }

  /** The pointer: a thumb is dragged by the browser, a click beside one takes the nearest handle along. */
  function listen(knob) {
    const { track, spec } = knob;
    let taken = null; // the handle that follows the pointer
    let box = null;
    const follow = (event) => {
      const place = (event.clientX - box.left - THUMB / 2) / (box.width - THUMB);
      const value = valueAt(spec, Math.min(1, Math.max(0, place)));
      if (value !== taken.value) turn(knob, taken, value);
    };
    track.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      knob.held = true;
      knob.grip = null;
      if (event.target !== track) return;
      box = track.getBoundingClientRect();
      taken = nearest(knob, event, box);
      if (!taken) return;
      event.preventDefault();
      track.setPointerCapture(event.pointerId);
      taken.input.focus({ preventScroll: true, focusVisible: false });
      follow(event);
    });
    track.addEventListener("pointermove", (event) => taken && follow(event));
    const release = () => {
      taken = null;
      if (!knob.held) return;
      knob.held = false;
      knob.grip = null;
      spread(knob);
    };
    for (const name of ["pointercancel", "change", "focusout"]) track.addEventListener(name, release);
    knob.release = release;
  }

  /** The handle nearest to the pointer that can be moved. */
  function nearest({ handles, spec }, event, box) {
    const away = ({ value, row }) =>
      Math.hypot(
        event.clientX - box.left - THUMB / 2 - placeOf(spec, value) * (box.width - THUMB),
        event.clientY - box.top - box.height / 2 - row,
      );
    const free = handles.filter((handle) => !handle.pinned);
    return free.length ? free.reduce((a, b) => (away(b) < away(a) ? b : a)) : null;
  }

  /** Moves a handle, and those that are linked to it, and asks for the picture. */
  function turn(knob, handle, value) {
    const { spec, handles } = knob;
    if (knob.grip?.handle !== handle) knob.grip = { handle, values: handles.map((one) => one.value) };
    const { values } = knob.grip;
    const from = values[handles.indexOf(handle)];
    const moved = handles.filter((one) => one === handle || (together && !one.pinned));
    for (const one of moved)
      one.value = one === handle ? value : linked(spec, from, value, values[handles.indexOf(one)]);
    show(knob);
    const edits = moved.map((one) => ({ key: spec.key, value: one.value, lane: one.index }));
    bench.edit(`${spec.key} of ${moved.map((one) => one.index)}`, { edits });
  }

  /** Writes the values where they are seen and heard. */
  function show({ spec, handles, words }) {
    const { samples } = bench.header.problem;
    for (const handle of handles) {
      const place = placeOf(spec, handle.value);
      const said = text.knob(spec, handle.value, samples) + (handle.pinned ? ", fixed" : "");
      if (Number(handle.input.value) !== place) handle.input.value = place;
      if (handle.input.getAttribute("aria-valuetext") !== said) handle.input.setAttribute("aria-valuetext", said);
      handle.element.style.setProperty("--mb-place", place);
    }
    const free = handles.filter((handle) => !handle.pinned);
    const alike = handles.every((handle) => handle.value === handles[0].value) || free.length === 1;
    const said = JSON.stringify([alike, ...handles.map((handle) => handle.value)]);
    if (words.dataset.said === said) return;
    words.dataset.said = said;
    if (alike) write(words, handles.length ? text.knob(spec, (free[0] ?? handles[0]).value, samples) : "–");
    else
      words.replaceChildren(
        ...handles.map(({ lane, value }) =>
          h("span", {}, marker(lane), spec.integer ? text.count(value) : text.setting(value)),
        ),
      );
  }

  /** Fans out handles that lie on the same spot; not under the hand that holds one. */
  function spread(knob) {
    const { spec, handles, track } = knob;
    if (knob.held) return;
    const rows = fan(
      handles.map(({ value }) => placeOf(spec, value)),
      (track.clientWidth || 200) - THUMB,
      ROOM,
    );
    handles.forEach((handle, i) => {
      handle.row = rows[i];
      handle.element.style.setProperty("--mb-row", `${rows[i]}px`);
    });
  }

  /** Takes over what the server says, except where the person's own value is still on its way. */
  function sync(knob, lanes) {
    const { spec, handles } = knob;
    for (const handle of handles) {
      const lane = lanes[handle.index];
      handle.pinned = Boolean(lane.pinned?.includes(spec.key)) && !knob.held;
      handle.element.classList.toggle("mb-pinned", handle.pinned);
      if (handle.pinned) handle.input.setAttribute("aria-disabled", "true");
      else handle.input.removeAttribute("aria-disabled");
    }
    if (knob.held || bench.dragging) return;
    for (const handle of handles) {
      const value = lanes[handle.index].knobs[spec.key];
      if (value !== handle.value) knob.grip = null; // changed elsewhere
      handle.value = value;
    }
    if (!handles.some(({ input }) => input.tabIndex === 0)) {
      const first = handles.find((handle) => !handle.pinned) ?? handles[0];
      if (first) first.input.tabIndex = 0;
    }
    show(knob);
    spread(knob);
  }

  /** Takes a picture's knobs. */
  function update() {
    const { knobs: specs, lanes } = bench.header;
    const looks = lanes.map(({ label, color, marker: mark, knobs: own }) => [
      label,
      color,
      mark,
      specs.map(({ key }) => known(own[key])),
    ]);
    const now = JSON.stringify([specs, looks]);
    if (now !== shape) {
      shape = now;
      knobs = specs.map((spec) => makeKnob(spec, lanes));
      tracks.replaceChildren(...knobs.map((knob) => knob.element));
      element.hidden = !knobs.length;
    }
    for (const knob of knobs) sync(knob, lanes);
  }

  return { element, update };
}

const known = (value) => value !== null && value !== undefined;
