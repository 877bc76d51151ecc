/** The surface as Plotly draws it: one contour chart, made once for a picture and shared by all panels. */

export const MARGIN = { l: 42, r: 4, t: 4, b: 34 };
export const LEVELS = 16; // contours
const LETTER = 6; // px wide, about, in an axis title

/** z as the chart shows it: itself, or its logarithm above the lowest value where the levels are log-spaced. */
function heights(problem, z) {
  if (!problem.log_levels) return z;
  const finite = z.filter(Number.isFinite).sort();
  if (!finite.length) return z;
  const floor = Number.isFinite(problem.optimal_value) ? Math.min(problem.optimal_value, finite[0]) : finite[0];
  const range = finite[finite.length - 1] - floor;
  const shift = Math.max(finite[Math.floor(0.004 * finite.length)] - floor, 1e-9 * range, Number.MIN_VALUE);
  return z.map((value) => Math.log10(value - floor + shift));
}

/** The heights as they are shown, and between which values they lie. */
export function levels(problem, z) {
  const shown = heights(problem, z);
  let low = Infinity;
  let high = -Infinity;
  for (const value of shown) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return { shown, low, high };
}

/** The traces of a picture: contour lines, minima (stars) and saddles (crosses). */
export function surfaceTraces({ header, arrays }) {
  const { problem } = header;
  const [rows, columns] = arrays.z.shape;
  const { shown, low, high } = levels(problem, arrays.z.data);
  const points = (list, symbol, size) => ({
    type: "scatter",
    mode: "markers",
    hoverinfo: "skip",
    x: list.map((p) => p[0]),
    y: list.map((p) => p[1]),
    marker: { symbol, size, color: "#fff", line: { color: "rgba(0,0,0,.75)", width: 1.2 } },
  });
  return [
    {
      type: "contour",
      x: arrays.xs.data,
      y: arrays.ys.data,
      hoverinfo: "skip",
      showscale: false,
      z: Array.from({ length: rows }, (_, row) => shown.subarray(row * columns, (row + 1) * columns)),
      colorscale: "Cividis",
      zmin: low,
      zmax: high,
      autocontour: false,
      contours: { start: low, end: high, size: (high - low) / LEVELS || 1 },
      line: { width: 0.6, color: "rgba(255,255,255,.28)", smoothing: 1 },
    },
    points(problem.saddles ?? [], "x-thin", 8),
    points(problem.minimizers ?? [], "star", 12),
  ].map((trace) =>
    trace.marker?.symbol === "x-thin"
      ? { ...trace, marker: { ...trace.marker, line: { color: "#fff", width: 2 } } }
      : trace,
  );
}

/** A title where there is room for so many pixels: without what stands in brackets at its end, if that is too long. */
export const titleFor = (title, room) => (title.length * LETTER > room ? title.replace(/ \([^)]*\)$/, "") : title);

/**
 * The layout of a panel in the theme in force.
 *
 * @param {any} bench
 * @param {any} theme
 * @param {boolean} narrow
 * @param {number[]} size
 */
export function surfaceLayout({ header }, theme, narrow, [wide, tall]) {
  const [x0, x1, y0, y1] = header.problem.view;
  const axis = (title, range) => ({
    range,
    title: { text: title, font: { size: 11 }, standoff: 4 },
    tickfont: { size: 10 },
    nticks: 6,
    zeroline: false,
    showgrid: false,
    ticks: "outside",
    ticklen: 3,
    tickcolor: theme.faint,
    fixedrange: narrow,
    color: theme.soft,
  });
  return {
    margin: MARGIN,
    showlegend: false,
    uirevision: header.key,
    dragmode: narrow ? false : "zoom",
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    hovermode: false,
    font: { color: theme.text, family: theme.font },
    xaxis: axis(titleFor(header.problem.axes[0], wide - MARGIN.l), [x0, x1]),
    yaxis: axis(titleFor(header.problem.axes[1], tall - MARGIN.b), [y0, y1]),
  };
}

/**
 * From data to pixels in a panel; before Plotly has drawn it, as it will.
 *
 * @param {any} chart
 * @param {number[]} size
 * @param {import("../types").ProblemHeader} problem
 */
export function viewOf(chart, [wide, tall], problem) {
  const { xaxis, yaxis } = chart._fullLayout ?? {};
  const [x0, x1] = xaxis ? xaxis.range.map(Number) : problem.view;
  const [y0, y1] = yaxis ? yaxis.range.map(Number) : problem.view.slice(2);
  const left = xaxis?._offset ?? MARGIN.l;
  const top = yaxis?._offset ?? MARGIN.t;
  const width = xaxis?._length ?? wide - MARGIN.l - MARGIN.r;
  const height = yaxis?._length ?? tall - MARGIN.t - MARGIN.b;
  const perX = width / (x1 - x0);
  const perY = height / (y1 - y0);
  return {
    left,
    top,
    width,
    height,
    perX,
    perY,
    x: (value) => left + (value - x0) * perX,
    y: (value) => top + (y1 - value) * perY,
  };
}
