/** Words on a chart that do not lie over each other. */

export const LINE = 14; // px a label is high

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

/**
 * Writes labels, none over another, each on a little of the background.
 *
 * @param context Of a canvas, its font set.
 * @param {{said: string, color: string, x: number, y: number, width: number, height: number}[]} labels What and where.
 * @param {{top: number, bottom: number, background: string}} plot The edges that they stay between, and its colour.
 */
export function writeLabels(context, labels, { top, bottom, background }) {
  const places = placeLabels(labels, top, bottom);
  context.textAlign = "left";
  context.textBaseline = "middle";
  labels.forEach(({ said, color, x, width }, i) => {
    context.globalAlpha = 0.8;
    context.fillStyle = background;
    context.fillRect(x - 2, places[i] - LINE / 2, width + 4, LINE);
    context.globalAlpha = 1;
    context.fillStyle = color;
    context.fillText(said, x, places[i]);
  });
  context.textBaseline = "alphabetic";
}
