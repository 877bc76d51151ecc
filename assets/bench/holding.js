/** Edits of a run that takes long: they wait until the hand lets go, or rests. */

const LIVE = 1; // s: a run that takes no longer is made again while the hand moves
const HOLD = 600; // ms that a hand rests

/**
 * Makes the waiting room of edits; one is in it at a time.
 *
 * @param send hands an edit on: send(kind, edit).
 */
export function createHolding(send) {
  let held = null;
  let timer = 0;

  /** The hand has let go: what waits is handed on. */
  function release() {
    clearTimeout(timer);
    const edit = held;
    held = null;
    if (edit) send(...edit);
  }

  /** Takes an edit of a run that takes about so many seconds. */
  function take(kind, edit, seconds) {
    held = [kind, edit];
    clearTimeout(timer);
    if (seconds > LIVE) timer = setTimeout(release, HOLD);
    else release();
  }

  window.addEventListener("pointerup", release);
  return {
    take,
    get full() {
      return held !== null;
    },
  };
}
