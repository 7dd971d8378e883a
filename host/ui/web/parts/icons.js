// Line icons, drawn here; they say nothing that a word beside them does not.

import { html } from "../lib/h.js";

const PATHS = {
  fleet: "M3 5h18M3 12h18M3 19h18M3 5v0M7 3v4M15 10v4M10 17v4",
  topics: "M4 6c0-3 16-3 16 0v12c0 3-16 3-16 0zM4 6c0 3 16 3 16 0M4 12c0 3 16 3 16 0",
  dlq: "M4 6h16v12H4zM4 7l8 6 8-6M9 21h6",
  groups: "M8 11a3 3 0 1 0 0-.01M17 12a2.5 2.5 0 1 0 0-.01M2.5 19c.5-5 10.500-5 11 0M14.500 19c1-3 6.500-3 7 0",
  plugins: "M9 3v5M15 3v5M6 8h12v4a6 6 0 0 1-12 0zM12 18v3",
  plus: "M12 5v14M5 12h14",
  menu: "M4 6h16M4 12h16M4 18h16",
  down: "M6 9l6 6 6-6",
};

export const Icon = ({ name }) => html`
  <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">
    <path d=${PATHS[name]} />
  </svg>`;
