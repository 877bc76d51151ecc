/** What the bench knows, as one plain value, and how it changes. Pure functions: each returns what is different. */

import { CLOCKS, recordAt, span } from "./clock.js";
import { hasRecords, lanesOf } from "./payload.js";
import { FRESH, viewFrom } from "./view.js";

/** Before anything has come. */
export const first = () => ({
  page: null, // what the page says: link, take, lesson, view ...
  picture: null, // the newest payload: {header, arrays}
  short: false, // it answers a drag: the numbers and words may lag behind
  stale: false, // the curves are those of the run before
  lanes: [], // with their arrays
  ghost: null, // {lanes} of the last finished run, while another one grows
  records: [], // of each lane, at the cursor
  clock: "epochs",
  at: 0, // the clock's time
  end: 0,
  share: null, // of the run at which the cursor is to stand when the first picture comes
  view: FRESH,
  playing: false,
  touched: false, // by hand, since this picture came
  legible: true, // this frame may change the numbers
  due: null, // when the picture came that is to play by itself
  clicked: false, // the start was moved: what comes is to play
  answer: null, // what the server said about a cursor: {link, indices, lanes}
  connection: "open", // "lost" | "restarted"
});

const SOON = 5000; // ms in which a picture that has come plays by itself

const records = (lanes, clock, at) => lanes.map((lane) => recordAt(lane, clock, at));

/**
 * The page was drawn: a new take brings its clock and its view. A lesson stays beside its problem while its knobs are
 * turned, though the experiment is no longer the lesson's.
 */
export function mounted({ page: before, clock }, asked) {
  const same = before?.take === asked.take;
  const lesson = asked.lesson ?? (same && before.summary === asked.summary ? before.lesson : null);
  const page = { ...asked, lesson };
  if (same) return { page, clock: before.clock !== page.clock && CLOCKS[page.clock] ? page.clock : clock };
  const view = page.view ?? {};
  const at = Number(view.at ?? NaN);
  const share = Number.isFinite(at) ? Math.min(1, Math.max(0, at)) : null;
  const named = view.clock ?? page.clock;
  return { page, share, view: viewFrom(page.view), clock: CLOCKS[named] ? named : clock };
}

/** A picture has come. */
export function taken(state, picture, short, now) {
  const { header } = picture;
  const before = state.picture;
  const newKey = before?.header.key !== header.key;
  const labels = (lanes) => lanes.map((lane) => lane.label).join("\n");
  if (!hasRecords(picture)) {
    const keeps = !newKey && labels(state.lanes) === labels(header.lanes);
    const gone = { lanes: [], records: [], at: 0, end: 0 };
    const ghost = !keeps ? null : before.header.status.state === "done" ? { lanes: state.lanes } : state.ghost;
    return { picture, short, stale: keeps, answer: null, ghost, ...(keeps ? {} : gone) };
  }
  const lanes = lanesOf(picture);
  const end = span(lanes, state.clock);
  const along = state.end ? state.at / state.end : 1;
  const wasAtEnd = !state.lanes.length || state.at >= state.end;
  const share = newKey || !state.touched ? state.share : null;
  let at = state.playing ? along * end : Math.min(end, state.at);
  if (share !== null) at = share * end;
  else if (newKey || wasAtEnd) at = end;
  const fresh = newKey && Boolean(state.page?.autoplay) && state.share === null;
  return {
    picture,
    short,
    stale: false,
    lanes,
    ghost: ghostOf(state, picture, newKey),
    end,
    at,
    records: records(lanes, state.clock, at),
    share: header.status.state === "running" ? share : null,
    answer: state.answer?.link === header.link ? state.answer : null,
    ...(newKey ? { touched: false, due: fresh ? now : null } : {}),
  };
}

/** The curves of the last finished run stay, faintly, while another run of the same problem grows. */
function ghostOf({ picture: before, ghost, lanes }, { header }, newKey) {
  if (newKey || !["running", "queued", "paused"].includes(header.status.state)) return null;
  if (before.header.link === header.link) return ghost;
  return before.header.status.state === "done" ? { lanes } : ghost;
}

/** The cursor moves to time t. */
export function sought({ lanes, clock, end }, t) {
  const at = Math.min(end, Math.max(0, t));
  return { at, records: records(lanes, clock, at) };
}

/** The clock counts something else; the cursor stays where it is in the run. */
export function reclocked({ lanes, at, end }, clock) {
  const ends = span(lanes, clock);
  const time = (end ? at / end : 1) * ends;
  return { clock, end: ends, at: time, records: records(lanes, clock, time) };
}

/** What the server said about lane i at the cursor; null while it plays or has moved on. */
export function infoOf({ answer, playing, picture, records: now }, i) {
  if (playing || !answer || answer.link !== picture.header.link) return null;
  const info = answer.lanes?.[i];
  return info && info.index === now[i] && info.gradient ? info : null;
}

/** Whether what is shown now is to play by itself. */
export function plays({ due, touched, clicked, lanes }, now) {
  const fresh = due !== null && !touched && now - due < SOON;
  return (clicked || fresh) && lanes.some((lane) => lane.records > 1);
}
