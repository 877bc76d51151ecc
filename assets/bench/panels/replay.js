/** What a model had learned when the cursor's record was made: a frame of the replay, or the newest there is. */

/** The number of the newest frame whose record is not later than k; the first where all are later. */
export function frameAt(at, k) {
  let low = 0;
  let high = at.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (at[middle] <= k) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** One frame of an array whose first axis counts the frames. */
export function cutFrame({ shape: [, ...rest], data }, frame) {
  const size = rest.reduce((a, b) => a * b, 1);
  return { shape: rest, data: data.subarray(frame * size, (frame + 1) * size) };
}

/**
 * What a lane had learned at record k.
 *
 * @param lane With `learned`, its newest arrays by name, and `replay`, {at, arrays} or null: frames of some of them.
 * @param {number} k The record at the cursor.
 * @returns {{frame: number, arrays: Object}} The frame's number, -1 for the newest; what is not in the replay stays as
 *   it is at the end.
 */
export function learnedAt(lane, k) {
  const { replay } = lane;
  const learned = lane.learned ?? {};
  if (!replay?.at.length || k >= lane.records - 1) return { frame: -1, arrays: learned };
  const frame = frameAt(replay.at, k);
  const arrays = { ...learned };
  for (const [name, values] of Object.entries(replay.frames)) arrays[name] = cutFrame(values, frame);
  return { frame, arrays };
}
