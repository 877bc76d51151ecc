/** Small images of numbers. */

/** height x width numbers from `offset` on as a small canvas; `shade` gives each number's red, green and blue. */
export function bitmap(data, offset, height, width, shade) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    const [r, g, b] = shade(data[offset + i]);
    image.data.set([r, g, b, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Ink on white paper: 0 is white, 255 black. */
export const paper = (v) => Array(3).fill(255 - v);
