/** Words on a chart that do not lie over each other. Pure functions. */

const overlap = (a, b) =>
  a.x < b.x + b.width && b.x < a.x + a.width && Math.abs(a.y - b.y) < (a.height + b.height) / 2;

/**
 * Moves labels up or down, each as little as is needed, so that none lies over another.
 *
 * @param {{x: number, y: number, width: number, height: number}[]} labels Left edge and middle, in pixels; those that
 *   come first keep their places before others do.
 * @param {number} top The upper edge that they stay below.
 * @param {number} bottom The lower edge that they stay above.
 * @returns {number[]} Their new middles. Where there is no room left, a label stays where it is.
 */
export function placeLabels(labels, top, bottom) {
  const placed = [];
  for (const label of labels) {
    const half = label.height / 2;
    const fit = (y) => Math.min(bottom - half, Math.max(top + half, y));
    const free = (y) => placed.every((other) => !overlap({ ...label, y }, other));
    const tries = [label.y, ...placed.flatMap(({ y, height }) => [y - (height / 2 + half), y + height / 2 + half])]
      .map(fit)
      .filter(free)
      .sort((a, b) => Math.abs(a - label.y) - Math.abs(b - label.y));
    placed.push({ ...label, y: tries[0] ?? fit(label.y) });
  }
  return placed.map(({ y }) => y);
}
