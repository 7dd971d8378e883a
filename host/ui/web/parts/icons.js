// Line icons, drawn here; they say nothing that a word beside them does not.

import { html } from "../lib/h.js";

const PATHS = {
  fleet: "M3 5h18M3 12h18M3 19h18M3 5v0M7 3v4M15 10v4M10 17v4",
  topics: "M4 6c0-3 16-3 16 0v12c0 3-16 3-16 0zM4 6c0 3 16 3 16 0M4 12c0 3 16 3 16 0",
  graph: "M5 3h4v4H5zM15 10h4v4h-4zM5 17h4v4H5zM9 5h3v7h3M9 19h3v-7",
  create: "M12 5v14M5 12h14",
  letters: "M3 6h18v12H3zM3 7l9 7 9-7",
  runs: "M12 7v5l3 2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z",
  groups: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2 20c0-8 14-8 14 0M17 11a3 3 0 1 0 0-6M18 14c3 .5 4 3 4 6",
  plugins: "M9 3v5M15 3v5M6 8h12v4a6 6 0 0 1-12 0zM12 18v4",
  host: "M4 4h16v6H4zM4 14h16v6H4zM8 7h.01M8 17h.01",
  menu: "M4 6h16M4 12h16M4 18h16",
};

export const Icon = ({ name }) => html`
  <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">
    <path d=${PATHS[name]} />
  </svg>`;
