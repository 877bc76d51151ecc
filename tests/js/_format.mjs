/** The functions of assets/bench/format.js by the names that tests/format_cases.json has for them. */

import * as format from "../../assets/bench/format.js";

/** @param {string} name */
export const byName = (name) => format[name === "number" ? "num" : name];
