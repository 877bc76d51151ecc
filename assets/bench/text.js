/** Numbers as words: three significant digits, with units. */

const ROUNDED = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });
const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const NONE = "–";
const known = (x) => typeof x === "number" && Number.isFinite(x);

/** 0.012345 -> "0.0123", 12345 -> "12,300", 1e-9 -> "1e-9": three significant digits, no idle zeros. */
export function num(x) {
  if (!known(x)) return x === Infinity ? "∞" : NONE;
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size >= 1e6 || size < 1e-3) {
    const [mantissa, exponent] = x.toExponential(2).split("e");
    return `${Number(mantissa)}e${Number(exponent)}`;
  }
  return size < 1000 ? String(Number(x.toPrecision(3))) : ROUNDED.format(x);
}

/** The same, but idle zeros stay, so that running numbers do not jump about. */
export function steady(x) {
  if (!known(x)) return x === Infinity ? "∞" : NONE;
  const size = Math.abs(x);
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) return x.toExponential(2).replace("e+", "e");
  return size >= 1000 ? num(x) : x.toPrecision(3);
}

/** A whole number with all its digits: 8840 -> "8,840". */
export const count = (n) => (known(n) ? (Math.abs(n) < 1000 ? String(Math.round(n)) : WHOLE.format(n)) : NONE);

/** A time with a fitting unit: 0.0123 -> "12.3 ms". */
export function seconds(x) {
  if (!known(x)) return NONE;
  if (x === 0) return "0 s";
  if (x < 1e-3) return `${num(x * 1e6)} µs`;
  if (x < 1) return `${num(x * 1e3)} ms`;
  return x < 120 ? `${num(x)} s` : `${num(x / 60)} min`;
}

/** 1 -> "1 sample", 32 -> "32 samples". */
export const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

/** A knob's value with its unit; a full batch says that it is BGD. */
export function knob(spec, value, samples) {
  if (!spec.integer) return num(value) + (spec.unit ? ` ${spec.unit}` : "");
  const text = spec.unit === "samples" ? plural(value, "sample") : `${count(value)}${spec.unit ? ` ${spec.unit}` : ""}`;
  return spec.key === "batch_size" && value === samples ? `${text} = BGD` : text;
}
