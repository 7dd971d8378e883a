// Line icons, drawn here; they say nothing that a word beside them does not.

import { html } from "../lib/h.js";

const PATHS = {
  fleet: "M3 5h18M3 12h18M3 19h18M3 5v0M7 3v4M15 10v4M10 17v4",
  topics: "M4 6c0-3 16-3 16 0v12c0 3-16 3-16 0zM4 6c0 3 16 3 16 0M4 12c0 3 16 3 16 0",
  menu: "M4 6h16M4 12h16M4 18h16",
};

export const Icon = ({ name }) => html`
  <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">
    <path d=${PATHS[name]} />
  </svg>`;
