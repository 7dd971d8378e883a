// Where the page is: `#/connectors/orders-in/offsets?x=1` as segments and a query. Links are ordinary links.

import { cell, useCell } from "./h.js";

function read() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { parts: parts.length ? parts : ["fleet"], query: Object.fromEntries(new URLSearchParams(search)) };
}

const place = cell(read());
addEventListener("hashchange", () => place.set(read()));

export const useRoute = () => useCell(place);

/** The address of a page. */
export function to(parts, query) {
  const search = new URLSearchParams(Object.entries(query ?? {}).filter(([, value]) => value !== "" && value != null));
  return `#/${parts.map(encodeURIComponent).join("/")}${search.size ? `?${search}` : ""}`;
}

export function go(parts, query) {
  location.hash = to(parts, query);
}

/** Changes the query of this page without a step in the history. */
export function tune(query) {
  const { parts, query: old } = place.get();
  history.replaceState(null, "", to(parts, { ...old, ...query }));
  place.set(read());
}
