/** Draws: one frame soon however often it is asked for, numbers no faster than they can be read. */

const READ = 100; // ms between two changes of the numbers while it plays or is dragged

/** Makes the painter of a bench. */
export function createPainter(bench) {
  let frame = 0; // that was asked for
  let later = 0; // timer of the next change of the numbers
  let read = 0; // when they changed last
  let told = null; // the newest picture that was put into words
  const painter = {
    frames: 0, // drawn
    painted: null, // the newest picture that was drawn

    /** Says in words and numbers what is shown. */
    tell() {
      const { picture } = bench.state;
      if (told === picture) return;
      told = picture;
      const { page, headline, verdict, memory, tabs } = bench;
      for (const instrument of [page, headline, verdict, memory, tabs]) instrument.update();
    },

    /** Draws one frame now. */
    paint() {
      const { playing, short, lanes, picture } = bench.state;
      const time = performance.now();
      bench.change({ legible: !(playing || short) || time - read > READ });
      clearTimeout(later);
      if (bench.legible) {
        read = time;
        painter.tell();
      } else later = setTimeout(painter.invalidate, READ);
      if (lanes.length)
        for (const instrument of [bench.panels, bench.timeline, bench.loss, bench.cursor]) instrument.draw();
      painter.frames += 1;
      if (painter.painted === picture) return;
      painter.painted = picture;
      bench.changed();
      const detail = { seq: picture.header.seq, frames: painter.frames };
      bench.root.dispatchEvent(new CustomEvent("mbsgd:painted", { detail, bubbles: true }));
    },

    /** Draws one frame soon. */
    invalidate() {
      if (frame || bench.playing || !bench.header) return;
      frame = requestAnimationFrame(() => {
        frame = 0;
        painter.paint();
      });
    },
  };
  return painter;
}
