/** The frame around the instruments: the lesson, the link, the run's progress, errors, pictures in words. */

import { h, icon, write } from "./dom.js";
import * as text from "./format.js";
import { viewQuery } from "./view.js";

const LINK =
  "M10.6 13.4a3 3 0 0 0 4.2 0l3.6-3.6a3 3 0 0 0-4.2-4.2l-1 1M13.4 10.6a3 3 0 0 0-4.2 0l-3.6 3.6a3 3 0 0 0 4.2 4.2l1-1";
const SHORT = 1; // seconds: of a run that takes no longer nothing is said
const CONNECTION = {
  open: "",
  lost: "The server does not answer. What is shown stays; it is asked again every few seconds.",
  restarted: "The server was started anew and has forgotten how far this run had come.",
};

/** Copies text; false where the browser refuses. */
async function copy(words) {
  try {
    await navigator.clipboard.writeText(words);
    return true;
  } catch {
    const field = h("textarea", { style: "position:fixed;opacity:0" });
    field.value = words;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

/** The address that brings back what is seen now. */
function address({ header, state: { page, clock, at, end, view } }) {
  const seen = viewQuery(view, clock, end ? at / end : 1, page.box);
  return `${location.origin}${location.pathname}?${header.link}&${seen}`;
}

/** Makes the frame: its parts are put in their places by the bench. @param {import("./bench.js").Bench} bench */
export function createPage(bench) {
  const said = h("span", { class: "mb-said", role: "status", "aria-live": "polite" });
  const share = h(
    "button",
    {
      type: "button",
      class: "mb-plain",
      title: "Copies a link to exactly this picture: the experiment, the clock, the cursor, the panels",
      onclick: async () => {
        const link = address(bench);
        write(said, (await copy(link)) ? "Link copied" : link);
        setTimeout(() => write(said, ""), 4000);
      },
    },
    icon(LINK),
    h("span", {}, "Copy link"),
  );
  bench.headline.tools.append(share, said);
  const bar = h(
    "div",
    {
      class: "mb-progress",
      role: "progressbar",
      "aria-label": "Progress",
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      hidden: true,
    },
    h("i"),
  );
  const message = h("span", { class: "mb-message", role: "status" });
  const button = (label, onclick) => h("button", { type: "button", class: "mb-plain", hidden: true, onclick }, label);
  const start = button("Train", () => bench.channel.go());
  start.classList.add("mb-start");
  const pause = button("Pause training", () => bench.channel.pause());
  const again = button("Start again", () => bench.channel.go());
  const alarm = h("p", { class: "mb-alarm", role: "alert", hidden: true });
  const run = h("div", { class: "mb-run", hidden: true }, message, start, pause, again);
  bench.headline.element.append(run, alarm);

  const title = h("h2", {});
  const story = h("p", {});
  const hint = h("p", { class: "mb-look" });
  const question = h("p", { class: "mb-question" });
  const more = h(
    "button",
    {
      type: "button",
      class: "mb-more",
      "aria-expanded": "false",
      onclick: () => {
        const open = more.getAttribute("aria-expanded") !== "true";
        more.setAttribute("aria-expanded", String(open));
        write(more, open ? "less" : "more");
      },
    },
    "more",
  );
  const lesson = h(
    "aside",
    { class: "mb-lesson", "aria-label": "Lesson" },
    more, // on a small screen, where the text is cut short
    h("div", { class: "mb-told" }, title, story, hint, question),
  );
  const caption = h("p", { class: "mb-caption", hidden: true }); // what the panels do not show by themselves
  const words = h("div", { class: "mb-words-of-pictures" });
  let refusal = "";
  let begun = null; // when the run that goes on was first heard of
  let soon = 0; // timer

  /** Puts text into an element and hides it where there is none. */
  function put(element, sentence) {
    write(element, sentence ?? "");
    element.hidden = !sentence;
  }

  /** The page was drawn: its lesson. */
  function mounted() {
    const { lesson: told, summary } = bench.state.page;
    put(title, told?.title);
    put(story, told ? told.lesson : summary);
    put(hint, told?.look_for);
    put(question, told?.question);
    lesson.hidden = [title, story, hint, question].every((part) => part.hidden);
    lesson.setAttribute("aria-label", told ? "Lesson" : "Problem");
  }

  /** How far the run is, and what can be done about it. @param {Partial<import("./types").Status>} status */
  function progress({ state, progress: share, message: note, left, estimate }) {
    const { connection } = bench.state;
    const lost = connection !== "open";
    const percent = Math.floor(100 * (share ?? 0));
    const running = state === "running" || state === "queued";
    begun = running ? (begun ?? performance.now()) : null;
    const since = running ? performance.now() - begun : 0;
    const long = running && (estimate > SHORT || left > SHORT || since >= 1000 * SHORT);
    clearTimeout(soon);
    if (running && !long) soon = setTimeout(update, 1000 * SHORT - since); // the next message may be long in coming
    bar.hidden = !running || lost;
    bar.setAttribute("aria-valuenow", percent);
    bar.firstChild.style.width = `${percent}%`;
    const about = (seconds) => (seconds > 0 ? `about ${text.seconds(Number(seconds.toPrecision(2)))}` : "");
    const told = {
      running: [`${percent} %`, note, left > 0 && `${about(left)} left`],
      queued: [note || "Waiting for a free worker"],
      paused: [`Paused at ${percent} %`, note],
      waiting: [note],
    }[state];
    const spoken = running && !long ? [] : (told ?? []);
    write(message, lost ? CONNECTION[connection] : spoken.filter(Boolean).join(" · "));
    const whole = about(estimate);
    write(start, state === "paused" ? "Resume training" : `Train${whole && ` (${whole})`}`);
    start.hidden = lost || !(state === "waiting" || state === "paused");
    pause.hidden = lost || !long || state !== "running";
    again.hidden = !lost;
    run.hidden = !message.textContent && start.hidden && pause.hidden && again.hidden;
    put(alarm, refusal || (state === "failed" ? note : ""));
  }

  /** Says what a picture is about. */
  function update() {
    const { header } = bench;
    progress(header?.status ?? {});
    if (!header) return;
    const { problem, lanes } = header;
    const missing = 100 * (1 - (problem.finite_share ?? 1));
    const gap = missing > 0 ? `The surface is not finite on ${text.num(missing)} % of this window.` : "";
    put(caption, [problem.projection?.text, gap, problem.remark].filter(Boolean).join(" "));
    const told = [problem.summary, problem.projection?.text, ...lanes.map((lane) => lane.summary)].filter(Boolean);
    if (words.dataset.told === told.join("\n")) return;
    words.dataset.told = told.join("\n");
    words.replaceChildren(...told.map((paragraph) => h("p", {}, paragraph)));
  }

  return {
    lesson,
    caption,
    bar,
    words,
    mounted,
    update,
    /** Says what went wrong; "" takes it back. */
    alarm: (sentence) => {
      refusal = sentence;
      update();
    },
  };
}
