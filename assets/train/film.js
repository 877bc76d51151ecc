/** A run seen again: fetched once when the run rests; tells what each lane had learned at any time of the clock. */

import { recordAt } from "../bench/clock.js";
import { unpack } from "../bench/payload.js";

const QUICK = 3; // seconds of training: who has watched longer has seen it

/** Makes the film of a stage. */
export function createFilm(stage) {
  let address = null; // of the film that is shown, or on its way
  let lanes = [];

  /** Fetches what the newest payload names. */
  function take() {
    const { film } = stage.header;
    if (film === address) return;
    address = film;
    lanes = [];
    if (!film) return;
    const wanted = stage.header.key;
    fetch(new URL(`../../../${film}`, `${stage.base}/`))
      .then((answer) => (answer.ok ? answer.arrayBuffer() : null))
      .then((buffer) => {
        if (!buffer || film !== address) return;
        lanes = split(unpack(new Uint8Array(buffer)).arrays);
        stage.filmed(wanted);
      })
      .catch(() => {}); // without it the newest look is shown
  }

  function split(arrays) {
    return stage.lanes.map((_, i) => {
      const prefix = `lane${i}/`;
      const own = Object.entries(arrays).filter(([name]) => name.startsWith(prefix));
      const { at, ...shown } = Object.fromEntries(own.map(([name, values]) => [name.slice(prefix.length), values]));
      return { at: at?.data ?? [], shown };
    });
  }

  /** The lane as it was at time t: {lane, look, frame}; what is not in the film stays as it is at the end. */
  function at(lane, t) {
    const look = recordAt(lane, stage.clock, t);
    const { at: looks, shown } = lanes[lane.index];
    let frame = 0;
    while (frame + 1 < looks.length && looks[frame + 1] <= look) frame += 1;
    const arrays = { ...lane.arrays };
    for (const [name, { shape, data }] of Object.entries(shown)) {
      const [, ...rest] = shape;
      const size = rest.reduce((a, b) => a * b, 1);
      arrays[name] = { shape: rest, data: data.subarray(frame * size, (frame + 1) * size) };
    }
    return { lane: { ...lane, arrays }, look, frame };
  }

  const ready = () => lanes.length > 0;
  const short = () => stage.lanes.reduce((sum, lane) => sum + lane.seconds, 0) < QUICK;
  return { take, at, ready, short };
}
