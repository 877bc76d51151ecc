/**
 * Numbers as words. The one rule stands in mbsgd_core/format.py; tests/format_cases.json holds both to it.
 *
 * A number has three significant digits; halves are rounded away from zero; idle zeros are left out. From 1,000 its
 * thousands are set apart by commas. Below 0.001 and from 1,000,000, in size and once it is rounded, it is written with
 * a power of ten: 2.5e-7, 1.78e6. Zero has no sign. What is not a number, or not known, is "–", infinity "∞".
 */

const NONE = "–";
const [LEAST, MOST] = [-3, 6]; // powers of ten between which a number is written out
const [FIGURES, AS_SET] = [3, 6]; // significant digits of what is measured, and of what somebody has set

/** @typedef {number | null | undefined} Maybe */
/** @typedef {{key: string, unit?: string, integer?: boolean}} KnobWords */

/** A measured number: 0.012345 -> "0.0123", 12345 -> "12,300", 1e-9 -> "1e-9". @param {Maybe} x */
export const num = (x) => special(x) || written(Number(x), FIGURES, false);

/** The same with its idle zeros, so that running numbers do not jump about. @param {Maybe} x */
export const steady = (x) => special(x) || written(Number(x), FIGURES, true);

/** A number that somebody has set: up to six significant digits, so that it is what was set. @param {Maybe} x */
export const setting = (x) => special(x) || written(Number(x), AS_SET, false);

/** A whole number with all its digits: 8840 -> "8,840". @param {Maybe} n */
export const count = (n) => special(n) || fixed(Number(n), 0);

/** A share, 0 ... 1, for columns and running numbers: 0.98765 -> "98.77 %". @param {Maybe} x */
export const percent = (x) => special(x) || `${fixed(100 * Number(x), 2)} %`;

/** A share, 0 ... 1, in a sentence: 0.98765 -> "98.8 %", 0.99999 -> "> 99.9 %". @param {Maybe} x */
export function share(x) {
  if (special(x)) return special(x);
  const text = num(100 * Number(x));
  return text === "100" && Number(x) < 1 ? "> 99.9 %" : `${text} %`;
}

/** A time with the unit that fits: 0.0123 -> "12.3 ms". @param {Maybe} x */
export function seconds(x) {
  if (special(x)) return special(x);
  const value = Number(x);
  const size = rounded(value);
  if (size === 0) return "0 s";
  if (size < 1e-3) return `${num(value * 1e6)} µs`;
  if (size < 1) return `${num(value * 1e3)} ms`;
  if (size < 120) return `${num(value)} s`;
  return size < 7200 ? `${num(value / 60)} min` : `${num(value / 3600)} h`;
}

/** Bytes with the unit that fits: 268144 -> "268 kB". @param {Maybe} n */
export function storage(n) {
  if (special(n)) return special(n);
  let size = Number(n);
  const units = ["B", "kB", "MB", "GB", "TB"];
  while (units.length > 1 && rounded(size) >= 1000) {
    size /= 1000;
    units.shift();
  }
  return `${num(size)} ${units[0]}`;
}

/** 1 -> "1 sample", 32 -> "32 samples". @param {number} n @param {string} word */
export const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

/**
 * A knob's value with its unit; a full batch says that it is BGD.
 * @param {KnobWords} spec
 * @param {number} value
 * @param {number} [samples] of the problem
 */
export function knob(spec, value, samples) {
  if (!spec.integer) return setting(value) + (spec.unit ? ` ${spec.unit}` : "");
  const text = spec.unit === "samples" ? plural(value, "sample") : `${count(value)}${spec.unit ? ` ${spec.unit}` : ""}`;
  return spec.key === "batch_size" && value === samples ? `${text} = BGD` : text;
}

/** The word for what has no digits; "" for all else. @param {unknown} x */
function special(x) {
  if (typeof x !== "number" || Number.isNaN(x)) return NONE;
  if (Number.isFinite(x)) return "";
  return x < 0 ? "-∞" : "∞";
}

/** Its size, rounded as `num` rounds it: units are chosen by it. @param {number} x */
const rounded = (x) => Number(Math.abs(x).toPrecision(FIGURES));

/** @param {number} x @param {number} figures @param {boolean} zeros */
function written(x, figures, zeros) {
  const sign = x < 0 ? "-" : "";
  const [mantissa, exponent] = Math.abs(x).toExponential(figures - 1).split("e");
  const power = Number(exponent);
  const digits = mantissa.replace(".", "");
  if (power < LEAST || power >= MOST) return `${sign}${trim(mantissa, zeros)}e${power}`;
  if (power < 0) return sign + trim(`0.${"0".repeat(-power - 1)}${digits}`, zeros);
  const whole = digits.slice(0, power + 1).padEnd(power + 1, "0");
  return sign + trim(`${grouped(whole)}.${digits.slice(power + 1)}`, zeros);
}

/** @param {string} text @param {boolean} zeros */
const trim = (text, zeros) => (zeros ? text : text.replace(/0+$/, "")).replace(/\.$/, "");

/** @param {string} digits */
const grouped = (digits) => digits.replace(/\B(?=(\d{3})+$)/g, ",");

/** @param {number} x @param {number} decimals */
function fixed(x, decimals) {
  if (Math.abs(x) >= 1e21) return num(x);
  const [whole, rest] = Math.abs(x).toFixed(decimals).split(".");
  const text = grouped(whole) + (rest ? `.${rest}` : "");
  return x < 0 && /[1-9]/.test(text) ? `-${text}` : text;
}
