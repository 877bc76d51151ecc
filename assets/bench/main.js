/** Where Streamlit enters: one bench a browser tab, shown in whatever place the page has for it. */

import { Bench } from "./bench.js";
import { h, loadStyle } from "./dom.js";
import { ownerOf } from "./owner.js";
import { unpack } from "./payload.js";

/** The tab's storage; null where the browser keeps it from an embedded page. */
function tabStorage() {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}

const STYLES = ["bench.css", "panels/panels.css"];

let bench = null; // it outlives the page that it is shown on, and goes on listening
let arrival = null; // where it stands until Streamlit has a place for it

/** Shows the component; called again whenever the page was drawn. */
export async function render(component) {
  if (!component.data?.byteLength) return;
  await dressed(component);
  bench ??= new Bench(ownerOf(tabStorage(), window));
  bench.mount(component, unpack(component.data).header);
  leave();
}

/**
 * Shows the bench before Streamlit's page stands: where that will have it, and until the visitor goes elsewhere.
 *
 * @param place what the page is below, and where these files lie: {base, root}.
 * @param page what the document says of the page.
 */
export async function arrive(place, page) {
  const { pathname } = location;
  await dressed(place);
  if (bench || location.pathname !== pathname) return; // Streamlit was faster, or the visitor
  const kind = page.embed ? "mb-arrival mb-embedded" : "mb-arrival";
  arrival = h("div", { class: kind }, h("div", {}));
  document.body.append(arrival);
  bench = new Bench(ownerOf(tabStorage(), window));
  bench.mount({ ...place, parentElement: arrival.firstChild, setTriggerValue: null }, page);
  const gone = setInterval(() => {
    if (location.pathname !== pathname) leave();
    if (!arrival) clearInterval(gone);
  }, 100);
}

/** Waits for the style, by which all instruments measure themselves. */
const dressed = ({ base }) => Promise.all(STYLES.map((file) => loadStyle(`${base}/${file}`)));

function leave() {
  arrival?.remove();
  arrival = null;
}
