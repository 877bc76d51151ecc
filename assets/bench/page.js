/** The frame around the instruments: what to look for, the link, progress, errors, pictures in words. */

import { h, icon, write } from "./dom.js";
import { num } from "./text.js";

const LINK =
  "M10.6 13.4a3 3 0 0 0 4.2 0l3.6-3.6a3 3 0 0 0-4.2-4.2l-1 1M13.4 10.6a3 3 0 0 0-4.2 0l-3.6 3.6a3 3 0 0 0 4.2 4.2l1-1";

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

/** Makes the line above the knobs and what stands below the verdict. */
export function createPage(player) {
  const hint = h("p", { class: "mb-hint" });
  const said = h("span", { class: "mb-said", role: "status", "aria-live": "polite" });
  const message = h("span", { class: "mb-message", role: "status" });
  const share = h(
    "button",
    {
      type: "button",
      class: "mb-share",
      title: "Copies a link to exactly this picture",
      onclick: async () => {
        const address = `${location.origin}${location.pathname}?${player.header.link}`;
        write(said, (await copy(address)) ? "Link copied" : address);
        setTimeout(() => write(said, ""), 4000);
      },
    },
    icon(LINK),
    "Copy link",
  );
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
  const alarm = h("p", { class: "mb-alarm", role: "alert", hidden: true });
  const caption = h("p", { class: "mb-caption", hidden: true }); // what the panels do not show by themselves
  const words = h("div", {});
  const top = h("div", { class: "mb-top" }, hint, message, said, share);
  const details = h("details", { class: "mb-words-of-pictures" }, h("summary", {}, "Describe the pictures"), words);

  function update() {
    const { status, problem, lanes, look_for: look } = player.header;
    write(hint, look || problem.summary || "");
    hint.title = problem.summary ?? "";
    const missing = 100 * (1 - (problem.finite_share ?? 1));
    const gap = missing > 0 ? `The surface is not finite on ${num(missing)} % of this window.` : "";
    write(caption, [problem.projection?.text, gap].filter(Boolean).join(" "));
    caption.hidden = !caption.textContent;
    const running = status.state === "running";
    const failed = status.state === "failed";
    bar.hidden = !running;
    const share100 = Math.round(100 * (status.progress ?? 0));
    bar.setAttribute("aria-valuenow", share100);
    bar.firstChild.style.width = `${share100}%`;
    write(message, running ? status.message || "Computing" : "");
    alarm.hidden = !failed;
    write(alarm, failed ? status.message : "");
    const told = [problem.summary, problem.projection?.text, ...lanes.map((lane) => lane.summary)].filter(Boolean);
    if (words.dataset.told === told.join("\n")) return;
    words.dataset.told = told.join("\n");
    words.replaceChildren(...told.map((paragraph) => h("p", {}, paragraph)));
  }

  return {
    top,
    caption,
    bar,
    alarm,
    details,
    update,
    fail: (error) => {
      alarm.hidden = false;
      write(alarm, error.message);
    },
  };
}
