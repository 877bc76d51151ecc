/** What the home page's document runs: the bench, before Streamlit's own page stands (mbsgd_core/ui/documents.py). */

import { arrive } from "./main.js";

const told = document.getElementById("mbsgd-page");
const base = new URL(".", import.meta.url).href.replace(/\/$/, "");
if (told) arrive({ base, root: new URL("./", document.baseURI).href }, JSON.parse(told.textContent));
