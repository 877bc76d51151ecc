/** The knobs above the panels: real sliders that move the picture while they are dragged. */

import { h, write } from "./dom.js";
import { placeOf, settle, stepped, valueAt } from "./scale.js";
import * as text from "./text.js";

const KEYS = {
  ArrowRight: [1],
  ArrowUp: [1],
  ArrowLeft: [-1],
  ArrowDown: [-1],
  PageUp: [1, true],
  PageDown: [-1, true],
};

/** Makes the row of knobs. */
export function createControls(player) {
  const scopes = h("div", { class: "mb-scopes", role: "radiogroup", "aria-label": "Apply to" });
  const sliders = h("div", { class: "mb-sliders" });
  const element = h(
    "div",
    { class: "mb-knobs" },
    h("div", { class: "mb-scope" }, h("span", { class: "mb-label", "aria-hidden": "true" }, "Apply to"), scopes),
    sliders,
  );
  const group = `mb-scope-${Math.random().toString(36).slice(2)}`;
  let knobs = [];
  let scope = null; // null = all lanes, else a lane's index
  let shape = "";

  function rebuild({ knobs: specs, lanes }) {
    if (scope !== null && scope >= lanes.length) scope = null;
    const option = (label, index) => {
      const input = h("input", {
        type: "radio",
        name: group,
        value: String(index),
        onchange: () => {
          scope = index;
          sync();
        },
      });
      input.checked = index === scope;
      return h(
        "label",
        { class: "mb-option", style: index === null ? null : `--mb-lane:${lanes[index].color}` },
        input,
        h("span", {}, label),
      );
    };
    scopes.replaceChildren(option("All lanes", null), ...lanes.map((lane, i) => option(lane.label, i)));
    knobs = specs.map(makeKnob);
    sliders.replaceChildren(...knobs.map((knob) => knob.element));
  }

  function makeKnob(spec) {
    const input = h("input", {
      type: "range",
      class: "mb-range",
      min: 0,
      max: 1,
      step: "any",
      "aria-label": spec.label,
    });
    const output = h("span", { class: "mb-value", "aria-hidden": "true" });
    const element = h("label", { class: "mb-knob" }, h("span", { class: "mb-label" }, spec.label, output), input);
    const knob = { spec, input, output, element, value: spec.min, held: false };
    const turn = (value) => {
      knob.value = value;
      show(knob, "");
      player.turning();
      player.gate.send("drag", { lane: scope, key: spec.key, value }, `drag:${scope}:${spec.key}`);
    };
    input.addEventListener("pointerdown", () => (knob.held = true));
    const release = () => {
      knob.held = false;
    };
    for (const name of ["pointerup", "pointercancel", "change", "blur"]) input.addEventListener(name, release);
    input.addEventListener("input", () => {
      const value = valueAt(spec, Number(input.value));
      if (value !== knob.value || knob.differ) turn(value);
    });
    input.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      let value = null;
      if (KEYS[event.key]) value = stepped(spec, knob.value, ...KEYS[event.key]);
      else if (event.key === "Home") value = settle(spec, spec.min);
      else if (event.key === "End") value = settle(spec, spec.max);
      if (value === null) return;
      event.preventDefault();
      if (value !== knob.value || knob.differ) turn(value);
      input.value = placeOf(spec, knob.value);
    });
    return knob;
  }

  function show(knob, note) {
    knob.differ = Boolean(note);
    const words = text.knob(knob.spec, knob.value, player.header.problem.samples);
    write(knob.output, words + note);
    knob.input.setAttribute("aria-valuetext", words + note);
    knob.input.style.setProperty("--mb-place", placeOf(knob.spec, knob.value));
  }

  /** Why a knob cannot be turned for the chosen lanes, or "". */
  function obstacle(spec, lanes) {
    if (scope === null) {
      if (!lanes.length)
        return spec.key === "batch_size" ? "No lane takes mini-batches." : `No lane has a ${spec.label.toLowerCase()}.`;
      return "";
    }
    const lane = player.header.lanes[scope];
    if (spec.key === "batch_size" && lane.role === "bgd")
      return `${lane.label} uses all ${text.plural(player.header.problem.samples, "sample")} in every update.`;
    return lanes.length ? "" : `${lane.label} has no ${spec.label.toLowerCase()}: ${lane.text}`;
  }

  /** The lanes a knob now speaks for. */
  function audience(spec) {
    const { lanes } = player.header;
    const chosen =
      scope === null ? lanes.filter((lane) => spec.key !== "batch_size" || lane.role === "mini") : [lanes[scope]];
    return chosen.filter((lane) => lane.knobs[spec.key] !== null && lane.knobs[spec.key] !== undefined);
  }

  /** Shows what the program says, except where the person's own value is still on its way. */
  function sync() {
    element.style.setProperty("--mb-lane", scope === null ? "var(--mb-text)" : player.header.lanes[scope].color);
    for (const knob of knobs) {
      const lanes = audience(knob.spec);
      const reason = obstacle(knob.spec, lanes);
      knob.input.disabled = Boolean(reason);
      knob.element.classList.toggle("mb-off", Boolean(reason));
      knob.element.title =
        reason ||
        `${knob.spec.help ?? knob.spec.label}${scope === null ? "" : ` (${player.header.lanes[scope].label})`}`;
      if (knob.held || player.gate.dragging) continue;
      const voice = lanes.find((lane) => lane.role === "mini") ?? lanes[0];
      if (!voice) {
        write(knob.output, "–");
        knob.input.setAttribute("aria-valuetext", reason);
        continue;
      }
      knob.value = voice.knobs[knob.spec.key];
      show(knob, lanes.some((lane) => lane.knobs[knob.spec.key] !== knob.value) ? " (lanes differ)" : "");
      knob.input.value = placeOf(knob.spec, knob.value);
    }
  }

  function update() {
    const { header } = player;
    const now = JSON.stringify([header.knobs, header.lanes.map((lane) => [lane.label, lane.color])]);
    if (now !== shape) {
      shape = now;
      rebuild(header);
    }
    sync();
  }

  return { element, update };
}
