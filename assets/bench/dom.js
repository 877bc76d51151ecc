/** Small helpers that make elements. Text always goes in as text, never as markup. */

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** An HTML element: h("button", {class: "mb-play", onclick: play}, "Play"). */
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

/** An SVG element. */
export const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/** A 24 x 24 icon from path data. */
export const icon = (path) =>
  svg("svg", { viewBox: "0 0 24 24", class: "mb-icon", "aria-hidden": "true" }, svg("path", { d: path }));

/** Sets a node's text only where it differs: no layout without need. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A canvas that lies over its host and lets the pointer through. */
export function sheet(host, kind = "") {
  const canvas = h("canvas", { class: `mb-sheet ${kind}`, "aria-hidden": "true" });
  host.append(canvas);
  return canvas;
}

/** Fits a canvas to width x height CSS pixels; returns its context in CSS pixels, and clears it. */
export function fresh(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const wide = Math.round(width * ratio);
  const tall = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  if (canvas.width !== wide || canvas.height !== tall) {
    canvas.width = wide;
    canvas.height = tall;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

const page = /** @type {any} */ (globalThis); // where Plotly puts itself
let plotly = null; // the promise of it

/** Loads Plotly once for the whole page. */
export function loadPlotly(address) {
  plotly ??= page.Plotly
    ? Promise.resolve(page.Plotly)
    : new Promise((done, failed) => {
        const script = h("script", { src: address });
        script.addEventListener("load", () => done(page.Plotly));
        script.addEventListener("error", () => {
          plotly = null; // the next picture may try again
          failed(new Error(`The chart library could not be loaded from ${address}; reload the page to try again.`));
        });
        document.head.append(script);
      });
  return plotly;
}

/** Links a style sheet, unless it is linked already, and resolves when it is in force. */
export function loadStyle(address) {
  const { href } = new URL(address, document.baseURI);
  const linked = /** @type {HTMLLinkElement[]} */ ([...document.querySelectorAll("link[rel=stylesheet]")]);
  const link = linked.find((one) => one.href === href) ?? h("link", { rel: "stylesheet", href });
  if (!link.isConnected) document.head.append(link);
  if (link.sheet) return Promise.resolve();
  return new Promise((done) => ["load", "error"].forEach((name) => link.addEventListener(name, done, { once: true })));
}
