/** Where Streamlit enters: one bench a browser tab, shown in whatever place the page has for it. */

import { Bench } from "./bench.js";
import { loadStyle } from "./dom.js";
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

let bench = null; // it outlives the page that it is shown on, and goes on listening

/** Shows the component; called again whenever the page was drawn. */
export async function render(component) {
  if (!component.data?.byteLength) return;
  await Promise.all(["bench.css", "panels/panels.css"].map((file) => loadStyle(`${component.base}/${file}`)));
  bench ??= new Bench(ownerOf(tabStorage(), window));
  bench.mount(component, unpack(component.data).header);
}
