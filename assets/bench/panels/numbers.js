/** What is predicted against what is true: a perfect model has all points on the line. What lies outside is counted. */

import { fresh, h, write } from "../dom.js";
import * as text from "../format.js";
import { traceMarker } from "../theme.js";
import { reach } from "./fit.js";

const EDGE = { left: 44, right: 6, top: 6, bottom: 30 };

/** Makes the picture. */
export function numbers() {
  const canvas = h("canvas", { role: "img", class: "mb-canvas" });
  const plot = h("div", { class: "mb-plot" }, canvas);
  const caption = h("figcaption", {});
  const element = h("figure", {}, plot, caption);

  function draw({ theme, header }, lane, { truth, prediction }, [width, height]) {
    canvas.setAttribute("aria-label", lane.summary);
    const context = fresh(canvas, width, height);
    if (!truth || !prediction) return;
    const [low, high] = reach(truth.data);
    const [wide, tall] = [width - EDGE.left - EDGE.right, height - EDGE.top - EDGE.bottom];
    const toX = (v) => EDGE.left + ((v - low) / (high - low)) * wide;
    const toY = (v) => EDGE.top + ((high - v) / (high - low)) * tall;
    context.strokeStyle = theme.line;
    context.strokeRect(EDGE.left, EDGE.top, wide, tall);
    context.strokeStyle = theme.faint;
    context.setLineDash([4, 4]);
    context.beginPath();
    context.moveTo(toX(low), toY(low));
    context.lineTo(toX(high), toY(high));
    context.stroke();
    context.setLineDash([]);
    context.fillStyle = lane.color;
    context.globalAlpha = 0.75;
    let outside = 0;
    for (let i = 0; i < truth.data.length; i += 1) {
      if (!(prediction.data[i] >= low && prediction.data[i] <= high)) {
        outside += 1; // or not finite: the axes stay those of the truth, so that lanes compare
        continue;
      }
      traceMarker(context, lane.marker, toX(truth.data[i]), toY(prediction.data[i]), 3);
      context.fill();
    }
    context.globalAlpha = 1;
    const all = text.plural(truth.data.length, "prediction");
    write(caption, outside ? `${text.count(outside)} of ${all} lie outside the picture.` : "");
    context.fillStyle = theme.soft;
    context.font = `10px ${theme.font}`;
    const [first, last] = [Math.min(...truth.data), Math.max(...truth.data)];
    context.textAlign = "left";
    context.fillText(text.num(first), toX(first), height - 18);
    context.textAlign = "right";
    context.fillText(text.num(last), toX(last), height - 18);
    context.fillText(text.num(first), EDGE.left - 4, toY(first) + 3);
    context.fillText(text.num(last), EDGE.left - 4, toY(last) + 3);
    context.textAlign = "center";
    context.fillText(`true ${header.scene.axes[0]}`, EDGE.left + wide / 2, height - 4, wide);
    context.save();
    context.translate(10, EDGE.top + tall / 2);
    context.rotate(-Math.PI / 2);
    context.fillText("predicted", 0, 0);
    context.restore();
  }

  return { element, plot, draw };
}
