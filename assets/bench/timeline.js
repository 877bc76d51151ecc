/** The timeline: play, pause, step, scrub, loop and speed. Time-based: frames are dropped, never queued. */

import { neighbour, timeText } from "./clock.js";
import { h, icon, write } from "./dom.js";

const WHOLE = 6000; // ms for the whole run at speed 1
const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4, 8];
const LEAPS = 10; // with reduced motion
const LEAP = 600; // ms between leaps
const ICONS = {
  play: "M8 5v14l11-7z",
  pause: "M7 5h4v14H7zM13 5h4v14h-4z",
  back: "M6 5h2v14H6zM20 5v14L9 12z",
  forward: "M16 5h2v14h-2zM4 5v14l11-7z",
  loop: "M17 17H7v-3l-4 4 4 4v-3h12v-6h-2zM7 7h10v3l4-4-4-4v3H5v6h2z",
};

/** Makes the timeline. @param {import("./bench.js").Bench} bench */
export function createTimeline(bench) {
  const button = (name, path, title, onclick) =>
    h("button", { type: "button", class: "mb-button", "aria-label": name, title, onclick }, icon(path));
  const back = button("Step back", ICONS.back, "Step back (arrow left)", () => step(-1));
  const play = button("Play", ICONS.play, "Play (space)", () => toggle());
  const forward = button("Step forward", ICONS.forward, "Step forward (arrow right)", () => step(1));
  const loop = button("Loop", ICONS.loop, "Play in a loop", () => {
    loop.setAttribute("aria-pressed", String(loop.getAttribute("aria-pressed") !== "true"));
  });
  loop.setAttribute("aria-pressed", "false");
  play.classList.add("mb-play");
  const range = h("input", {
    type: "range",
    class: "mb-range mb-time",
    min: 0,
    max: 1,
    step: "any",
    value: 0,
    "aria-label": "Timeline",
    title: "Drag to any time; arrows step, Home and End jump",
    oninput: () => {
      pause();
      bench.seek(Number(range.value));
    },
    onkeydown: (event) => {
      if (keys(event)) event.stopPropagation();
    },
  });
  const now = h("output", { class: "mb-now", "aria-live": "off" });
  const speed = h(
    "select",
    {
      class: "mb-select",
      "aria-label": "Speed",
      title: "Playing speed",
      onchange: () => bench.changeView({ speed: Number(speed.value) }),
    },
    SPEEDS.map((x) => h("option", { value: x }, `${x}×`)),
  );
  const element = h(
    "div",
    { class: "mb-timeline", role: "group", "aria-label": "Playback" },
    h("div", { class: "mb-buttons" }, back, play, forward, loop),
    range,
    now,
    speed,
  );
  const [playShape] = play.getElementsByTagName("path");
  let run = 0; // counts starts and stops; a tick of an older run ends itself

  function label(playing) {
    play.setAttribute("aria-label", playing ? "Pause" : "Play");
    play.title = `${playing ? "Pause" : "Play"} (space)`;
    playShape.setAttribute("d", playing ? ICONS.pause : ICONS.play);
  }

  function pause() {
    if (!bench.playing) return;
    run += 1;
    bench.change({ playing: false });
    label(false);
    bench.settled();
  }

  /** Plays on from the cursor; from the start where it stands at the end. */
  function start(fromStart = false) {
    if (!bench.lanes.length || !bench.ready) return;
    if (fromStart || bench.at >= bench.end) bench.seek(0);
    bench.change({ playing: true });
    label(true);
    run += 1;
    if (bench.reduced) leap(run);
    else tick(run);
  }

  const alive = (id) => id === run && element.isConnected && !document.hidden; // a hidden tab gets no frames anyway

  /** At the end: once more, or stop. */
  function finish(id) {
    if (loop.getAttribute("aria-pressed") === "true" && bench.end > 0) {
      bench.seek(0);
      return true;
    }
    if (id === run) pause();
    return false;
  }

  function tick(id) {
    let before = null;
    const frame = (time) => {
      if (!alive(id)) return id === run && pause();
      const passed = before === null ? 0 : Math.min(250, time - before); // a long stall is not jumped over
      before = time;
      bench.advance((passed / WHOLE) * bench.view.speed * bench.end);
      bench.paint();
      if (bench.at >= bench.end && !finish(id)) return null;
      return requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  function leap(id) {
    setTimeout(
      () => {
        if (!alive(id)) return id === run && pause();
        bench.seek(Math.min(bench.end, bench.at + bench.end / LEAPS));
        if (bench.at >= bench.end && !finish(id)) return null;
        return leap(id);
      },
      LEAP / bench.view.speed,
    );
  }

  const toggle = () => (bench.playing ? pause() : start());

  function step(direction) {
    pause();
    bench.seek(neighbour(bench.lanes, bench.clock, bench.at, direction));
  }

  /** Handles a key of the timeline; whether it was one. */
  function keys(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return false;
    const tenth = bench.end / 10;
    const action = {
      " ": toggle,
      ArrowLeft: () => step(-1),
      ArrowDown: () => step(-1),
      ArrowRight: () => step(1),
      ArrowUp: () => step(1),
      Home: () => {
        pause();
        bench.seek(0);
      },
      End: () => {
        pause();
        bench.seek(bench.end);
      },
      PageUp: () => {
        pause();
        bench.seek(bench.at + tenth);
      },
      PageDown: () => {
        pause();
        bench.seek(bench.at - tenth);
      },
    }[event.key];
    if (!action) return false;
    event.preventDefault();
    action();
    return true;
  }

  function update() {
    range.max = bench.end || 1;
    const known = SPEEDS.includes(bench.view.speed) ? bench.view.speed : 1;
    if (speed.value !== String(known)) speed.value = String(known);
  }

  function draw() {
    range.value = bench.at;
    range.style.setProperty("--mb-place", bench.end ? bench.at / bench.end : 0);
    if (!bench.legible) return;
    const words = timeText(bench.clock, bench.at, bench.end);
    if (range.getAttribute("aria-valuetext") === words) return;
    range.setAttribute("aria-valuetext", words);
    write(now, words);
  }

  return { element, update, draw, start, pause, keys };
}
