/** Who asks: a random id that this tab alone knows, so that it finds its run again after a reload. */

const ID = "mbsgd.owner";
const OPEN = "mbsgd.open"; // the id is in use

const fresh = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * The tab's id. A duplicated tab begins with a copy of the storage of one that is still open: it gets an id of its own,
 * since two tabs with one id would end each other's runs.
 *
 * @param storage the tab's sessionStorage; null where there is none.
 * @param page what tells when the page is left and shown again: the window.
 */
export function ownerOf(storage, page) {
  if (!storage) return fresh();
  const kept = storage.getItem(ID);
  const id = kept && !storage.getItem(OPEN) ? kept : fresh();
  storage.setItem(ID, id);
  storage.setItem(OPEN, "1");
  page.addEventListener("pagehide", () => storage.removeItem(OPEN));
  page.addEventListener("pageshow", () => storage.setItem(OPEN, "1"));
  return id;
}
