/** Plotly's toolbar over a chart: only zoom, nothing that leaves the page, and no stop for the Tab key. */

/** Plotly's settings of a chart; on a narrow screen without its toolbar. */
export const settings = (narrow) => ({
  displaylogo: false,
  displayModeBar: narrow ? false : "hover",
  scrollZoom: false,
  responsive: false,
  plotlyServerURL: "",
  modeBarButtonsToRemove: ["sendChartToCloud", "select2d", "lasso2d", "toImage", "autoScale2d"],
});

/** Takes a chart's toolbar out of the Tab order: a double click resets the zoom, and the player's keys do the rest. */
export function leaveTabOrder(chart) {
  for (const button of chart.querySelectorAll(".modebar a, .modebar button")) button.tabIndex = -1;
}
