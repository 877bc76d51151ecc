/** What is predicted against what is true: a perfect model has all points on the line. What lies outside is counted. */

import { fresh, h, write } from "../bench/dom.js";
import * as text from "../bench/text.js";
import { traceMarker } from "../bench/theme.js";

const EDGE = { left: 44, right: 6, top: 6, bottom: 30 };

/** Makes the picture. */
export function numbers() {
  const canvas = h("canvas", { role: "img", class: "tr-canvas" });
  const caption = h("figcaption", {});
  const element = h("figure", { class: "tr-boundary" }, canvas, caption);

  function draw(stage, lane) {
    const { theme, header } = stage;
    canvas.setAttribute("aria-label", lane.summary);
    const width = element.clientWidth;
    const height = Math.min(300, Math.max(200, 0.8 * width));
    const context = fresh(canvas, width, height);
    const { truth, prediction } = lane.arrays;
    if (!truth) return;
    let [low, high] = [Infinity, -Infinity];
    for (const y of truth.data) [low, high] = [Math.min(low, y), Math.max(high, y)];
    const room = 0.08 * (high - low || 1);
    [low, high] = [low - room, high + room];
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
    context.textAlign = "left";
    context.fillText(text.num(low + room), toX(low + room), height - 18);
    context.textAlign = "right";
    context.fillText(text.num(high - room), toX(high - room), height - 18);
    context.fillText(text.num(low + room), EDGE.left - 4, toY(low + room));
    context.fillText(text.num(high - room), EDGE.left - 4, toY(high - room) + 8);
    context.textAlign = "center";
    context.fillText(`true ${header.axes[0]}`.slice(0, Math.floor(width / 5.5)), EDGE.left + wide / 2, height - 4);
    context.save();
    context.translate(10, EDGE.top + tall / 2);
    context.rotate(-Math.PI / 2);
    context.fillText("predicted", 0, 0);
    context.restore();
  }

  return { element, draw };
}
