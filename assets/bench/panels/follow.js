/** A chart whose x axis is the clock's: the clock follows the pointer over it, and a click leaves it there. */

/**
 * Makes a chart lead the clock.
 *
 * @param chart a Plotly chart, drawn or soon to be.
 * @param bench what keeps the time: {at, end, playing, ready} with seek(t, {preview}) and pause().
 */
export function follow(chart, bench) {
  let down = null;
  let held = null; // the cursor's place before it followed the pointer
  const time = (event) => {
    if (!chart._fullLayout || !bench.ready) return null;
    const { xaxis, yaxis } = chart._fullLayout;
    const box = chart.getBoundingClientRect();
    const px = event.clientX - box.left - xaxis._offset;
    const py = event.clientY - box.top - yaxis._offset;
    if (px < 0 || py < 0 || px > xaxis._length || py > yaxis._length) return null;
    return Math.min(bench.end, Math.max(0, xaxis.p2d(px)));
  };
  chart.addEventListener("pointerdown", (event) => (down = [event.clientX, event.clientY]), true);
  chart.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "mouse" || event.buttons || bench.playing) return;
    const t = time(event);
    if (t === null) return;
    held ??= bench.at;
    bench.seek(t, { preview: true });
  });
  chart.addEventListener("pointerleave", () => {
    if (held !== null && !bench.playing) bench.seek(Math.min(held, bench.end));
    held = null;
  });
  chart.addEventListener(
    "click",
    (event) => {
      if (!down || Math.hypot(event.clientX - down[0], event.clientY - down[1]) > 4) return;
      const t = time(event);
      if (t === null) return;
      bench.pause();
      held = t; // it stays there
      bench.seek(t);
    },
    true,
  );
}
