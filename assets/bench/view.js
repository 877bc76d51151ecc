/** What is looked at, and how: the part of a link that is no experiment. Pure functions. */

const PREFIX = "view.";

/** How a bench begins; null = as the bench finds best. */
export const FRESH = Object.freeze({
  panels: null, // names, or those that the problem offers first
  layout: null, // "lanes" | "overlay", or what the width has room for
  curve: null, // of the loss chart, or the first
  log_x: false,
  log_y: null, // or where all losses are above 0
  excess: false,
  tab: "verdict",
  speed: 1,
});

const READ = {
  panels: (words) => (Array.isArray(words) ? words : String(words).split(",")).filter(Boolean),
  speed: (word) => (Number(word) > 0 ? Number(word) : FRESH.speed),
  log_x: flag,
  log_y: flag,
  excess: flag,
};

function flag(word) {
  return word === true || ["true", "1", "yes"].includes(String(word));
}

/** The view that the page asks for: FRESH, and what the link says. */
export function viewFrom(asked) {
  const view = { ...FRESH };
  for (const [name, word] of Object.entries(asked ?? {})) {
    if (!(name in FRESH) || word === null || word === undefined) continue;
    view[name] = READ[name] ? READ[name](word) : String(word);
  }
  return view;
}

/**
 * The link's part that brings back what is seen now.
 *
 * @param view as viewFrom makes it.
 * @param clock what the time axis counts.
 * @param share of the run at which the cursor is, 0 ... 1; at the end nothing is said.
 * @param {string | null} box the open one below the bench.
 * @returns {string} "view.clock=seconds&view.at=0.4"
 */
export function viewQuery(view, clock, share, box = null) {
  const said = [["clock", clock]];
  if (share < 1) said.push(["at", Number(share.toFixed(4))]);
  if (box) said.push(["box", box]);
  for (const [name, begins] of Object.entries(FRESH)) {
    const value = view[name];
    if (value !== begins && value !== null) said.push([name, Array.isArray(value) ? value.join(",") : value]);
  }
  return said.map(([name, value]) => `${PREFIX}${name}=${encodeURIComponent(value).replaceAll("%2C", ",")}`).join("&");
}
